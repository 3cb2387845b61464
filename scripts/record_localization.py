"""Write docs/results/localization.md and .json from races in localization.

scripts/record_localization.py TITLE=RESULTS.json ...    each the results.json of `ilsvrc race --task localization`

Races of other titles that were recorded before stay.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

OUT = Path(__file__).resolve().parents[1] / "docs" / "results"
KEPT = ("command", "seed", "started", "seconds", "machine", "protocol", "data")


def main(words: list[str]) -> int:
    """Read every race, put it in the place of that title, and write both files."""
    before = OUT / "localization.json"
    races = json.loads(before.read_text(encoding="utf-8")) if before.exists() else {}
    for word in words:
        title, _, path = word.partition("=")
        races[title] = _record(json.loads(Path(path).read_text(encoding="utf-8")))
    if not words:
        print(__doc__)
        return 2
    OUT.mkdir(exist_ok=True)
    (OUT / "localization.json").write_text(json.dumps(races, indent=1) + "\n", encoding="utf-8")
    (OUT / "localization.md").write_text(_page(races), encoding="utf-8")
    return 0


def _record(results: dict[str, Any]) -> dict[str, Any]:
    """What of a race's record concerns localization; paths are of no use elsewhere."""
    task = results["tasks"]["localization"]
    entries = [
        {
            name: entry.get(name)
            for name in (
                *("key", "name", "title", "localization_error", "localization_error_interval", "top5_error"),
                *("epochs", "seconds", "image_size", "width", "parameters"),
            )
        }
        for entry in results["entries"]
        if entry["task"] == "localization"
    ]
    command = re.sub(r"^\S+", "ilsvrc", results["command"])
    command = re.sub(r"--(data|out) \S+", lambda found: f"--{found[1]} {found[1].upper()}", command)
    return {
        **{name: results[name] for name in KEPT},
        "command": command,
        "entries": entries,
        "baselines": task["baselines"],
        "images": task["val_images"],
        "rules": task["rules"],
    }


def _page(races: dict[str, dict[str, Any]]) -> str:
    parts = [
        "# Localization, measured\n\n<!-- Written by scripts/record_localization.py. -->\n\n"
        "Errors with five guesses by the kit's rule, in percent. *Labels alone* is the error of the same guesses\n"
        "without their boxes: no box can do better. Beside them what the same labels score with the whole image as\n"
        "their box, and with the one constant box that does best on these very images. What an entry is, and how\n"
        "it is trained, says [localization.md](../localization.md). Miniatures on small images:\n"
        "nothing here is about ImageNet.\n"
    ]
    return "\n".join([*parts, *(_part(title, race) for title, race in races.items())])


def _part(title: str, race: dict[str, Any]) -> str:
    data, machine = race["data"], race["machine"]
    seconds = sum(entry["seconds"] or 0.0 for entry in race["entries"])
    bases: dict[str, list[dict[str, Any]]] = {}
    for base in race["baselines"]:
        bases.setdefault(base["label"].rpartition("'s labels, ")[2], []).append(base)
    rows = []
    for i, entry in enumerate(race["entries"]):
        low, high = entry["localization_error_interval"]
        others = [f"{100 * found[i]['value']:.1f}" for found in bases.values()]
        error = f"**{100 * entry['localization_error']:.1f}** ({100 * low:.1f} to {100 * high:.1f})"
        size = f"{entry['image_size']} px, width {entry['width']:g}, {entry['epochs']:g} epochs"
        cells = (f"`{entry['key']}`: {entry['title']}", size, error, f"{100 * entry['top5_error']:.1f}", *others)
        rows.append(f"| {' | '.join(cells)} |")
    names = [f"{label} ({found[0]['note']})" if found[0].get("note") else label for label, found in bases.items()]
    head = ("entry", "as trained here", "error (95 %)", "labels alone", *names)
    line = f"|{'|'.join([' --- ', ' --- ', *[' ---: '] * (len(head) - 2)])}|"
    return f"""## {title}

| {" | ".join(head)} |
{line}
{chr(10).join(rows)}

{data["name"]}: {data["classes"]} classes, {data["train_images"]:,} images to learn from, {race["images"]:,} judged, \
fingerprint {data["fingerprint"]}; {race["rules"]}. Seed {race["seed"]}. {seconds:.0f} s of training for boxes \
(the classifiers and other programs beside it apart) on {machine["cpu"]}, {machine["cores"]} cores, \
{machine["device"]}; Python {machine["python"]}, PyTorch \
{machine["torch"]}, ilsvrc {machine["ilsvrc"]}, commit {machine["commit"] or "unknown"}.

```sh
{race["command"]}
```
"""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
