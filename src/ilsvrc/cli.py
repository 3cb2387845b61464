"""The command line: parse, call one job, print; no logic.

Each command imports its job when it is called, so that --help answers without torch.
Exit codes: 0 done, 1 an IlsvrcError in one sentence, 2 wrong usage, 130 and 143 stopped by Ctrl-C and SIGTERM.
"""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from ilsvrc import __version__
from ilsvrc.commands import (
    bench,
    boxes,
    challenge,
    claims,
    data,
    detection,
    draw,
    networks,
    score,
    training,
    weights,
)
from ilsvrc.errors import IlsvrcError
from ilsvrc.jobs.interrupt import Stopped

app = App(
    name="ilsvrc",
    help="The ImageNet challenge (ILSVRC, 2010-2017) as software: its winners, its data, its scoring.",
    version=__version__,
    version_flags=["--version"],
)
for part in (challenge, data, networks, training, boxes, detection, weights, claims):
    for command in part.COMMANDS:
        app.command(command)
app.command(score.app)
app.command(draw.app)
app.command(bench.app)


def main(words: Sequence[str] | None = None) -> None:
    """Run the command of these words (of the process, by default) and exit."""
    sys.exit(run(words))


def run(words: Sequence[str] | None = None) -> int:
    """The exit code of the command of these words; what went wrong is printed, without traceback."""
    try:
        code = app(words, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return 2
    except IlsvrcError as error:
        return _failed(str(error), 1)
    except Stopped as stopped:
        return _failed(str(stopped), 128 + stopped.number)
    except KeyboardInterrupt:
        return _failed("stopped; what was saved is intact, and the same command goes on from there", 130)
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not try to flush it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _failed(f"{where}{error.strerror or error}; check the path, its permissions and the room on the disk", 1)
    except MemoryError:
        return _failed("out of memory; use smaller images, a smaller width or --loaders 1", 1)
    except RuntimeError as error:
        # PyTorch's way to say that memory ran out, on a GPU and on a CPU; any other is our fault.
        if "out of memory" not in str(error) and "can't allocate memory" not in str(error):
            raise
        return _failed("out of memory; use smaller images or a smaller width, or close other programs", 1)
    return code if type(code) is int else 0  # a command that judges gives its own: check


def _failed(sentence: str, code: int) -> int:
    from rich.console import Console

    console = Console(stderr=True)
    prefix = "[bold red]error:[/] " if code == 1 else ""
    console.print(prefix, end="")
    console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    return code
