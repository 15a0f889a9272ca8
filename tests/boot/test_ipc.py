"""Pipes, sockets, epoll and what else processes talk through: seen from a program as on Linux."""

import pytest

from quire import Result, boot, on_host

QUIET = ["--append", "loglevel=3"]
CASES = {
    "ipc": "pipes capacity broken many fifos polls selects eventfds epolls splices vectors sharing "
           "signals descriptors".split(),
    "sockets": "create stream shutdowns names connections datagrams options rights "
               "several".split(),
}


@pytest.fixture(scope="module")
def runs() -> dict[str, tuple[Result, Result]]:
    return {name: (on_host(name, *cases), boot(name, *cases, options=QUIET))
            for name, cases in CASES.items()}


@pytest.mark.parametrize("name,case", [(name, case) for name in CASES for case in CASES[name]])
def test_the_same_as_on_the_host(name: str, case: str, runs: dict) -> None:
    def part(text: str) -> str:
        return text.partition(f"--- {case}\n")[2].partition("\n---")[0].strip()

    here, there = runs[name]
    assert part(here.out) and part(there.out) == part(here.out)
    assert there.status == here.status == 0


def test_sockets_and_pipes_that_nobody_can_reach_are_collected() -> None:
    result = boot("sockets", "leaks", options=QUIET)
    assert result.lines() == ["--- leaks", "on their way: 0, pipes' pages: 0, messages: 0"], result


def test_programs_give_back_what_they_took() -> None:
    result = boot("ipclimits", "leaks", options=QUIET)
    assert result.lines() == ["done"], result


def test_arguments_that_mean_nothing_do_no_harm() -> None:
    result = boot("ipcfuzz", options=QUIET)
    assert result.lines() == ["done"] and result.status == 0, result


@pytest.mark.parametrize("mem", ["64M", "256M"])
def test_pipes_and_sockets_that_nobody_reads_leave_memory(mem: str) -> None:
    result = boot("ipclimits", "hoard", options=[*QUIET, "--mem", mem])
    assert result.lines()[-1] == "the shell still answers", result
    assert result.status == 0


def test_a_large_table_of_descriptors_and_a_large_epoll_cost_no_square() -> None:
    values = boot("ipclimits", "scale", options=["--icount", *QUIET]).values()
    for what in ("dup", "close", "epoll_add", "epoll_wait"):
        assert values[what + "_2n"] < 2.4 * values[what + "_n"], values


@pytest.mark.parametrize("what,bound", [("pipe write+read", 1600), ("pipe ping-pong", 5000),
                                        ("socket ping-pong", 7000), ("poll", 1700),
                                        ("epoll_wait", 1200)])
def test_instructions(what: str, bound: int, cost: Result) -> None:
    print(cost.out)
    assert cost.values()[what] <= bound


@pytest.fixture(scope="module")
def cost() -> Result:
    return boot("ipclimits", "cost", options=["--icount"])
