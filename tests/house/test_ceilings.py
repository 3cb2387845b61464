"""The ceilings: what no longer fits on a page is split."""

import ast
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "src" / "ilsvrc"
SOURCES = sorted(PACKAGE.rglob("*.py"))
ALL = sorted(path for folder in ("src", "tests", "scripts") for path in (REPOSITORY / folder).rglob("*.py"))

FILE, MODEL_FILE, FUNCTION, NESTING, ARGUMENTS, OPTIONS = 400, 300, 60, 3, 7, 15

Function = ast.FunctionDef | ast.AsyncFunctionDef
# What a reader must keep in mind: a choice, a repetition, a way out. `with` opens something and decides nothing.
DEEPER = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.Match)


@cache
def _functions(path: Path) -> list[Function]:
    """Every function of a file, inner ones too; they stand in statements, so no expression is looked into."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    found = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function):
            found.append(node)
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            below = getattr(node, part, ())
            waiting.extend(below if isinstance(below, list) else ())  # a lambda's body is an expression
    return found


def _over(paths: Iterable[Path], measure: Callable[[Function], int], most: int) -> dict[str, int]:
    """Place and measure of every function that measures more than `most`."""
    return {
        f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name}": found
        for path in paths
        for node in _functions(path)
        if (found := measure(node)) > most
    }


def _lines(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def _arguments(function: Function) -> int:
    """How many a caller may pass; self and cls are not passed."""
    given = function.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names = [name for name in names if name not in ("self", "cls")]
    return len(names) + (given.vararg is not None) + (given.kwarg is not None)


def _depth(node: ast.AST) -> int:
    """Statements inside statements below this one; elif is no deeper than its if, and an inner function is its own."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef | ast.Lambda):
            continue
        chained = isinstance(node, ast.If) and isinstance(child, ast.If) and [child] == node.orelse
        deepest = max(deepest, _depth(child) + (isinstance(child, DEEPER) and not chained))
    return deepest


def test_a_file_has_at_most_400_lines_and_a_network_300():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ALL}
    most = {path: MODEL_FILE if path.is_relative_to(PACKAGE / "models") else FILE for path in ALL}
    assert {str(path): lines[path] for path in ALL if lines[path] > most[path]} == {}


def test_a_function_has_at_most_60_lines():
    assert _over(ALL, _lines, FUNCTION) == {}


def test_statements_nest_at_most_three_deep():
    assert _over(SOURCES, _depth, NESTING) == {}


def test_a_function_takes_at_most_seven_arguments_and_a_command_fifteen_options():
    commands = [path for path in SOURCES if path.is_relative_to(PACKAGE / "commands")]
    assert _over(set(SOURCES) - set(commands), _arguments, ARGUMENTS) == {}
    assert _over(commands, _arguments, OPTIONS) == {}


def test_the_measures_count_as_a_reader_does():
    source = """
def f(self, a, /, b, *, c, **more):
    for x in a:
        if x:
            pass
        elif b:
            with c:
                try:
                    pass
                finally:
                    pass
        else:
            def inner():
                while True:
                    if a:
                        pass
    return [y for y in a if y]
"""
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert (_arguments(function), _depth(function), _lines(function)) == (4, 3, 16)


def test_there_is_something_to_measure():
    assert len(SOURCES) > 50
    assert Path(__file__) in ALL
