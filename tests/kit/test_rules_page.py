"""docs/scoring.md names a case for every rule; a case that is renamed or lost makes the page a lie."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "scoring.md").read_text(encoding="utf-8")


def cases() -> set[str]:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    return {name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}


def test_every_case_the_page_names_is_there():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 60
    assert named <= cases()


def test_every_rule_held_by_a_case_is_on_the_page():
    held = set()
    for path in Path(__file__).parent.glob("test_*_rules.py"):
        held |= set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert held - set(re.findall(r"`(test_\w+)`", PAGE)) == set()
