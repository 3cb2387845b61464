"""What a race leaves of its data and of each network that ran, as the report wants it."""

import torch

from ilsvrc import models
from ilsvrc.entries.titles import TITLES
from ilsvrc.jobs.curve import curve
from ilsvrc.jobs.draw_architecture import svg_of
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.training import Training
from ilsvrc.models import anatomy
from ilsvrc.reports.race_report import Contender, Data
from ilsvrc.spec import Entry
from ilsvrc.train.run import Run

PRECISIONS = {"bf16": "bfloat16", "fp32": "float32", "fp16": "float16", "tf32": "TensorFloat-32"}


def race_data(splits: Splits) -> Data:
    """What a race was run on."""
    return Data(
        name=splits.train.name,
        classes=len(splits.train.classes),
        train_images=len(splits.train),
        val_images=len(splits.val),
        fingerprint=splits.fingerprint,
        description=splits.train.description,
        credits=splits.train.credits,
    )


def contender(entry: Entry, training: Training, run: Run, classes: int) -> Contender:
    """The network of a training that is done, as what it was trained for: an entry's network."""
    member, card = training.member, models.CARDS[training.member.model]
    scores = run.read_scores() or {}
    top1, top5 = (score["value"] for score in scores["scores"])
    with torch.device("meta"):
        own = models.build(member.model, classes, training.size, member.width)
        paper = models.build(member.model)
    return Contender(
        name=member.model,
        title=TITLES[member.model],
        year=entry.year,
        team=entry.team,
        top1_error=top1,
        top5_error=top5,
        parameters=anatomy.parameters(own),
        macs=anatomy.macs(anatomy.layer_table(own, training.size)),
        layers=anatomy.depth(paper, card.image_size),
        seconds=scores["seconds"],
        epochs=training.epochs,
        full_epochs=entry.members[0].recipe.epochs,
        image_size=training.size,
        paper_image_size=card.image_size,
        width=member.width,
        precision=PRECISIONS[run.spec()["asked"]["precision"]],
        images_per_second=scores["images_per_second"],
        paper_parameters=card.parameters,
        paper_macs=anatomy.macs(anatomy.layer_table(paper, card.image_size)),
        paper=card.paper,
        curve=curve(run.log()),
        new=entry.new,
        differences=(*card.differences, *member.recipe.gaps),
        published=entry.reported,
        drawing=svg_of(member.model, classes, member.width, training.size),
        miniature=member.width != 1 or training.size != card.image_size,
    )
