"""What a person sees while a job runs: bars on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn


class Stage:
    """One part of a job: some steps, and a few words about how it goes."""

    def __init__(self, bars: Progress | None, task: TaskID | None) -> None:
        self._bars, self._task = bars, task

    def at(self, done: float, note: str = "") -> None:
        """Show that `done` steps are done."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=done, note=note)


class Watch:
    """Shows the stages of a job and prints its lines. quiet: nothing at all."""

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self.console = console or Console(stderr=True)
        self.quiet = quiet
        self._bars: Progress | None = None

    @contextmanager
    def stage(self, title: str, steps: float) -> Iterator[Stage]:
        """A bar of that many steps, gone when the block is left."""
        bars = self._bars
        task = None if bars is None else bars.add_task(title, total=max(steps, 1e-9), note="")
        try:
            yield Stage(bars, task)
        finally:
            if bars is not None and task is not None:
                bars.remove_task(task)

    @contextmanager
    def live(self) -> Iterator["Watch"]:
        """Bars are drawn while the block runs, when there is a terminal to draw on."""
        if self.quiet or not self.console.is_terminal or self._bars is not None:
            yield self
            return
        columns = (
            TextColumn("{task.description}", style="bold"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[note]}", style="dim"),
        )
        with Progress(*columns, console=self.console, transient=True, refresh_per_second=5) as bars:
            self._bars = bars
            try:
                yield self
            finally:
                self._bars = None

    def say(self, line: str) -> None:
        """One line that stays."""
        if not self.quiet:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)
