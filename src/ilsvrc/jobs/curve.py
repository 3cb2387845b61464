"""A run's log as the points of its curve."""

from collections.abc import Sequence

from ilsvrc.reports.race_report import Point


def curve(epochs: Sequence[dict[str, float]]) -> tuple[Point, ...]:
    """A point per epoch of `Run.log`, in its order."""
    return tuple(
        Point(
            epoch=epoch["epoch"],
            seconds=epoch["seconds"],
            train_loss=epoch["loss"],
            val_top1_error=epoch.get("top1_error"),
            val_top5_error=epoch.get("top5_error"),
            rate=epoch["rate"],
        )
        for epoch in epochs
    )
