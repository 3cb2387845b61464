"""The documentation: generated pages are fresh, links lead somewhere, commands exist, examples run."""

import doctest
import importlib.util
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
import torch
from test_cli import COMMANDS, _options
from test_layers import MAY_IMPORT, THIRD_PARTY

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WRITTEN = {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/index.md", "docs/house.md", "docs/data.md"}

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "scripts" / "generate_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _prose(path: Path) -> str:
    """A page without its code."""
    return re.sub(r"`[^`\n]*`", "", BLOCK.sub("", path.read_text(encoding="utf-8")))


def _anchors(path: Path) -> set[str]:
    """The places of a page that a link can lead to, as GitHub names them."""
    headings = re.findall(r"^#+ +(.+?) *$", BLOCK.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("name", ["cli.md", "models.md", "entries.md", "recipes.md"])
def test_a_generated_page_is_fresh(name: str):
    page = _generator().PAGES[name]()
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page, "run scripts/docs"


def test_there_is_no_generated_page_without_a_test():
    assert set(_generator().PAGES) == {"cli.md", "models.md", "entries.md", "recipes.md"}


def test_the_pages_a_reader_expects_are_there():
    assert {_named(path) for path in PAGES} >= WRITTEN


def test_the_import_table_is_the_one_that_is_enforced():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", (ROOT / "docs" / "house.md").read_text(), re.MULTILINE)
    table = {home: tuple(set(re.findall(r"`(\w+)`", cell)) for cell in cells) for home, *cells in rows}
    assert table == {home: (MAY_IMPORT[home], THIRD_PARTY[home]) for home in MAY_IMPORT}


@pytest.mark.parametrize("path", PAGES, ids=_named)
def test_links_lead_somewhere(path: Path):
    broken = []
    for link in LINK.findall(_prose(path)):
        if re.match(r"https?://|mailto:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_map_of_the_documentation_names_every_page():
    maps = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("index.md", "results.md")]
    listed = [link for page in maps for link in LINK.findall(page)]
    linked = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in listed}
    assert [_named(path) for path in (ROOT / "docs").rglob("*.md") if path.resolve() not in linked] == ["docs/index.md"]


def _shown_commands(path: Path) -> list[list[str]]:
    """The words behind ./run and ilsvrc in a page's shell examples, comments left out."""
    shown = []
    for language, code in BLOCK.findall(path.read_text(encoding="utf-8")):
        if language not in ("", "sh", "bash", "shell", "console"):
            continue
        for line in code.replace("\\\n", " ").splitlines():
            if re.match(r"(\$ )?(\./run|ilsvrc) ", line):
                shown.append(shlex.split(line.removeprefix("$ "), comments=True)[1:])
    return shown


@pytest.mark.sampled(12)
@pytest.mark.parametrize("path", [path for path in PAGES if path.name != "cli.md"], ids=_named)
def test_commands_in_examples_exist_with_their_options(path: Path):
    scripts = {"test", "check", "docs", "build", "install", "help"}
    for words in _shown_commands(path):
        if not words or words[0].startswith("-") or words[0] in scripts:
            continue
        command = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
        assert command in COMMANDS, f"there is no command {command}"
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert options <= _options(COMMANDS[command]) | {"--help"}, " ".join(words)


@pytest.mark.parametrize(
    ("words", "done"),
    [
        ("install", "scripts/install|"),
        ("test -k loop", "scripts/install|scripts/test -k loop|"),
        ("check", "scripts/install|scripts/check|"),
        ("check DIR --json", "scripts/install|.venv/bin/ilsvrc check DIR --json|"),
        ("docs", "scripts/install|scripts/docs|"),
        ("build", "scripts/install|scripts/build|"),
        ("demo --out here", "scripts/install|.venv/bin/ilsvrc demo --out here|"),
        ("--version", "scripts/install|.venv/bin/ilsvrc --version|"),
        ("help", ""),
        ("", ""),
    ],
)
def test_the_run_script_installs_and_hands_over(words: str, done: str, tmp_path: Path):
    shutil.copy(ROOT / "run", tmp_path / "run")
    for name in (
        "scripts/install",
        "scripts/test",
        "scripts/check",
        "scripts/docs",
        "scripts/build",
        ".venv/bin/ilsvrc",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f'#!/bin/sh\nset -- {name} "$@"\nprintf "%s|" "$*" >> log\n')
        (tmp_path / name).chmod(0o755)
    subprocess.run(["./run", *words.split()], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert ((tmp_path / "log").read_text() if (tmp_path / "log").exists() else "") == done


@pytest.mark.parametrize("path", [p for p in PAGES if ">>>" in p.read_text(encoding="utf-8")], ids=_named)
def test_examples_give_what_they_show(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    failures, examples = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert examples > 0
    assert failures == 0


@pytest.mark.parametrize("path", [p for p in PAGES if "```python\nfrom" in p.read_text(encoding="utf-8")], ids=_named)
def test_pieces_of_python_at_least_import_what_there_is(path: Path):
    for language, code in BLOCK.findall(path.read_text(encoding="utf-8")):
        if language == "python" and ">>>" not in code:
            imports = [line for line in code.splitlines() if re.match(r"(from|import) ", line)]
            exec("\n".join(imports), {})


def test_the_first_example_of_the_readme_runs():
    code = next(code for kind, code in BLOCK.findall((ROOT / "README.md").read_text()) if kind == "python")
    names: dict[str, object] = {}
    with torch.device("meta"):
        exec(code, names)
    assert sum(p.numel() for p in names["network"].parameters()) == 60_965_224


def test_the_readme_counts_the_networks():
    from ilsvrc.models import MODELS

    (count,) = re.findall(r"# (\d+) networks", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert int(count) == len(MODELS)


def test_nothing_of_a_machine_is_written_down():
    for path in PAGES:
        assert not re.search(r"/(home|root|work|Users)/\w", path.read_text(encoding="utf-8")), path
