"""A finished localization run: its networks, and the verdict on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from ilsvrc import data, models
from ilsvrc.data.decode import USUAL, Decoder, Reading
from ilsvrc.data.sample import Classes, Dataset
from ilsvrc.errors import DataError
from ilsvrc.jobs.finished import check_classes, classes_of, data_of, shown_as
from ilsvrc.jobs.fused_runs import parts_of
from ilsvrc.jobs.input import Normal
from ilsvrc.jobs.judge import Judge
from ilsvrc.jobs.localize_ask import at_size
from ilsvrc.jobs.localize_judge import BoxJudge, Located, unknown
from ilsvrc.jobs.localize_look import Fused, Looker, Looks, check_merging
from ilsvrc.jobs.localize_networks import classifier, region_network, regressor
from ilsvrc.jobs.localize_propose import Proposer, looker_for
from ilsvrc.jobs.localize_referee import Referee, Side
from ilsvrc.jobs.localize_regions import PROPOSER
from ilsvrc.jobs.localize_run import CLASSIFIER
from ilsvrc.jobs.localize_submission import write_boxed
from ilsvrc.jobs.machine import Bench
from ilsvrc.models.rcnn import RegionClassifier
from ilsvrc.models.regressor import ClassProposals
from ilsvrc.predict.members import over_members
from ilsvrc.scoring import Score
from ilsvrc.spec import Crops, Dense, Member, Regression, Split, from_json
from ilsvrc.train import checkpoint
from ilsvrc.train.recipe import protocol_at_size
from ilsvrc.train.run import Run


@dataclass(frozen=True, eq=False)
class Localizer:
    """A box regressor and the classifier whose classes it boxes; both take what `normal` makes of pixels.

    judge is the network that judges the regressor's proposals again, where there is one.
    """

    run: Run
    entry: str
    member: Member
    regression: Regression
    network: nn.Module
    protocol: Crops | Dense
    size: int
    classifier: nn.Module
    classifier_protocol: Crops
    normal: Normal
    classes: Classes
    decoder: Decoder
    start: str  # a digest of the classifier's weights
    judge: RegionClassifier | None = None


def load_localizers(directory: Path) -> tuple[Localizer, ...]:
    """The regressors of the localization run in `directory`, each with its classifier; of most runs there is one.

    Raises DataError or WeightsError when it is no localization run, or not done.
    """
    return tuple(load_localizer(place) for place in parts_of(directory))


def load_localizer(directory: Path) -> Localizer:
    """What the run of one regressor in `directory` left.

    Raises DataError or WeightsError when it is none, or not done.
    """
    run = Run(directory)
    asked = run.spec()["asked"]
    try:
        member: Member = from_json(asked["member"])
        regression: Regression = from_json(asked["boxes"])
        first: Member = from_json(asked["classifier"])
        protocol, its = (from_json(asked[name]) for name in ("protocol", "classifier_protocol"))
        count = int(asked["classes"])
        networks = regressor(member, regression, count), classifier(first, count)
        judge = region_network(member, count) if regression.regions else None
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{directory / 'spec.json'} is no localization that can be understood: {error}") from error
    if judge is not None:
        checkpoint.load_weights(run.weights, judge)
    weights = directory / PROPOSER if judge is not None else run.weights
    for file, network in zip((weights, directory / CLASSIFIER), networks, strict=True):
        checkpoint.load_weights(file, network)
    size = member.image_size or models.paper_size(member.model)
    return Localizer(
        run=run,
        entry=str(asked["entry"]),
        member=member,
        regression=regression,
        network=networks[0].eval(),
        protocol=at_size(protocol, member, size),
        size=size,
        classifier=networks[1].eval(),
        classifier_protocol=protocol_at_size(its, size),
        normal=shown_as(directory),
        classes=classes_of(run, count, None),
        decoder="reference" if asked.get("reading", {}).get("decoder") == "reference" else "fast",
        start=str(asked.get("start")),
        judge=judge.eval() if judge is not None else None,
    )


def judge_run(
    directory: Path,
    path: str | None,
    split: Split,
    bench: Bench,
    reading: Reading = USUAL,
    save: Path | None = None,
) -> tuple[Score, ...]:
    """The errors of a finished localization run on a split: of the boxes, and of the labels alone.

    With `save`, what is found is written there as a submission; of a split without labels that is all, and there is no
    score. Raises DataError, WeightsError or SpecError when it is no finished run or the data has other classes.
    """
    localizers, run = load_localizers(directory), Run(directory)
    place = path or data_of(run)
    dataset = data.open(place, split)
    check_classes(run, len(localizers[0].classes), dataset.classes, place)
    blind = save is not None and all(dataset[index].label is None for index in range(len(dataset)))
    first = localizers[0]
    reading = replace(reading, decoder=first.decoder)
    truth = unknown(len(dataset)) if blind else None
    judge = BoxJudge(dataset, first.protocol, first.regression, first.size, bench, reading, truth)
    located = located_by(localizers, judge, bench)
    if save is not None:
        write_boxed(save, located, dataset.classes.wnids, place)
    if blind:
        return ()
    found = judge.score(located)
    return found.localization, found.classification


def located_by(localizers: Sequence[Localizer], judge: BoxJudge, bench: Bench) -> Located:
    """What one or several regressors find in the judge's images; their classifiers together name the classes."""
    first, naming = localizers[0], speakers(localizers)
    said = [said_by(each, judge.dataset, bench, judge.reading) for each in naming]
    probabilities = over_members(said, [each.member.weight for each in naming])
    if len(localizers) > 1 or first.judge is not None:
        return judge.one_by_one(fused(localizers, bench, judge.reading), probabilities)
    networks = first.network.to(bench.device), first.classifier.to(bench.device)
    return judge(networks, first.normal, probabilities)


def speakers(localizers: Sequence[Localizer]) -> list[Localizer]:
    """Those whose classifiers differ: of several that start from one, the first."""
    found: dict[str, Localizer] = {}
    for localizer in localizers:
        found.setdefault(localizer.start, localizer)
    return list(found.values())


def said_by(localizer: Localizer, dataset: Dataset, bench: Bench, reading: Reading) -> np.ndarray:
    """What the classifier finds probable, (N, C), by its own protocol."""
    judge = Judge(dataset, localizer.classifier_protocol, bench, reading=reading)
    return judge.said(localizer.classifier.to(bench.device), localizer.normal).probabilities


def fused(localizers: Sequence[Localizer], bench: Bench, reading: Reading) -> Looks:
    """The regressors of one entry, ready to look at images together, on the bench's device.

    All judge proposals again, or none does. Raises SpecError where their boxes are not put together.
    """
    judging = [localizer for localizer in localizers if localizer.judge is not None]
    if judging:
        return Referee([_side(each, bench, reading) for each in judging], bench)
    check_merging(localizers[0].regression, len(localizers), localizers[0].entry)
    lookers = [_looker(localizer, bench, reading) for localizer in localizers]
    windows = [looker for looker in lookers if isinstance(looker, Looker)]
    return lookers[0] if not windows else Fused(windows, localizers[0].regression)


def _looker(localizer: Localizer, bench: Bench, reading: Reading) -> Looks:
    networks = localizer.network.to(bench.device), localizer.classifier.to(bench.device)
    how = localizer.protocol, localizer.regression, localizer.size
    return looker_for(networks, localizer.normal, how, bench, reading)


def _side(localizer: Localizer, bench: Bench, reading: Reading) -> Side:
    network, regions, judge = localizer.network.to(bench.device), localizer.regression.regions, localizer.judge
    assert isinstance(network, ClassProposals)
    assert regions is not None
    assert judge is not None
    proposer = Proposer(network, localizer.normal, localizer.protocol, bench, reading)
    return Side(proposer, judge.to(bench.device), localizer.normal, regions, localizer.size, localizer.member.weight)
