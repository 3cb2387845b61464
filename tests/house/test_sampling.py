"""What a quick run leaves out: of a test marked as sampled some cases are slow, and they are these."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TESTS = """
import pytest


@pytest.mark.sampled
@pytest.mark.parametrize("case", range(10))
def test_four_of_ten(case):
    pass


@pytest.mark.sampled(1)
@pytest.mark.parametrize("case", range(3))
def test_the_first_of_three(case):
    pass


@pytest.mark.sampled(9)
@pytest.mark.parametrize("case", range(2))
def test_all_of_two(case):
    pass
"""


def test_a_quick_run_has_a_few_cases_spread_evenly_and_the_whole_one_all(tmp_path: Path):
    (tmp_path / "conftest.py").write_text((REPOSITORY / "tests" / "conftest.py").read_text(encoding="utf-8"))
    (tmp_path / "test_cases.py").write_text(TESTS)
    words = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-c", str(REPOSITORY / "pyproject.toml")]

    def collected(*more: str) -> list[str]:
        done = subprocess.run([*words, str(tmp_path), *more], capture_output=True, text=True, timeout=60, cwd=tmp_path)
        return [line.rpartition("::")[2] for line in done.stdout.splitlines() if "::" in line]

    assert collected("-m", "not slow") == [
        *(f"test_four_of_ten[{case}]" for case in (0, 3, 6, 9)),
        "test_the_first_of_three[0]",
        *(f"test_all_of_two[{case}]" for case in (0, 1)),
    ]
    assert len(collected()) == 15
