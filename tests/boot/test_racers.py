"""The populate contract with real threads and processes: they fault while the pager of another sleeps."""

import pytest

from quire import boot

CASES = [
    # The second call installs while the first sleeps, and the first looks again (P21).
    pytest.param("same", ["page 3: 8, page 3: 8", "calls 2"], id="P21-same-page"),
    pytest.param("neighbours", ["page 3: 4, page 6: 7", "calls 2"], id="P21-neighbours"),
    # The fault starts over: in anonymous memory, or with what is resident by now.
    pytest.param("unmap", ["page 3: 104", "calls 1"], id="P12-unmapped"),
    pytest.param("protect", ["page 3: 4", "calls 1"], id="P12-protected"),
    pytest.param("fork", ["child 9, page 5: 77", "page 3: 4", "calls 2"], id="P12-forked"),
    pytest.param("ever", ["20 rounds"], id="P19-unmapped-and-mapped-for-ever"),
]


@pytest.mark.parametrize("device", ["testdev", "testraw"])
@pytest.mark.parametrize("case,expected", CASES)
def test_racers(device: str, case: str, expected: list[str]) -> None:
    result = boot("racers", f"/dev/{device}", case, options=["--append", "testdev"], timeout=60)
    assert (result.status, result.lines()) == (0, expected), result


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_a_process_ends_while_its_map_is_faulted_on(cpus: int) -> None:
    result = boot("leavers", "/dev/testdev", options=["--append", "testdev loglevel=3", "--smp", cpus],
                  timeout=300)
    assert result.lines() == ["exit_group: 7", "execve: 7", "a bad access: -11", "kill: -9",
                              "threads exit: 7", "killed by the parent: -9"], result
