"""The scorer as a library: light to import, nothing but numpy below it."""

import inspect
import subprocess
import sys
import time

import ilsvrc.scoring


def imported(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_scoring_needs_neither_torch_nor_scipy():
    assert not imported("import ilsvrc.scoring") & {"torch", "scipy", "PIL", "rich", "cyclopts"}


def test_the_command_needs_no_numpy_before_it_runs():
    assert not imported("import ilsvrc.commands.score") & {"torch", "scipy", "numpy"}


def test_scoring_is_imported_in_under_three_tenths_of_a_second():
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import ilsvrc.scoring"], check=True)
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import numpy"], check=True)
    numpy_alone = time.perf_counter() - start
    # On a busy machine the interpreter and numpy alone may take longer; ours may add a fifth of a second at most.
    assert min(times) < max(0.3, numpy_alone + 0.2)


def test_every_public_function_and_class_explains_itself():
    for name in ilsvrc.scoring.__all__:
        one = getattr(ilsvrc.scoring, name)
        if inspect.isfunction(one) or inspect.isclass(one):
            assert len(one.__doc__) > 20, name
