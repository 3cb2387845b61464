"""An invented race for the tests of the reports: no number in it was measured, none is a network's real result."""

import io
import math
import random
from dataclasses import replace

from PIL import Image

from ilsvrc.reports.race_report import Answer, Contender, Data, Guess, Machine, Picture, Point, Race
from ilsvrc.spec import Reported

# name, title, year, team, invented top-5 and top-1 error, parameters, multiply-adds, layers, seconds, published
NETWORKS = (
    ("alexnet", "AlexNet", 2012, "SuperVision", 0.4125, 0.7850, 1_234_567, 12_345_678, 8, 41.0, 18.2),
    ("zfnet", "ZFNet", 2013, "Clarifai", 0.3675, 0.7425, 1_345_678, 13_456_789, 8, 58.5, 16.5),
    ("googlenet", "GoogLeNet", 2014, "GoogLeNet", 0.1875, 0.5525, 456_789, 45_678_901, 22, 74.2, 7.89),
    ("vgg16", "VGG-16", 2014, "VGG", 0.4575, 0.8100, 2_345_678, 98_765_432, 16, 96.7, 7.5),
    ("resnet50", "ResNet-50", 2015, "MSRA", 0.1550, 0.4825, 1_456_789, 54_321_098, 50, 71.9, 5.25),
    (
        "resnext50_32x4d",
        "ResNeXt-50 (32x4d)",
        2016,
        "UCSD and FAIR",
        0.1725,
        0.5025,
        1_567_890,
        56_789_012,
        50,
        88.3,
        5.9,
    ),
    ("se_resnet50", "SE-ResNet-50", 2017, "WMW", 0.1325, 0.4475, 1_678_901, 54_987_654, 50, 83.6, 6.62),
)
WORDS = tuple(f"{kind} {digit}" for digit in range(10) for kind in ("flat", "textured"))


def synthetic_race(count: int = 7, pictures: int = 12) -> Race:
    """A race of that many networks, the seven above and invented ones behind, with that many pictures."""
    contenders = tuple(_contender(i) for i in range(count))
    rng = random.Random(2012)
    return Race(
        title="ILSVRC re-run: an invented example",
        data=Data(
            name="mini",
            classes=20,
            train_images=1200,
            val_images=400,
            fingerprint="sha256:0123456789abcdef",
            description="Handwritten digits, flat or textured, pasted over crops of two photos.",
            credits=("Digits: scikit-learn.", "Photos: scikit-learn."),
        ),
        contenders=contenders,
        machine=Machine(
            cpu="Example CPU 3000",
            cores=2,
            memory_gib=4.0,
            device="cpu",
            system="Linux 6.1, x86_64",
            python="3.11.7",
            torch="2.13.0",
            ilsvrc="0.1.0",
            commit="00632d8c0ffee",
        ),
        command="./run demo --seed 17",
        started="2026-03-14T10:12:00+00:00",
        seconds=552.0,
        protocol="one centre crop of 56 pixels",
        seed=17,
        pictures=tuple(_picture(i, contenders, rng) for i in range(pictures)),
    )


def _contender(index: int) -> Contender:
    name, title, year, team, top5, top1, parameters, macs, layers, seconds, published = NETWORKS[index % len(NETWORKS)]
    if index >= len(NETWORKS):
        name, title = f"{name}_{index}", f"{title} again {index}"
        top5, top1, seconds = top5 + 0.005 * index, top1 + 0.003 * index, seconds + index
    curve = tuple(_point(epoch, top5, top1, seconds, index) for epoch in range(1, 25))
    return Contender(
        name=name,
        title=title,
        year=year,
        team=team,
        paper="Author et al. 2015",
        top1_error=top1,
        top5_error=top5,
        parameters=parameters + index,
        macs=macs + index,
        layers=layers,
        seconds=seconds,
        epochs=24,
        full_epochs=90,
        image_size=56,
        paper_image_size=224,
        width=0.25,
        precision="bfloat16",
        images_per_second=24 * 1200 / seconds,
        paper_parameters=60_965_224,
        paper_macs=723_000_000,
        curve=curve,
        new="Something that no network before it had, said in one sentence.",
        differences=("Trained on other images.", "The rate falls along half a cosine, not in steps."),
        published=(
            Reported(metric="top-5 error", percent=published, split="val", source="table 2"),
            Reported(metric="top-1 error", percent=2 * published, split="val", source="table 2"),
        ),
        miniature=True,
    )


def _point(epoch: int, top5: float, top1: float, seconds: float, index: int) -> Point:
    left = math.exp(-epoch / (4 + index % 3)) + 0.01 * math.sin(3 * epoch + index)
    return Point(
        epoch=float(epoch),
        seconds=seconds * epoch / 24,
        train_loss=0.4 + top5 + 2.6 * left,
        val_top1_error=min(1.0, top1 + (0.95 - top1) * left),
        val_top5_error=min(1.0, top5 + (0.75 - top5) * left),
        rate=0.05 * (1 - epoch / 24),
    )


def _picture(index: int, contenders: tuple[Contender, ...], rng: random.Random) -> Picture:
    label = rng.randrange(len(WORDS))
    hard = rng.choice((0.0, 0.4, 1.0))
    answers = []
    for contender in contenders:
        labels = rng.sample(range(len(WORDS)), 5)
        if rng.random() > hard * 2 * (contender.top1_error or 0.5):
            labels = [label, *(other for other in labels if other != label)][:5]
        sure = rng.uniform(0.25, 0.95)
        shares = [sure * (1 - sure) ** place for place in range(5)]
        guesses = (Guess(label=i, word=WORDS[i], probability=p) for i, p in zip(labels, shares, strict=True))
        answers.append(Answer(contender=contender.name, guesses=tuple(guesses)))
    return Picture(
        name=f"mini_val_{index + 1:08d}", jpeg=jpeg(rng), label=label, truth=WORDS[label], answers=tuple(answers)
    )


def jpeg(rng: random.Random) -> bytes:
    """A small picture of two flat colours."""
    image = Image.new("RGB", (48, 48), tuple(rng.randrange(256) for _ in range(3)))
    image.paste(tuple(rng.randrange(256) for _ in range(3)), (12, 12, 36, 36))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return file.getvalue()


def bare_race() -> Race:
    """A race of which as little is known as the data model allows."""
    contender = Contender(name="unknown", title="Unknown", year=2012, team="", top1_error=None, top5_error=None)
    machine = replace(synthetic_race(1, 0).machine, commit=None)
    race = synthetic_race(1, 0)
    return replace(race, contenders=(contender,), machine=machine, command="", started="yesterday")
