"""Where a submission goes wrong, as tables and curves: for the terminal and for the page alike."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ilsvrc.reports.formats import DASH, percent, whole
from ilsvrc.scoring.breakdown import (
    ClassErrors,
    class_errors,
    confusions,
    errors_by_guesses,
    localization_class_errors,
)
from ilsvrc.scoring.detection import TRUE, ClassVerdict, Detection
from ilsvrc.scoring.detection_breakdown import CAUSES, false_detections, scores_by_size
from ilsvrc.scoring.localization import Localization, Objects
from ilsvrc.scoring.submission import Detections

Name = Callable[[int], str]  # from ILSVRC id to what people read
PAIRS = 50  # confused pairs in the whole table


@dataclass(frozen=True)
class Table:
    """Rows of text for people. The first column names the row, the others are numbers unless `words` says more."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    shown: int = 10  # rows in the terminal; the page has all
    words: int = 1  # leading columns of text


@dataclass(frozen=True)
class Curve:
    """Precision over recall of one class, thinned for drawing."""

    name: str
    ap: float
    points: tuple[tuple[float, float], ...]  # recall, precision


@dataclass(frozen=True)
class Bars:
    """Shares to be drawn: a name, the share in [0, 1], how many that is."""

    title: str
    caption: str
    rows: tuple[tuple[str, float, int], ...]


@dataclass(frozen=True)
class Breakdown:
    """Everything there is to show of one submission beside its scores."""

    tables: tuple[Table, ...]
    bars: tuple[Bars, ...] = ()
    curves: tuple[Curve, ...] = ()  # by falling average precision


def classification(labels: np.ndarray, truth: np.ndarray, name: Name, top: int) -> Breakdown:
    """Errors by number of guesses and by class, and the pairs of classes confused most.

    labels: (N, G) ILSVRC ids, best first; truth: (N, M), 0 for none.
    """
    errors = class_errors(labels, truth, top)
    rows = tuple((name(e.label), whole(e.images), whole(e.wrong_label), percent(e.error)) for e in errors)
    by_class = Table(f"Classes by top-{top} error", ("class", "images", "wrong", "error"), rows)
    table, bars = _by_guesses(labels, truth, top)
    return Breakdown((table, by_class, _pairs(labels, truth, name)), (bars,))


def _by_guesses(labels: np.ndarray, truth: np.ndarray, top: int) -> tuple[Table, Bars]:
    errors = errors_by_guesses(labels, truth, top)
    wanted = int((truth != 0).sum())
    title = "Error of labels by number of guesses"
    shares = tuple((f"{k} guess{'es' * (k > 1)}", error, round(error * wanted)) for k, error in enumerate(errors, 1))
    rows = tuple((guesses, whole(count), percent(error, 2)) for guesses, error, count in shares)
    caption = f"Of {whole(wanted)} labels; no image is excluded from this error."
    return Table(title, ("", "wrong", "error"), rows), Bars(title, caption, shares)


def _pairs(labels: np.ndarray, truth: np.ndarray, name: Name) -> Table:
    pairs = confusions(labels, truth)
    wrong = sum(pair.images for pair in pairs)
    rows = tuple((name(pair.truth), name(pair.guess), whole(pair.images)) for pair in pairs[:PAIRS])
    note = f"{whole(wrong)} first guesses are wrong, in {whole(len(pairs))} pairs of classes"
    return Table("Classes confused most", ("true", "guessed first", "images"), rows, note, words=2)


def localization(found: Localization, labels: np.ndarray, truth: np.ndarray, name: Name, top: int) -> Breakdown:
    """How many errors are of the label and how many of the box; errors by class; pairs of classes confused most.

    labels: (N, G) ILSVRC ids, best first; truth: (N, M), 0 for none.
    """
    scored = int((~found.excluded).sum())
    label, box = int(found.wrong_label.sum()), int(found.wrong_box.sum())
    causes = (("right", scored - label - box), ("wrong label", label), ("right label, wrong box", box))
    shares = tuple((cause, images / max(scored, 1), images) for cause, images in causes)
    why = Table(
        "What becomes of the images",
        ("", "images", "share"),
        tuple((cause, whole(images), percent(share, 2)) for cause, share, images in shares),
        f"{whole(int(found.excluded.sum()))} excluded images are left out; the error of labels alone counts them",
    )
    rows = tuple(_class_row(one, name) for one in localization_class_errors(found, truth))
    by_class = Table("Classes by localization error", ("class", "images", "wrong label", "wrong box", "error"), rows)
    table, bars = _by_guesses(labels, truth, top)
    what = Bars(why.title, f"Of {whole(scored)} images, excluded ones left out.", shares)
    return Breakdown((why, table, by_class, _pairs(labels, truth, name)), (what, bars))


def _class_row(one: ClassErrors, name: Name) -> tuple[str, ...]:
    return name(one.label), whole(one.images), whole(one.wrong_label), whole(one.wrong_box), percent(one.error)


def detection(found: Detection, detections: Detections, objects: Objects, indices: np.ndarray, name: Name) -> Breakdown:
    """Average precision by class and by size of objects, what false detections show, and the curves."""
    causes = false_detections(found, detections, objects, indices)
    every = np.sum([one.counts for one in causes], axis=0).tolist()
    surest = np.sum([one.surest for one in causes], axis=0).tolist()
    false = tuple(
        (cause, whole(n), percent(n / max(sum(every), 1)), whole(m), percent(m / max(sum(surest), 1)))
        for cause, n, m in zip(CAUSES, every, surest, strict=True)
    )
    sizes = tuple(
        (one.size, whole(one.objects), percent(one.found / max(one.objects, 1)), percent(one.mean_ap), str(one.classes))
        for one in scores_by_size(found, detections, objects)
    )
    tables = (
        Table(
            "Average precision by size of objects",
            ("size", "objects", "found", "mean AP", "classes"),
            sizes,
            "small is under 32 x 32 pixels, large from 96 x 96 on; the mean is over the classes with such an object",
        ),
        Table(
            "What false detections show",
            ("", "all", "share", "surest", "share"),
            false,
            "the surest are the first of each class, as many as it has objects",
        ),
        Table("Classes by average precision", ("class", "objects", "detections", "found", "AP"), _classes(found, name)),
    )
    shares = tuple((cause, n / max(sum(surest), 1), n) for cause, n in zip(CAUSES, surest, strict=True))
    curves = sorted((_curve(one, name) for one in found.classes if one.objects), key=lambda curve: -curve.ap)
    caption = f"Of {whole(sum(surest))} false detections, the surest of each class, as many as it has objects."
    return Breakdown(tables, (Bars("What false detections show", caption, shares),), tuple(curves))


def _classes(found: Detection, name: Name) -> tuple[tuple[str, ...], ...]:
    """Worst first; classes whose AP is not a number last."""
    order = sorted(zip(found.ap.tolist(), found.classes, strict=True), key=lambda one: (math.isnan(one[0]), one[0]))
    return tuple(
        (
            name(one.label),
            whole(one.objects),
            whole(len(one.order)),
            whole(int((one.outcome == TRUE).sum())),
            DASH if math.isnan(ap) else percent(ap),
        )
        for ap, one in order
    )


def _curve(one: ClassVerdict, name: Name) -> Curve:
    recall, precision = one.recall, np.nan_to_num(one.precision, nan=1.0)
    return Curve(name(one.label), one.average_precision, _thinned(recall, precision))


def _thinned(recall: np.ndarray, precision: np.ndarray, most: int = 60) -> tuple[tuple[float, float], ...]:
    """At most about `most` points, evenly along the detections, the first and the last among them."""
    if not len(recall):
        return ()
    places = np.unique(np.linspace(0, len(recall) - 1, min(most, len(recall))).round().astype(int)).tolist()
    return tuple((round(float(recall[i]), 4), round(float(precision[i]), 4)) for i in places)
