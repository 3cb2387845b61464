"""The command line: every option is a visible decision, and asking for help costs nothing."""

import re
import subprocess
import sys

import pytest
from cyclopts import App

from ilsvrc.cli import app, run

# Groups, in panels of their own.
MACHINE = {"--device", "--precision", "--compile", "--accumulate", "--loaders", "--processes", "--parallel"}
IMAGES = {"--reference-decode", "--bad-images", "--statistics"}
NETWORK = {"--model", "--data", "--device"}
OPTIONS: dict[str, set[str]] = {
    "demo": {"--out", "--seed", "--tasks"},
    "race": {
        *{
            "--data",
            "--out",
            "--task",
            "--models",
            "--entries",
            "--full",
            "--epochs",
            "--image-size",
            "--width",
            "--seed",
        },
        *{"--device", "--precision", "--loaders", "--reference-decode", "--bad-images"},
    },
    "mini": {"DIRECTORY", "--train", "--val", "--test", "--seed", "--detection", "--no-detection"},
    "index": {"ARCHIVE", "--json"},
    "check": {"DATA", "--json", "--fix-list", "--workers"},
    "statistics": {"DATA", "--out", "--split", "--size", "--images", "--json", "--workers"},
    "pack": {"DATA", "OUT", "--splits", "--short-side", "--max-side", "--quality", "--raw", "--leave-out", "--workers"},
    "models": {"NAME", "--json"},
    "list": {"--all", "--json"},
    "show": {"ENTRY", "--json", "--svg"},
    "train": {
        *{"NAME", "--data", "--recipe", "--epochs", "--width", "--image-size", "--seed", "--out", "--resume"},
        *{"--start", "--batch", *MACHINE, *IMAGES},
    },
    "convert": {"SOURCE", "--model", "--out"},
    "weights": {"FILE", "--data", "--json"},
    "export": {"FILE", "--to", "--out", "--model", "--data"},
    "predict": {
        *{"IMAGES", "--weights", "--model", "--data", "--top", "--batch", "--device", "--engine"},
        *{"--within", "--measure", "--calibration", "--json", "--csv"},
    },
    "evaluate": {
        *{"RUN", "--data", "--split", "--protocol", "--model", "--save", "--half", "--device", "--engine", "--within"},
        *{"--reference-decode", "--bad-images", "--json"},
    },
    "ensemble": {"MEMBERS", "--weights", "--out", "--meta", "--device", "--json"},
    "localize": {"IMAGES", "--run", "--out", "--top", "--device", "--precision", "--json"},
    "report": {"RUNS", "--out"},
    "claims": {"--json"},
    "claim": {"NAME", "--data", "--seeds", "--epochs", "--images", "--device", "--out", "--json"},
    "detect": {"IMAGES", "--run", "--out", "--least", "--proposals", "--device", "--json"},
    "proposals": {"DATA", "--splits", "--entry", "--recipe", "--workers"},
    "score classification": {
        *{"PREDICTIONS", "--truth", "--meta", "--kit", "--top"},
        *{"--as-the-kit", "--strict", "--json", "--html"},
    },
    "score localization": {
        *{"PREDICTIONS", "--truth", "--meta", "--boxes", "--exclude", "--kit", "--top"},
        *{"--as-the-kit", "--strict", "--json", "--html"},
    },
    "score detection": {
        *{"PREDICTIONS", "--truth", "--images", "--meta", "--exclude", "--kit"},
        *{"--as-the-kit", "--strict", "--json", "--html"},
    },
    "draw deconvnet": {"RUN", "--layer", "--map", "--image", "--out", *NETWORK},
    "draw top9": {"RUN", "--layer", "--map", "--split", "--out", *NETWORK},
    "draw evolution": {"RUNS", "--layer", "--map", "--split", "--out", *NETWORK},
    "draw filters": {"RUN", "--out", *NETWORK},
    "draw occlusion": {"RUN", "--layer", "--image", "--label", "--square", "--step", "--out", *NETWORK},
    "draw cam": {"RUN", "--image", "--label", "--gradient", "--layer", "--out", *NETWORK},
    "draw correspondence": {"RUN", "--layer", "--parts", "--label", "--images", "--out", *NETWORK},
    "draw architecture": {"NAME", "--out", "--width", "--image-size"},
    "bench boxes": {"--rounds", "--json"},
    "bench scoring": {"--lines", "--repeat"},
    "bench data": {"--images", "--rounds", "--json"},
    "bench predict": {"NETWORKS", "--batch", "--rounds", "--images", "--weights", "--json"},
    "bench protocols": {"--only", "--images", "--count", "--rounds", "--json"},
    "bench curves": {"--data", "--out", "--models", "--steps", "--seed"},
    "bench train": {"--models", "--device", "--batch", "--rounds", "--data", "--json"},
    "score convert": {"SOURCE", "TARGET", "--from", "--to", "--task", "--meta", "--to-meta", "--split"},
}


def _commands(parent: App, words: tuple[str, ...] = ()) -> dict[str, App]:
    found: dict[str, App] = {}
    for word in parent:
        if word.startswith("-"):
            continue
        child = parent[word]
        inner = _commands(child, (*words, word))
        found |= inner or {" ".join((*words, word)): child}
    return found


COMMANDS = _commands(app)


def _options(command: App) -> set[str]:
    """The names of a command's options as they are documented; a positional one in capitals."""
    names: set[str] = set()
    for argument in command.assemble_argument_collection():
        kind = argument.field_info.kind
        if kind is kind.POSITIONAL_ONLY or kind is kind.POSITIONAL_OR_KEYWORD:
            names.add(argument.names[0].removeprefix("--").upper())
        else:
            names |= set(argument.names) - {"*"}  # '*': a group of options, whose members follow by themselves
    return names


def test_the_commands_are_these_and_no_others():
    assert set(COMMANDS) == set(OPTIONS)


@pytest.mark.parametrize("command", OPTIONS)
def test_the_options_are_these_and_no_others(command: str):
    assert _options(COMMANDS[command]) == OPTIONS[command]


@pytest.mark.parametrize("command", OPTIONS)
def test_a_command_has_at_most_fifteen_options_beside_those_in_groups(command: str):
    assert len(OPTIONS[command] - MACHINE - IMAGES) <= 15
    assert sum(name.startswith("--") for name in OPTIONS[command]) <= 20  # what has no name is no option


@pytest.mark.parametrize("command", OPTIONS)
def test_every_option_says_what_it_is_in_the_help(command: str, capsys: pytest.CaptureFixture[str]):
    assert run([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in OPTIONS[command])
    members = [a for a in COMMANDS[command].assemble_argument_collection() if a.names != ("*",)]
    lines = [line for line in COMMANDS[command].generate_docs().splitlines() if line.startswith("* `")]
    assert len(lines) == len(members)
    assert [line for line in lines if not re.match(r"\* `[^`]+`: \w", line)] == []


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]):
    import ilsvrc

    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == ilsvrc.__version__


@pytest.mark.sampled(2)
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["race", "--help"], ["score", "detection", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]):
    heavy = ("torch", "numpy", "scipy", "sklearn", "PIL", "safetensors", "simplejpeg")
    program = (
        "import sys\nfrom ilsvrc.cli import run\n"
        f"code = run({words!r})\n"
        f"print('heavy:', *[name for name in {heavy!r} if name in sys.modules])\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].strip() == "heavy:"


@pytest.mark.sampled(2)
@pytest.mark.parametrize("words", [["list"], ["show", "msra-2015-cls"], ["list", "--json"]])
def test_entries_are_listed_without_torch(words: list[str]):
    program = f"import sys\nfrom ilsvrc.cli import run\ncode = run({words!r})\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "msra-2015-cls" in done.stdout


def test_python_m_ilsvrc_is_the_same_program():
    done = subprocess.run([sys.executable, "-m", "ilsvrc", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
