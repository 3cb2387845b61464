"""What a person sees while a job runs."""

import io

from rich.console import Console

from ilsvrc.reports.progress import Watch


def screen(terminal: bool) -> tuple[Console, io.StringIO]:
    buffer = io.StringIO()
    return Console(file=buffer, force_terminal=terminal, width=100, color_system=None), buffer


def work(watch: Watch) -> None:
    with watch.live(), watch.stage("training", 4) as stage:
        for done in range(1, 5):
            stage.at(done, f"loss {1 / done:.2f}")
        watch.say("epoch 1 of 1  loss 0.25")


def test_where_there_is_no_terminal_only_the_lines_are_printed():
    console, buffer = screen(terminal=False)
    work(Watch(console))
    assert buffer.getvalue() == "epoch 1 of 1  loss 0.25\n"


def test_on_a_terminal_a_bar_says_what_is_done_and_how_it_goes():
    console, buffer = screen(terminal=True)
    work(Watch(console))
    assert all(word in buffer.getvalue() for word in ("training", "%", "epoch 1 of 1"))


def test_quiet_is_quiet():
    console, buffer = screen(terminal=True)
    work(Watch(console, quiet=True))
    assert buffer.getvalue() == ""


def test_lines_are_printed_as_they_are_however_long():
    console, buffer = screen(terminal=False)
    line = "[red]" + "x" * 300 + " /a/[b]/c"
    Watch(console).say(line)
    assert buffer.getvalue() == line + "\n"


def test_jobs_may_call_jobs_that_show_their_own_stages():
    console, buffer = screen(terminal=True)
    watch = Watch(console)
    with watch.live(), watch.stage("race", 1.0) as whole:
        work(watch)
        whole.at(0.5, "about 3 min left")
        watch.say("still here")
    assert "still here" in buffer.getvalue()


def test_bars_are_gone_when_a_job_fails():
    console, _ = screen(terminal=True)
    watch = Watch(console)
    for _ in range(2):
        try:
            with watch.live(), watch.stage("race", 0):
                raise ValueError
        except ValueError:
            pass
    work(watch)
