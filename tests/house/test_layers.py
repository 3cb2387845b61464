"""The import law, read from the source: imports point down, by this table.

Imports inside functions and under TYPE_CHECKING count like any other: the law is about who knows whom.
"""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "src" / "ilsvrc"
SOURCES = sorted(ROOT.rglob("*.py"))

# package -> packages of this project it may import, besides itself. The root, __init__.py, is called "ilsvrc".
BELOW_JOBS = {
    "data",
    "entries",
    "errors",
    "ilsvrc",
    "models",
    "predict",
    "reports",
    "scoring",
    "spec",
    "tasks",
    "train",
    "transforms",
    "viz",
    "weights",
}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "spec": set(),
    "models": set(),
    "scoring": {"errors"},
    "data": {"errors"},
    "entries": {"spec"},
    "transforms": {"errors", "spec"},
    "train": {"errors", "spec"},
    "predict": {"errors", "spec", "transforms"},
    "weights": {"errors", "models"},
    "tasks": {"errors", "spec", "models", "predict", "scoring"},
    "reports": {"errors", "spec", "entries", "scoring", "ilsvrc"},
    "viz": {"errors", "models", "reports"},
    "claims": {"entries", "models", "spec", "train"},
    "shallow": {"entries", "errors"},
    "jobs": BELOW_JOBS | {"claims", "shallow"},
    "bench": BELOW_JOBS | {"claims", "jobs", "shallow"},
    "commands": {"errors", "spec", "entries", "jobs", "reports", "bench"},
    "cli": {"errors", "spec", "entries", "jobs", "commands", "ilsvrc"},
    "__main__": {"cli"},
    "ilsvrc": {"entries", "spec"},
}

# package -> what it may import from outside the standard library.
THIRD_PARTY: dict[str, set[str]] = {
    "errors": set(),
    "spec": set(),
    "entries": set(),
    "ilsvrc": set(),
    "__main__": set(),
    "models": {"torch"},
    "scoring": {"numpy"},
    "data": {"numpy", "PIL", "simplejpeg", "scipy"},
    "transforms": {"numpy", "torch", "PIL"},
    "train": {"torch", "safetensors"},
    "predict": {"numpy", "torch"},
    "weights": {"numpy", "torch", "safetensors"},
    "tasks": {"numpy", "torch"},
    "reports": {"numpy", "rich"},
    "viz": {"numpy", "torch", "PIL"},
    "claims": {"torch"},
    "shallow": {"numpy", "PIL", "skimage", "sklearn"},
    "jobs": {"numpy", "torch", "PIL"},
    "bench": {"numpy", "scipy", "torch", "PIL", "pycocotools"},
    "commands": {"cyclopts", "rich"},
    "cli": {"cyclopts", "rich"},
}

# One file may have more than its package.
ONE_FILE = {
    "data/mini_pictures.py": {"sklearn"},
    "data/parquet.py": {"pyarrow"},
    "data/remote.py": {"aiohttp", "fsspec"},
    "jobs/before_train.py": {"joblib"},
    "jobs/onnx_graph.py": {"onnx", "onnxruntime", "onnxscript"},
    "jobs/pack.py": {"simplejpeg"},
    "predict/vino.py": {"openvino", "nncf"},
    "tasks/selective.py": {"cv2"},
}
# And one package less, in all files but these.
ONLY_IN = {
    ("train", "safetensors"): {"train/checkpoint.py"},
    ("data", "simplejpeg"): {"data/decode.py"},
    ("jobs", "PIL"): {"jobs/draw_boxes.py", "jobs/pictures.py", "jobs/pack.py"},
    ("viz", "PIL"): {"viz/picture.py"},
}
# Peers of the benchmarks: not dependencies, so imported where they are measured and nowhere else.
GUARDED = {"pycocotools"}


def _place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _home(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0].removesuffix(".py")
    return "ilsvrc" if first == "__init__" else first


def _imported(tree: ast.AST) -> set[str]:
    """Full names of the modules imported anywhere below; `from a import b` gives 'a.b', which may be a module too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports say the whole name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _names(path: Path) -> set[str]:
    """Full names of the modules that a file imports."""
    return _imported(_parse(path))


def _own(names: set[str]) -> set[str]:
    """Packages of this project among them; the version and the module itself are the root's."""
    parts = {name.split(".")[1] if "." in name else "ilsvrc" for name in names if _top(name) == "ilsvrc"}
    return {part if (ROOT / part).is_dir() or (ROOT / f"{part}.py").exists() else "ilsvrc" for part in parts}


def _foreign(names: set[str]) -> set[str]:
    tops = {_top(name) for name in names}
    return {top for top in tops if top != "ilsvrc" and top not in sys.stdlib_module_names}


def _top(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=_place)
def test_imports_point_down(path: Path):
    home = _home(path)
    assert home in MAY_IMPORT, f"{home}/ has no line in the import table yet"
    assert _own(_names(path)) - {home} <= MAY_IMPORT[home]
    assert _foreign(_names(path)) <= THIRD_PARTY[home] | ONE_FILE.get(_place(path), set())


def test_the_table_has_no_circle():
    assert set(MAY_IMPORT) == set(THIRD_PARTY)
    left = dict(MAY_IMPORT)
    while left:
        leaves = {home for home, allowed in left.items() if not allowed & set(left)}
        assert leaves, f"these packages may import one another in a circle: {sorted(left)}"
        left = {home: allowed for home, allowed in left.items() if home not in leaves}


def test_no_family_of_networks_imports_another():
    for path in (ROOT / "models").glob("*.py"):
        if path.stem not in ("__init__", "anatomy", "cards", "cards_library", "cards_members"):
            assert _own(_names(path)) == set(), f"{path.name} could not be mailed to a student"


@pytest.mark.parametrize(("home", "module"), ONLY_IN, ids=str)
def test_a_file_format_has_one_home(home: str, module: str):
    users = {_place(path) for path in SOURCES if _home(path) == home and module in _foreign(_names(path))}
    assert users <= ONLY_IN[home, module]


@pytest.mark.slow
def test_peers_are_imported_only_inside_the_function_that_measures_them():
    for path in SOURCES:
        at_import = [node for node in _parse(path).body if not isinstance(node, ast.FunctionDef)]
        assert not GUARDED & {name for node in at_import for name in _foreign(_imported(node))}, path


def test_a_command_imports_its_job_when_it_is_called():
    # jobs.interrupt is the standard library alone: the command line must know what Stopped means.
    light = ("ilsvrc.__version__", "ilsvrc.commands.", "ilsvrc.errors.", "ilsvrc.spec.", "ilsvrc.jobs.interrupt.")
    for path in [ROOT / "cli.py", *(ROOT / "commands").glob("*.py")]:
        at_import = [node for node in _parse(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
        own = {name for node in at_import for name in _imported(node) if _top(name) == "ilsvrc"}
        assert {name for name in own if not name.startswith(light)} == set(), path


def test_the_law_sees_imports_wherever_they_stand():
    tree = ast.parse(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from ilsvrc.jobs.score import Rules\n"
        "def f():\n    import torch.nn\n    from ilsvrc import models, __version__\n"
    )
    assert _own(_imported(tree)) == {"jobs", "models", "ilsvrc"}
    assert _foreign(_imported(tree)) == {"torch"}
