"""With --icount a tick is an instruction: two runs count the same, and within the bounds."""

import pytest

from quire import Result, boot

OPTIONS = ["--icount", "--mem", "256M"]


@pytest.fixture(scope="module")
def ticks() -> Result:
    return boot("ticks", options=OPTIONS)


def test_two_runs_count_the_same(ticks: Result) -> None:
    assert ticks.status == 0
    assert boot("ticks", options=OPTIONS).out == ticks.out


@pytest.mark.parametrize("what,bound", [("boot", 20_000_000), ("call", 150), ("fault", 1500)])
def test_instructions(ticks: Result, what: str, bound: int) -> None:
    print(ticks.out)
    assert ticks.values()[what] <= bound
