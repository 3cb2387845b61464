"""Try claims one after the other and keep what came out in docs/results/claims.json and claims.md.

scripts/record_claims.py [--out runs/claims] [NAME ...]

Without names all of them. It may be stopped and started again; what was recorded before and is not tried now stays.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from ilsvrc.claims import CLAIMS
from ilsvrc.reports.claim_tables import page
from ilsvrc.train.checkpoint import write_text

WORDS = ("hypothesis", "published", "source", "cannot")  # what may be said better later without another measurement
RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"


def main() -> None:
    """Run each claim as its own command, so that a record says how it was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/claims"))
    parser.add_argument("names", nargs="*", default=list(CLAIMS))
    asked = parser.parse_args()
    for name in asked.names:
        words = [sys.executable, "-m", "ilsvrc", "claim", name, "--out", str(asked.out), "--json"]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.returncode)
        record(json.loads(done.stdout) | {"command": f"ilsvrc claim {name}"})


def record(found: dict[str, object]) -> None:
    """Put one result among those kept, and write the page anew, all in today's words."""
    path = RESULTS / "claims.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    results = {one["name"]: one for one in kept} | {found["name"]: found}
    words = {name: {key: getattr(claim, key) for key in WORDS} for name, claim in CLAIMS.items()}
    ordered = [results[name] | words[name] for name in CLAIMS if name in results]
    write_text(path, json.dumps(ordered, indent=1) + "\n")
    write_text(RESULTS / "claims.md", page(ordered, list(CLAIMS)))


if __name__ == "__main__":
    main()
