"""Run: the directory of one training, readable years later.

spec.json            what was asked: member, recipe, seed, data; and on what: commit, versions, hardware
classes.json         the classes in the order of the logits, and where the data set was; older runs have none
log.jsonl            one object per epoch
state.pt             everything needed to continue; state.previous.pt the generation before it, while it trains
state.dcp            the same as a folder, where several processes each hold a part of it
weights.safetensors  the network alone
scores.json          one object per protocol; there only when the training is done
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilsvrc.errors import DataError, SpecError
from ilsvrc.spec import as_json, from_json
from ilsvrc.train.checkpoint import write_text


@dataclass(frozen=True)
class Run:
    """One training as a directory. Creating the object touches nothing."""

    directory: Path

    @property
    def state(self) -> Path:
        """The checkpoint."""
        return self.directory / "state.pt"

    @property
    def shards(self) -> Path:
        """The checkpoint as a folder that several processes write together."""
        return self.directory / "state.dcp"

    @property
    def weights(self) -> Path:
        """The network alone."""
        return self.directory / "weights.safetensors"

    @property
    def scores(self) -> Path:
        """The verdicts; there when the training is done."""
        return self.directory / "scores.json"

    def start(self, asked: dict[str, Any], circumstances: dict[str, Any]) -> None:
        """Write spec.json, or check that it asks the same.

        `asked` decides what is computed and must agree on a restart; `circumstances` (hardware, versions) may differ.
        A field of a specification that a spec.json from before it lacks has its default there.
        Raises SpecError naming the first setting that differs.
        """
        path = self.directory / "spec.json"
        asked = json.loads(json.dumps(asked))
        if not path.exists():
            write_text(path, json.dumps({"asked": asked, "circumstances": circumstances}, indent=1) + "\n")
            return
        difference = first_difference(completed(self.spec()["asked"]), completed(asked))
        if difference:
            name, was, now = difference
            raise SpecError(
                f"{self.directory} holds a training with {name} = {was}, and {now} is asked now; "
                "choose another output folder, or delete that one to train anew"
            )

    def write_data(self, path: str, wnids: tuple[str, ...], words: tuple[str, ...]) -> None:
        """Write classes.json: the classes in the order of the logits, and the data set's path made absolute."""
        file = self.directory / "classes.json"
        place = path if "://" in path else str(Path(path).absolute())
        classes = [{"wnid": wnid, "words": said} for wnid, said in zip(wnids, words, strict=True)]
        text = json.dumps({"data": place, "classes": classes}, indent=1, ensure_ascii=False) + "\n"
        if not file.exists() or file.read_bytes() != text.encode():
            write_text(file, text)

    def data(self) -> tuple[str, tuple[str, ...], tuple[str, ...]] | None:
        """What write_data wrote: path, WordNet ids, words; None for a run from before it was written.

        Raises DataError when it cannot be read.
        """
        file = self.directory / "classes.json"
        if not file.exists():
            return None
        found = _read_object(file, "classes", list)
        try:
            wnids, words = zip(*((str(each["wnid"]), str(each["words"])) for each in found["classes"]), strict=True)
        except (TypeError, KeyError, ValueError) as error:
            raise DataError(f"{file} does not name classes; delete it and train again with the same words") from error
        if list(wnids) != sorted(set(wnids)):
            raise DataError(f"{file} does not list its classes by WordNet id, each once; delete it and train again")
        return str(found.get("data", "")), wnids, words

    def spec(self) -> dict[str, Any]:
        """What spec.json says, with at least "asked". Raises DataError when it cannot be read."""
        return _read_object(self.directory / "spec.json", "asked", dict)

    def log(self) -> list[dict[str, Any]]:
        """The epochs so far, oldest first; a last line that was cut short by a kill is left out."""
        path = self.directory / "log.jsonl"
        epochs = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
            try:
                epochs.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return epochs

    def write_log(self, epochs: list[dict[str, Any]]) -> None:
        """Replace the log: a few hundred short lines at most, so it is written whole."""
        write_text(self.directory / "log.jsonl", "".join(json.dumps(epoch) + "\n" for epoch in epochs))

    def read_scores(self) -> dict[str, Any] | None:
        """The verdicts, or None while the training is not done."""
        return _read_object(self.scores, "scores", list) if self.scores.exists() else None

    def write_scores(self, scores: dict[str, Any]) -> None:
        """Write the verdicts: from now on the run counts as done."""
        write_text(self.scores, json.dumps(scores, indent=1) + "\n")


def completed(value: Any) -> Any:
    """JSON values with every specification among them as this version writes it: fields of later versions filled in.

    What this version does not know stays as it is.
    """
    if isinstance(value, list):
        return [completed(item) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {name: completed(item) for name, item in value.items()}
    if "is" not in inner:
        return inner
    try:
        return as_json(from_json(inner))
    except ValueError:
        return inner


def first_difference(was: Any, now: Any, name: str = "") -> tuple[str, Any, Any] | None:
    """Name and both values of the first place where two JSON values differ, or None."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted(was.keys() | now.keys()):
            inner = f"{name}.{key}" if name else key
            found = first_difference(was.get(key), now.get(key), inner)
            if found:
                return found
        return None
    return None if was == now else (name, json.dumps(was), json.dumps(now))


def _read_object(path: Path, key: str, kind: type) -> dict[str, Any]:
    """A JSON object with a value of that kind under that key."""
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not (isinstance(value, dict) and isinstance(value.get(key), kind)):
            raise ValueError(f"it has no {key!r}")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); is {path.parent} the directory of a run?") from error
    return value
