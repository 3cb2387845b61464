"""The names others build on, frozen: adding one is a visible decision, removing one breaks somebody."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import ilsvrc

ROOT = Path(__file__).resolve().parents[2] / "src" / "ilsvrc"
SOURCES = sorted(ROOT.rglob("*.py"))

PUBLIC: dict[str, set[str]] = {
    "ilsvrc": {"ENTRIES", "Entry", "Predictor", "__version__"},
    "ilsvrc.claims": {"CLAIMS", "Claim"},
    "ilsvrc.data": {"Split", "credits", "description", "fingerprint", "name", "open"},
    "ilsvrc.models": {"CARDS", "MODELS", "build", "paper_size"},
    "ilsvrc.weights": {"Weights", "caffe", "load", "read_record", "save"},
    "ilsvrc.scoring": {
        *{"ClassVerdict", "Detection", "Detections", "Guesses", "Localization", "NUMBERINGS", "Numbering", "Objects"},
        *{"Score", "Solution", "average_precision", "clsloc_flat_error", "cost_matrix", "detect", "flat_error"},
        *{"hierarchical_cost", "localization_errors", "overlap", "read_detections", "read_guesses"},
        *{"read_kaggle_submission", "read_mapping", "read_solution", "renumber", "write_detections"},
        *{"write_guesses", "write_kaggle_submission", "write_mapping", "write_solution"},
    },
}

# Words the field says otherwise, or that say nothing: box, label, classes, error, images, and no tunnels of arguments.
NEVER = {
    *{"acc", "bbox", "bboxes", "cfg", "config", "err", "idx", "img", "imgs", "kwargs", "nc"},
    *{"num_classes", "pred", "preds", "rect", "resize_size"},
}

ERRORS = {
    "IlsvrcError": "Exception",
    "DataError": "IlsvrcError",
    "BadImage": "DataError",
    "SubmissionError": "IlsvrcError",
    "WeightsError": "IlsvrcError",
    "SpecError": "IlsvrcError",
    "Diverged": "IlsvrcError",
}


def _place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("module", PUBLIC)
def test_a_library_s_public_names_are_these_and_no_others(module: str):
    assert set(importlib.import_module(module).__all__) == PUBLIC[module]


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_exists_and_says_what_it_is(module: str):
    found = importlib.import_module(module)
    for name in PUBLIC[module]:
        value = getattr(found, name)
        if inspect.isfunction(value) or inspect.isclass(value):
            assert inspect.getdoc(value), f"{module}.{name} has no docstring"


def test_every_package_with_a_list_of_names_is_in_the_table():
    lists = {path for path in ROOT.rglob("__init__.py") if "__all__" in path.read_text(encoding="utf-8")}
    assert {".".join(["ilsvrc", *path.relative_to(ROOT).parts[:-1]]) for path in lists} == set(PUBLIC)


_NOTHING = ast.dump(ast.parse("...").body[0])  # the body of a Protocol's member


def _undocumented(body: list[ast.stmt], inside: str = "") -> list[str]:
    found = []
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        outline = isinstance(node, ast.FunctionDef) and [ast.dump(part) for part in node.body] == [_NOTHING]
        if not ast.get_docstring(node) and not outline:
            found.append(f"{inside}{node.name}")
        if isinstance(node, ast.ClassDef):
            found += _undocumented(node.body, f"{node.name}.")
    return found


def test_modules_and_public_functions_say_what_they_are():
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert [_place(path) for path, tree in trees.items() if not ast.get_docstring(tree)] == []
    assert {_place(path): bare for path, tree in trees.items() if (bare := _undocumented(tree.body))} == {}


def _words(tree: ast.AST) -> set[str]:
    """Names of arguments and fields, and the parts of names of functions and classes."""
    words: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            words.add(node.arg)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            words.add(node.target.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            words |= set(node.name.lower().split("_"))
    return words


def test_arguments_fields_and_functions_use_the_words_of_the_field():
    spoken = {_place(path): _words(ast.parse(path.read_text(encoding="utf-8"))) & NEVER for path in SOURCES}
    assert {place: words for place, words in spoken.items() if words} == {}


def test_there_are_no_rooms_for_leftovers():
    rooms = {part.removesuffix(".py") for path in SOURCES for part in path.relative_to(ROOT).parts}
    assert rooms & {"utils", "util", "core", "base", "common", "engine", "registry", "helpers", "misc"} == set()


def test_the_tree_of_errors_is_the_one_drawn_at_its_top():
    from ilsvrc import errors

    found = {name: kind.__mro__[1].__name__ for name, kind in vars(errors).items() if inspect.isclass(kind)}
    assert found == ERRORS
    assert all(name in (errors.__doc__ or "") for name in ERRORS)


def test_importing_the_package_brings_in_the_standard_library_alone():
    program = (
        "import sys\nbefore = set(sys.modules)\nimport ilsvrc\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(new - set(sys.stdlib_module_names) - {'ilsvrc'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_the_five_imports_of_the_docstring_work():
    lines = [line.strip() for line in (ilsvrc.__doc__ or "").splitlines() if line.strip().startswith("from ")]
    assert len(lines) == 5
    for line in lines:
        exec(line, {})
