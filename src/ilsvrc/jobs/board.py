"""TensorBoard's event files beside a run's log, where the extra `tb` is installed.

The log is the record and TensorBoard a view of it: on a restart its files are written anew from the log, so that no
epoch stands in them twice, whatever was killed when.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCALARS = {  # of a line of the log: what TensorBoard calls it
    "loss": "loss/train",
    "top1_error": "error/top-1",
    "top5_error": "error/top-5",
    "rate": "rate",
    "images_per_second": "speed/images per second",
}


class Board:
    """Scalars of a run by epoch, in `directory`. Does nothing where TensorBoard is not installed."""

    def __init__(self, directory: Path, epochs: Sequence[dict[str, float]] = ()) -> None:
        self._writer = _writer(directory)
        for epoch in epochs:
            self.add(epoch)

    def add(self, epoch: dict[str, float]) -> None:
        """One line of the log."""
        if self._writer is None:
            return
        for name, shown in SCALARS.items():
            if name in epoch:
                self._writer.add_scalar(shown, epoch[name], int(epoch["epoch"]))
        self._writer.flush()

    def close(self) -> None:
        """No more will come."""
        if self._writer is not None:
            self._writer.close()


def _writer(directory: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # the extra is not installed
        return None
    shutil.rmtree(directory, ignore_errors=True)
    return SummaryWriter(str(directory))
