"""scripts/run --jitter: another order for each seed, the same order for the same seed."""

import shlex

import pytest

from quire import boot, run_script


def turns(smp: int, *options: object) -> str:
    done = boot("turns", options=["--smp", smp, *options])
    assert done.status == 0, done.err
    text = done.out.strip()
    assert sorted(text) == sorted("abc" * 1000)
    return text


@pytest.mark.parametrize("smp", [1, 2])
def test_orders(smp: int) -> None:
    orders = {seed: turns(smp, "--jitter", seed) for seed in (1, 2, 3)}
    assert len(set(orders.values())) == 3
    assert turns(smp, "--jitter", 2) == orders[2]
    assert turns(smp, "--icount") not in orders.values()


def test_a_failure_says_how_to_repeat_it() -> None:
    done = boot("turns", "too many words", options=["--jitter", 77])
    assert done.status == 1
    line = next(line for line in done.err.splitlines() if "seed 77" in line)
    words = shlex.split(line.partition("scripts/run ")[2])
    again = run_script(*words)
    assert (again.status, again.out) == (1, done.out)
    assert line in again.err


@pytest.mark.parametrize("seed", ["-1", "x", "4294967296"])
def test_bad_seed(seed: str) -> None:
    assert run_script("--jitter", seed, "--", "/bin/true").status == 2
