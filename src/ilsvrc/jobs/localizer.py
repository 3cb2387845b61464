"""A finished localization run: its networks, and the verdict on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from torch import nn

from ilsvrc import data, models
from ilsvrc.data.decode import USUAL, Decoder, Reading
from ilsvrc.data.sample import Classes, Dataset
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.finished import check_classes, classes_of, data_of, shown_as
from ilsvrc.jobs.fused_runs import parts_of
from ilsvrc.jobs.input import Normal
from ilsvrc.jobs.judge import Judge
from ilsvrc.jobs.localize_ask import at_size
from ilsvrc.jobs.localize_judge import BoxJudge
from ilsvrc.jobs.localize_look import Fused, Looker, Looks
from ilsvrc.jobs.localize_networks import classifier, region_network, regressor
from ilsvrc.jobs.localize_propose import Proposer, looker_for
from ilsvrc.jobs.localize_regions import PROPOSER, Referee
from ilsvrc.jobs.localize_run import CLASSIFIER
from ilsvrc.jobs.machine import Bench
from ilsvrc.models.regressor import ClassProposals
from ilsvrc.scoring import Localization, Score
from ilsvrc.spec import Crops, Dense, Member, Regression, from_json
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
    judge: nn.Module | None = None


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
        judge=judge.eval() if judge is not None else None,
    )


def judge_run(
    directory: Path, path: str | None, split: Literal["train", "val", "test"], bench: Bench, reading: Reading = USUAL
) -> tuple[Score, ...]:
    """The errors of a finished localization run on a split: of the boxes, and of the labels alone.

    Raises DataError, WeightsError or SpecError when it is no finished run or the data has other classes.
    """
    localizers, run = load_localizers(directory), Run(directory)
    place = path or data_of(run)
    dataset = data.open(place, split)
    check_classes(run, len(localizers[0].classes), dataset.classes, place)
    found = judged_by(localizers, dataset, bench, reading)
    return found.localization, found.classification


def judged_by(localizers: Sequence[Localizer], dataset: Dataset, bench: Bench, reading: Reading) -> Localization:
    """The verdict on one or several regressors and the first one's classifier, which names the classes."""
    first = localizers[0]
    reading = replace(reading, decoder=first.decoder)
    judge = BoxJudge(dataset, first.protocol, first.regression, first.size, bench, reading)
    classes = Judge(dataset, first.classifier_protocol, bench, reading=reading)
    networks = first.network.to(bench.device), first.classifier.to(bench.device)
    said = classes(networks[1], first.normal).predictions.probabilities
    if len(localizers) > 1 or first.judge is not None:
        return judge.score(judge.one_by_one(fused(localizers, bench, reading), said))
    return judge.score(judge(networks, first.normal, said))


def fused(localizers: Sequence[Localizer], bench: Bench, reading: Reading) -> Looks:
    """The regressors of one entry, ready to look at images together, on the bench's device."""
    lookers = [_looker(localizer, bench, reading) for localizer in localizers]
    windows = [looker for looker in lookers if isinstance(looker, Looker)]
    if len(windows) == len(lookers):
        return Fused(windows, localizers[0].regression)
    if len(lookers) > 1:
        raise SpecError(
            f"{localizers[0].entry} has several networks, one of which proposes boxes; these are not joined"
        )
    return lookers[0]


def _looker(localizer: Localizer, bench: Bench, reading: Reading) -> Looks:
    networks = localizer.network.to(bench.device), localizer.classifier.to(bench.device)
    how, regions = (localizer.protocol, localizer.regression, localizer.size), localizer.regression.regions
    if localizer.judge is None or regions is None:
        return looker_for(networks, localizer.normal, how, bench, reading)
    assert isinstance(networks[0], ClassProposals)
    proposer = Proposer(networks[0], localizer.normal, localizer.protocol, bench, reading)
    judge = localizer.judge.to(bench.device)
    return Referee(proposer, judge, localizer.normal, regions, localizer.size, bench)
