"""`ilsvrc bench`: timed claims, each measured side by side in one run."""

from cyclopts import App

from ilsvrc.commands.options import Positive

app = App(name="bench", help="Measure what the documentation claims about time and memory, on this machine.")


@app.command
def scoring(*, lines: Positive = 5_000_000, repeat: Positive = 5) -> None:
    """Time the scorer, reading included, and its matching beside pycocotools where that is installed.

    Parameters
    ----------
    lines
        Lines of the large detection submission.
    repeat
        Runs of each; the median is printed.
    """
    from ilsvrc.bench.scoring import main

    main(lines, repeat)
