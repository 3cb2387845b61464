"""An entry's verdict in a race: what its networks said, each by its protocol, combined, submitted and scored."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

import ilsvrc
from ilsvrc import data, models
from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.data.devkit import Synsets
from ilsvrc.entries.gains import Gain, gains, published_by
from ilsvrc.entries.protocols import CENTER
from ilsvrc.entries.titles import TITLES
from ilsvrc.errors import DataError
from ilsvrc.jobs.ensemble import combined
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.judge import Judge
from ilsvrc.jobs.machine import Bench, commit, machine
from ilsvrc.jobs.saved_scores import Record, Scores, read_scores, save_scores
from ilsvrc.jobs.score import Rules, score_classification
from ilsvrc.jobs.subject import of_run, on
from ilsvrc.jobs.submission import ids_of, kit_beside, write_submission
from ilsvrc.jobs.training import Training
from ilsvrc.jobs.voices import Voice, heard
from ilsvrc.predict.members import over_members
from ilsvrc.reports.ensemble_tables import Ensemble
from ilsvrc.reports.entry_tables import seats, tested
from ilsvrc.reports.formats import plural
from ilsvrc.reports.progress import Watch
from ilsvrc.reports.protocol_words import brief
from ilsvrc.reports.submitted import Gained, Look, Seat, Submitted
from ilsvrc.scoring.submission import Guesses, write_guesses
from ilsvrc.spec import Entry, Member, Protocol, as_json
from ilsvrc.train.checkpoint import write_text
from ilsvrc.train.recipe import in_proportion
from ilsvrc.train.run import Run

Racer = tuple[Member, Run, Training]  # of the entry, its run, and how it was trained


@dataclass(frozen=True, eq=False)
class Panel:
    """Who judges the entries of a race: the images, where everything ends, and the machine."""

    splits: Splits
    out: Path
    bench: Bench
    watch: Watch
    reading: Reading = USUAL

    @cached_property
    def kit(self) -> Synsets | None:
        """The kit beside the images, whose ids submissions have."""
        return kit_beside(self.splits.path)

    @cached_property
    def fingerprint(self) -> str:
        """Of the images that are judged on."""
        return self.splits.fingerprint.partition("-")[2]

    def hear(self, run: Run, training: Training, protocol: Protocol) -> Voice:
        """What a network says of every image by a protocol at its size; computed once and kept in scores/."""
        if protocol == training.judged_by:
            return heard(run.directory)  # said when its training ended
        path = self.out / "scores" / f"{run.directory.name}.{_slug(protocol)}.npz"
        if not self._kept(path, protocol):
            self._judge(run, protocol, path)
        return heard(path)

    def _kept(self, path: Path, protocol: Protocol) -> bool:
        """Whether the file is whole, and of this protocol and these images."""
        try:
            record = read_scores(path).record if path.exists() else None
        except DataError:
            return False
        return record is not None and (record.protocol, record.fingerprint) == (protocol, self.fingerprint)

    def _judge(self, run: Run, protocol: Protocol, path: Path) -> None:
        found = on(of_run(run.directory, self.splits.path), self.bench.device)
        self.watch.say(f"  {run.directory.name}: {brief(protocol)}")
        judge = Judge(self.splits.val, protocol, self.bench, None, self.reading, found.size)
        said = judge(found.network, found.normal).predictions
        here = machine(self.bench.device)
        record = Record(
            model=found.model,
            weights=str(run.directory.name),
            image_size=found.size,
            width=found.width,
            protocol_name="",
            protocol=protocol,
            data=data.name(self.splits.val),
            split="val",
            fingerprint=self.fingerprint,
            engine=f"eager, {self.bench.precision}",
            bad_images=tuple(fault.name for _, fault in sorted(judge.faults.items())),
            ilsvrc=ilsvrc.__version__,
            commit=commit(),
            machine=f"{here.cpu}, {here.cores} cores, {here.device}",
        )
        save_scores(path, Scores(record, said.names, said.labels, found.classes.wnids), said.probabilities)


def submitted(entry: Entry, racers: Sequence[Racer], panel: Panel) -> Submitted:
    """The entry's verdict. Raises as judging does."""
    gain = next((each for each in gains(entry) if each.what == "protocol"), None)
    simpler = gain.before.protocol if gain else CENTER
    panel.watch.say(f"{entry.key}: {plural(len(racers), 'network')} by {tested(entry)}")
    with panel.watch.live(), panel.watch.stage(entry.key, 2 * len(racers)) as stage:
        voices: dict[str, list[Voice]] = {"simpler": [], "own": []}
        for number, (member, run, training) in enumerate(racers):
            for look, protocol in (("simpler", simpler), ("own", member.protocol or entry.protocol)):
                here = in_proportion(protocol, models.paper_size(member.model), training.size)
                voices[look].append(panel.hear(run, training, here))
                stage.at(2 * number + len(voices["own"]) - number)
    total = sum(member.weight for member, _, _ in racers)
    weights = [member.weight / total for member, _, _ in racers]
    everything = np.ones(len(voices["own"][0].names), bool)
    before, after = (combined(voices[look], weights, everything) for look in ("simpler", "own"))
    write_text(panel.out / "ensembles" / f"{entry.key}.json", json.dumps(after.as_json(), indent=1) + "\n")
    top1, top5, rules = _scored(entry, voices["own"], weights, panel)
    return Submitted(
        name=entry.key,
        title=f"{entry.team} {entry.year}" if not entry.row else entry.key,
        year=entry.year,
        team=entry.team,
        top1_error=top1,
        top5_error=top5,
        rules=rules,
        submission=f"submissions/{entry.key}.txt",
        protocol=tested(entry),
        seats=tuple(_seat(entry, racer, weights[place], place, after) for place, racer in enumerate(racers)),
        looks=_looks(entry, gain, before, after),
        gained=_gained(entry, gain, racers, (before, after)),
        best=after.best,
        seconds=sum((run.read_scores() or {"seconds": 0.0})["seconds"] for _, run, _ in racers),
        new=entry.new,
        gaps=entry.gaps,
        published=entry.reported,
        reconstruction=entry.reconstruction,
        miniature=any(t.member.width != 1 or t.size != models.paper_size(t.member.model) for _, _, t in racers),
    )


def _slug(protocol: Protocol) -> str:
    """A short name of a protocol for a file, which no other has."""
    digest = hashlib.sha256(json.dumps(as_json(protocol), sort_keys=True).encode()).hexdigest()[:8]
    words = "".join(letter if letter.isalnum() else "-" for letter in brief(protocol))
    return f"{words[:40].strip('-')}.{digest}"


def _scored(entry: Entry, voices: list[Voice], weights: list[float], panel: Panel) -> tuple[float, float, str]:
    """Write the submission and the truth in the kit's form, and score one by the other: top-1 and top-5 error."""
    ids, _ = ids_of(voices[0].wnids, panel.kit)
    folder = panel.out / "submissions"
    folder.mkdir(parents=True, exist_ok=True)
    path, truth = folder / f"{entry.key}.txt", folder / "truth.txt"
    unseen = frozenset().union(*(voice.unseen for voice in voices))
    rows = np.array([name in unseen for name in voices[0].names])
    write_submission(path, over_members([voice.probabilities for voice in voices], weights), ids, rows)
    write_guesses(truth, Guesses(ids[voices[0].labels][:, None]))
    top1, top5 = (score_classification(path, truth, rules=Rules(kit=2012, top=top)).scores[0] for top in (1, 5))
    return top1.value, top5.value, top5.rules


def _seat(entry: Entry, racer: Racer, weight: float, place: int, found: Ensemble) -> Seat:
    member, run, training = racer
    protocol = in_proportion(member.protocol or entry.protocol, models.paper_size(member.model), training.size)
    return Seat(
        run=run.directory.name,
        title=TITLES[training.member.model],
        stands_for=TITLES[member.model],
        seed=training.seed,
        weight=weight,
        protocol=brief(protocol),
        top1_error=found.alone[place].top1_error,
        top5_error=found.alone[place].top5_error,
    )


def _looks(entry: Entry, gain: Gain | None, before: Ensemble, after: Ensemble) -> tuple[Look, ...]:
    """One network and all, by the simpler protocol of the gain and by the entry's own."""
    everybody = f"all {len(after.members)}"
    simpler = gain.before.protocol if gain else CENTER
    first = (gain.before, gain.first) if gain and sum(m.copies for m in gain.before.members) == 1 else None
    found = []
    for alone in (True, False) if len(after.members) > 1 else (True,):
        for protocol, ensemble in ((simpler, before), (None, after)):
            errors = ensemble.alone if alone or not ensemble.whole else (ensemble.whole,)
            known = published_by(entry, alone=alone, protocol=protocol)
            if known is None and alone and protocol:
                known = first  # of another year's images, as its source says
            found.append(
                Look(
                    who="one network" if alone else everybody,
                    protocol=brief(protocol) if protocol else tested(entry),
                    top1_error=float(np.mean([each.top1_error for each in errors])),
                    top5_error=float(np.mean([each.top5_error for each in errors])),
                    published=known[1].percent / 100 if known else None,
                    source=f"{known[1].split}, {known[1].source}" if known else "",
                )
            )
    return tuple(found)


def _gained(
    entry: Entry, gain: Gain | None, racers: Sequence[Racer], looked: tuple[Ensemble, Ensemble]
) -> tuple[Gained, ...]:
    """What the protocol and what the ensemble took off the top-5 error, here and in the paper."""
    before, after = looked
    assert before.whole is not None
    assert after.whole is not None
    whole = gain is None or sum(member.copies for member in gain.after.members) > 1
    same = [(m.model, m.recipe) for m in gain.after.members] if gain else []
    alike = [i for i, (member, _, _) in enumerate(racers) if (member.model, member.recipe) in same]
    alike = alike or list(range(len(racers)))
    who = seats(gain.after) if gain else seats(entry)
    words = tested(gain.before) if gain else brief(CENTER)
    first = before.whole.top5_error if whole else float(np.mean([before.alone[i].top5_error for i in alike]))
    second = after.whole.top5_error if whole else float(np.mean([after.alone[i].top5_error for i in alike]))
    found = [_told("protocol", f"{tested(entry)} instead of {words}, {who}", (first, second), gain)]
    if len(racers) > 1:
        more = next((each for each in gains(entry) if each.what == "ensemble"), None)
        errors = after.alone[after.best].top5_error, after.whole.top5_error
        found.append(_told("ensemble", f"{len(racers)} networks instead of the best of them", errors, more))
    return tuple(found)


def _told(what: str, words: str, errors: tuple[float, float], gain: Gain | None) -> Gained:
    if gain is None:
        return Gained(what=what, words=words, before=errors[0], after=errors[1])
    splits = f"{gain.first.split} to {gain.second.split}" if gain.across else gain.first.split
    return Gained(
        what=what,
        words=words,
        before=errors[0],
        after=errors[1],
        published_before=gain.first.percent / 100,
        published_after=gain.second.percent / 100,
        source=f"{splits}; {gain.first.source} and {gain.second.source}",
    )
