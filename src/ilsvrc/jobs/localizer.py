"""A finished localization run: its two networks, and the verdict on them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from torch import nn

from ilsvrc import data, models
from ilsvrc.data.decode import USUAL, Decoder, Reading
from ilsvrc.data.sample import Classes, Dataset
from ilsvrc.errors import DataError
from ilsvrc.jobs.finished import check_classes, classes_of, data_of, shown_as
from ilsvrc.jobs.input import Normal
from ilsvrc.jobs.judge import Judge
from ilsvrc.jobs.localize_judge import BoxJudge
from ilsvrc.jobs.localize_run import CLASSIFIER, at_size, classifier, regressor
from ilsvrc.jobs.machine import Bench
from ilsvrc.scoring import Localization, Score
from ilsvrc.spec import Crops, Dense, Member, Regression, from_json
from ilsvrc.train import checkpoint
from ilsvrc.train.recipe import protocol_at_size
from ilsvrc.train.run import Run


@dataclass(frozen=True, eq=False)
class Localizer:
    """A box regressor and the classifier whose classes it boxes; both take what `normal` makes of pixels."""

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


def load_localizer(directory: Path) -> Localizer:
    """What the localization run in `directory` left. Raises DataError or WeightsError when it is none, or not done."""
    run = Run(directory)
    asked = run.spec()["asked"]
    try:
        member: Member = from_json(asked["member"])
        regression: Regression = from_json(asked["boxes"])
        first: Member = from_json(asked["classifier"])
        protocol, its = (from_json(asked[name]) for name in ("protocol", "classifier_protocol"))
        count = int(asked["classes"])
        networks = regressor(member, regression, count), classifier(first, count)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{directory / 'spec.json'} is no localization that can be understood: {error}") from error
    for file, network in zip((run.weights, directory / CLASSIFIER), networks, strict=True):
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
    )


def judge_run(
    directory: Path, path: str | None, split: Literal["train", "val", "test"], bench: Bench, reading: Reading = USUAL
) -> tuple[Score, ...]:
    """The errors of a finished localization run on a split: of the boxes, and of the labels alone.

    Raises DataError, WeightsError or SpecError when it is no finished run or the data has other classes.
    """
    localizer = load_localizer(directory)
    place = path or data_of(localizer.run)
    dataset = data.open(place, split)
    check_classes(localizer.run, len(localizer.classes), dataset.classes, place)
    found = judged_by(localizer, dataset, bench, reading)
    return found.localization, found.classification


def judged_by(localizer: Localizer, dataset: Dataset, bench: Bench, reading: Reading) -> Localization:
    """The verdict on a localizer and its classifier."""
    reading = replace(reading, decoder=localizer.decoder)
    judge = BoxJudge(dataset, localizer.protocol, localizer.regression, localizer.size, bench, reading)
    classes = Judge(dataset, localizer.classifier_protocol, bench, reading=reading)
    networks = localizer.network.to(bench.device), localizer.classifier.to(bench.device)
    said = classes(networks[1], localizer.normal)
    return judge.score(judge(networks, localizer.normal, said.predictions.probabilities))
