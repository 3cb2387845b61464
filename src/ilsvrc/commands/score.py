"""`ilsvrc score`: submissions of the three tasks, scored as the official kits score them.

Nothing heavy is imported before a command runs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from ilsvrc.jobs.score import Rules, Verdict

app = App(name="score", help="Score a submission as the official development kits score it.")

Form = Literal["kit", "kit-from-0", "sorted", "sorted-from-1", "kaggle"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Reading:
    """How strictly the submission is read."""

    as_the_kit: Annotated[bool, Parameter(negative="")] = False
    "Take whatever the kit's own reader takes, nonsense included."
    strict: Annotated[bool, Parameter(negative="")] = False
    "Refuse inverted boxes too."

    def rules(self, kit: Literal[2010, 2012, 2014], top: int = 5) -> "Rules":
        """The rules to score by. Raises SpecError when both options are given."""
        from ilsvrc.errors import SpecError
        from ilsvrc.jobs.score import Rules

        if self.as_the_kit and self.strict:
            raise SpecError("--as-the-kit takes everything and --strict refuses more than usual; choose one of them")
        return Rules(kit=kit, top=top, manner="kit" if self.as_the_kit else "strict" if self.strict else "usual")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Output:
    """Where the verdict goes."""

    json: Annotated[bool, Parameter(negative="")] = False
    "Print one JSON object, for machines."
    html: Path | None = None
    "Write the verdict and its breakdown as a page."


@app.command
def classification(
    predictions: Path,
    *,
    truth: Path,
    meta: Path | None = None,
    kit: Literal[2010, 2012, 2014] = 2012,
    top: int = 5,
    reading: Reading = Reading(),
    output: Output = Output(),
) -> None:
    """Score a classification submission: the share of images whose label is not among the first guesses.

    Parameters
    ----------
    predictions
        Text with a line per image, ILSVRC ids, best first (kit 2014: groups of id xmin ymin xmax ymax); or Kaggle's
        CSV. Gzipped files are read as they are.
    truth
        The kit's ground truth, a line of ILSVRC ids per image; or Kaggle's solution CSV.
    meta
        The kit's meta.mat. Checks the ids, names the classes, and with kit 2010 adds the hierarchical cost.
    kit
        Whose rules: 2010 (and 2011), 2012, or 2014 (2013 to 2017).
    top
        How many guesses count.
    """
    from ilsvrc.jobs.score import score_classification

    _show(score_classification(predictions, truth, meta, reading.rules(kit, top)), output)


@app.command
def localization(
    predictions: Path,
    *,
    truth: Path,
    meta: Path,
    boxes: Path | None = None,
    exclude: Path | None = None,
    kit: Literal[2012, 2014] = 2014,
    top: int = 5,
    reading: Reading = Reading(),
    output: Output = Output(),
) -> None:
    """Score a localization submission: the right label, and a box that half-overlaps an object, in one guess.

    Parameters
    ----------
    predictions
        Text with a line per image of groups id xmin ymin xmax ymax, best first; or Kaggle's CSV.
    truth
        The kit's ground truth, a line of ILSVRC ids per image; or Kaggle's solution CSV.
    meta
        The kit's meta.mat.
    boxes
        The true boxes: a folder or tar of XML files, or Kaggle's solution CSV (left out when that is the truth).
    exclude
        The kit's list of images left out of the localization error (kit 2014).
    kit
        Whose rules: 2012, or 2014 (2013 to 2017).
    top
        How many guesses count.
    """
    from ilsvrc.jobs.score import score_localization

    verdict = score_localization(predictions, truth, boxes or truth, meta, exclude, reading.rules(kit, top))
    _show(verdict, output)


@app.command
def detection(
    predictions: Path,
    *,
    truth: Path,
    images: Path,
    meta: Path,
    exclude: Path | None = None,
    kit: Literal[2014] = 2014,
    reading: Reading = Reading(),
    output: Output = Output(),
) -> None:
    """Score a detection submission: average precision of each class, and their mean.

    Parameters
    ----------
    predictions
        Text with a line per box: image id confidence xmin ymin xmax ymax.
    truth
        The true boxes: a folder or tar of XML files.
    images
        The kit's list of images: lines of a name and the index by which predictions call it.
    meta
        The kit's meta_det.mat.
    exclude
        The kit's list of (image, class) pairs left out.
    kit
        Whose rules: 2014 (2014 to 2017).
    """
    from ilsvrc.jobs.score import score_detection

    verdict = score_detection(predictions, truth, images, meta, exclude, reading.rules(kit))
    _show(verdict, output)


@app.command
def convert(
    source: Path,
    target: Path,
    *,
    from_: Annotated[Form, Parameter(name="--from")],
    to: Form,
    task: Literal["classification", "localization", "detection"] = "localization",
    meta: Path,
    to_meta: Path | None = None,
    split: Literal["val", "test"] = "test",
) -> None:
    """Write a submission in another form, or with another numbering of the classes.

    kit: the kit's text with ILSVRC ids, from 1. kit-from-0: the same ids less 1. sorted: the kit's text with positions
    by sorted WordNet id, from 0, as frameworks number. sorted-from-1: the same plus 1. kaggle: Kaggle's CSV.

    Parameters
    ----------
    source
        The submission. Gzipped files are read as they are.
    target
        The file to write; gzipped where its name ends in .gz.
    from_
        The form of the source.
    to
        The form of the target.
    task
        What the submission is for.
    meta
        The table of the classes: a kit's meta.mat, or Kaggle's LOC_synset_mapping.txt where no kit's ids are wanted.
    to_meta
        The table of the target, where it is another kit's.
    split
        What Kaggle's rows are called: ILSVRC2012_val_... or ILSVRC2012_test_...
    """
    from ilsvrc.jobs.score_convert import convert as convert_file
    from ilsvrc.jobs.score_convert import side

    rows = convert_file(source, target, task, side(from_, meta), side(to, to_meta or meta), split)
    print(f"{target}: {rows:,} rows")


def _show(verdict: "Verdict", output: Output) -> None:
    """Write the page where one is wanted, and print: one object, or tables. No breakdown is counted for neither."""
    import json

    title = f"{verdict.task.capitalize()}, kit of {verdict.kit}"
    breakdown = verdict.breakdown() if output.html or not output.json else None
    if output.html and breakdown:
        from ilsvrc.reports.score_page import ScorePage, write_score_page

        write_score_page(ScorePage(title, verdict.predictions, verdict.scores, verdict.remarks, breakdown), output.html)
    if output.json or not breakdown:
        print(json.dumps(verdict.as_json()))
    else:
        from ilsvrc.reports.score_terminal import print_scores

        print_scores(title, verdict.scores, verdict.remarks, breakdown)
