"""How numbers are written for people: the same on the page, in the charts and in the terminal.

An unknown number is a dash. The space before a unit does not break.
"""

from datetime import datetime

from ilsvrc.reports.race_report import known

DASH = "–"
SPACE = "\N{NO-BREAK SPACE}"


def percent(fraction: float | None, digits: int = 1) -> str:
    """A fraction in [0, 1] as percent: '12.3 %'."""
    return f"{100 * fraction:.{digits}f}{SPACE}%" if known(fraction) else DASH


def whole(number: float | None) -> str:
    """A count in full: '61,100,840'."""
    return f"{number:,.0f}" if known(number) else DASH


def short(number: float | None) -> str:
    """A count to three digits: '61.1 M', '3.86 G', '940'."""
    if not known(number):
        return DASH
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size * 0.9995:
            return f"{_three_digits(number / size)}{SPACE}{letter}"
    return f"{number:.0f}"


def plain(number: float | None) -> str:
    """A number without a trailing '.0': '90', '0.25'."""
    return f"{number:,.4g}" if known(number) and abs(number) < 1e4 else whole(number)


def duration(seconds: float | None) -> str:
    """A length of time in the two largest units: '42 s', '9 min 12 s', '2 h 5 min', '3 d 4 h'."""
    if not known(seconds):
        return DASH
    if 0 < seconds < 9.95:
        return f"{seconds:.1f}{SPACE}s"
    left = round(seconds)
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    first = next((i for i, (size, _) in enumerate(units) if left >= size), len(units) - 1)
    parts = []
    for size, letter in units[first : first + 2]:
        parts.append((left // size, letter))
        left %= size
    shown = [part for i, part in enumerate(parts) if part[0] or i == 0]
    return SPACE.join(f"{number}{SPACE}{letter}" for number, letter in shown)


def moment(iso: str) -> str:
    """An ISO 8601 time for people: '14 March 2026, 10:12 UTC'; text that is none comes back as it is."""
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    offset = time.strftime("%z")
    zone = f" UTC{'' if offset in ('+0000', '-0000') else f'{offset[:3]}:{offset[3:5]}'}" if offset else ""
    return f"{time.day} {time:%B %Y, %H:%M}{zone}"


def plural(number: float, noun: str) -> str:
    """'1 network', '7 networks', '20 classes'."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{plain(number)}{SPACE}{noun}{ending}"


def listed(words: list[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def _three_digits(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
