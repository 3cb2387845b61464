"""The shell examples of the documentation: every one is understood, and the short ones are run as a reader would."""

from pathlib import Path

import pytest
from test_docs import PAGES, ROOT, _named, _shown_commands

from ilsvrc.cli import app, run
from ilsvrc.jobs.mini import mini

SCRIPTS = {"test", "check", "docs", "build", "install", "help"}  # of ./run
# Run to their end, in the order of the page, beside a mini set called DIR and pictures in photos/.
RUN = ("README.md", "docs/papers/resnet.md")
LONG = {
    "claim",
    "demo",
    "race",
    "export",
    "score",
    "mini",
}  # slow and tested elsewhere, or about files of the reader's own
SHORT = ("--width", "0.1", "--epochs", "1", "--image-size", "64", "--batch", "10")


def _words(path: Path) -> list[list[str]]:
    """The commands of a page, up to where the shell takes over."""
    found = []
    for words in _shown_commands(path):
        stop = next((place for place, word in enumerate(words) if word in {">", "|", "&&", "&"}), len(words))
        if words and words[0] not in SCRIPTS:
            found.append(words[:stop])
    return found


@pytest.mark.sampled(12)
@pytest.mark.parametrize("path", [page for page in PAGES if page.name != "cli.md"], ids=_named)
def test_every_example_is_understood(path: Path):
    for words in _words(path):
        app.parse_args(words, exit_on_error=False, print_error=False)


def _shortened(words: list[str]) -> list[str]:
    """A training of an example as one of seconds: the same words, with another length and size."""
    if words[0] != "train":
        return words
    kept, given = list(words), dict(zip(SHORT[::2], SHORT[1::2], strict=True))
    for name in given:
        if name in kept:
            del kept[kept.index(name) : kept.index(name) + 2]
    return [*kept, *SHORT]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what the examples speak of."""
    directory = tmp_path_factory.mktemp("examples")
    mini(directory / "DIR", 40, 20, 20, seed=0, detection=False)
    photos = directory / "photos"
    photos.mkdir()
    for image in sorted((directory / "DIR").rglob("*val*.JPEG"))[:3]:
        (photos / image.name).write_bytes(image.read_bytes())
    return directory


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_the_examples_of_a_page_run_one_after_the_other(
    name: str, world: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(world)
    for words in _words(ROOT / name):
        if words[0] not in LONG and words != ["models"]:
            assert run(_shortened(words)) == 0, f"{' '.join(words)}: {capfd.readouterr().err[-500:]}"
