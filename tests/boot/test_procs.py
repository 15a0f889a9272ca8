"""Processes and threads: what programs see of fork, exec, wait and kill is what they see on Linux."""

import pytest

from quire import Result, boot, on_host

QUIET = ["--append", "loglevel=3"]
SLAB_SIZES = 8  # kmalloc's
CASES = "memory locked ends wait family descriptors fpu exec vfork clone many".split()


@pytest.fixture(scope="module")
def forks() -> Result:
    return boot("forks", *CASES, options=QUIET)


@pytest.mark.parametrize("case", CASES)
def test_the_same_as_on_the_host(case: str, forks: Result) -> None:
    def part(text: str) -> str:
        return text.partition(f"--- {case}\n")[2].partition("\n---")[0].strip()

    here = part(on_host("forks", *CASES).out)
    assert here and part(forks.out) == here
    assert not [line for line in here.splitlines() if ", not " in line]
    assert forks.status == 0, forks


@pytest.mark.parametrize("mem", ["32M", "64M"])
def test_a_fork_bomb_is_told_no(mem: str) -> None:
    """No panic, no hang: EAGAIN or ENOMEM, and all is well once the processes are gone."""
    result = boot("bomb", options=[*QUIET, "--mem", mem], timeout=300)
    expected = [f"round {i}: many forks, 0 other errors, 0 wrong ends" for i in range(2)]
    assert result.lines()[:3] == [*expected, "status 5"], result
    assert result.status == 0


def test_threads_are_the_same_as_on_the_host() -> None:
    here, there = on_host("threads"), boot("threads", options=QUIET)
    assert there.out == here.out and there.status == here.status == 0, there
    assert not [line for line in here.lines() if not line.endswith(": ok")]


def test_counts_are_back_after_hundreds_of_processes_and_threads() -> None:
    gauges = ("pages_wired pages_active pages_inactive pages_busied objects map_entries "
              "pv_entries pt_pages vnodes files threads procs kmalloc_bytes").split()
    result = boot("forkcost", "stats", options=QUIET)
    assert result.status == 0 and "done" in result.lines(), result
    changed = {line.split()[1]: (int(line.split()[2].rstrip(",")), int(line.split()[-1]))
               for line in result.lines() if line.startswith("before")}
    assert not [name for name in changed if name in gauges], result
    for name in ("pages_free", "kmalloc_pages"):  # a slab that is empty may be kept
        before, after = changed.get(name, (0, 0))
        assert abs(after - before) <= SLAB_SIZES, result


@pytest.fixture(scope="module")
def cost() -> Result:
    return boot("forkcost", options=["--icount"])


@pytest.mark.parametrize("what,bound", [("cow fault", 2200), ("fork+exit+wait", 60_000),
                                        ("fork+exec+exit+wait", 150_000)])
def test_instructions(what: str, bound: int, cost: Result) -> None:
    print(cost.out)
    assert cost.values()[what] <= bound


def test_a_kill_ends_every_kind_of_sleep() -> None:
    """Nothing is lost by it (the program says so)."""
    here, there = on_host("kills"), boot("kills", options=QUIET)
    assert there.lines() == here.lines() and there.status == 0, there
    assert len(here.lines()) > 50 and {line.rpartition(": ")[2] for line in here.lines()} == {"9"}


def test_a_signal_to_a_group_reaches_who_is_being_forked() -> None:
    result = boot("kills", "flood", options=QUIET)
    assert result.status == 0 and set(result.lines()) == {"left of the flood: 0"}, result
