"""Who does what in the tasks of boxes: a line per task, for a race, for a training and for a judgement.

A task is three functions with these shapes; nothing else of the project knows which tasks there are.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ilsvrc.data.decode import Reading
from ilsvrc.jobs import detect_race, detect_train, detector, localize_race, localize_train, localizer
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.reports.progress import Watch
from ilsvrc.reports.task_result import TaskResult
from ilsvrc.scoring import Score
from ilsvrc.spec import Split, Task

if TYPE_CHECKING:
    from ilsvrc.jobs.train_one import Order

# Race the task's entries on the data set at a path; runs end in a folder's runs/. Done ones are only read.
RACE: dict[Task, Callable[[str, Path, Wishes, Bench, Watch], TaskResult]] = {
    "localization": localize_race.race_task,
    "detection": detect_race.race_task,
}
# Train the entry that an order names on the data set at a path, into a directory; what came out, in a line.
TRAIN: dict[Task, Callable[["Order", str, Path, Bench, Watch], str]] = {
    "localization": localize_train.train_entry,
    "detection": detect_train.train_entry,
}
# Judge a finished run on a split of the data set at a path (None: the one it was trained on), and write what it finds
# as a submission where a file is named; no score where nothing is known of the split.
JUDGE: dict[Task, Callable[[Path, str | None, Split, Bench, Reading, Path | None], tuple[Score, ...]]] = {
    "localization": localizer.judge_run,
    "detection": detector.judge_run,
}
