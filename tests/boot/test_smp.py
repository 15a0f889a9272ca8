"""Many processors: they start whatever the loader, are given work, and keep to what they are told."""

import pytest

from quire import Result, boot, run_script

COUNTS = [1, 2, 4, 8, 16]
WORK = "for i in 1 2 3 4 5 6; do (seq 1 300 | wc -l) & done; wait; "


def smp(cpus: int, script: str, *options: object) -> Result:
    return boot("/bin/busybox", "sh", "-c", script, options=["--smp", cpus, *options])


@pytest.mark.parametrize("cpus", COUNTS)
def test_all_start_and_work(cpus: int) -> None:
    result = smp(cpus, WORK + "nproc; grep -c ^processor /proc/cpuinfo; grep -c ^cpu[0-9] /proc/stat")
    assert result.status == 0
    assert result.lines() == ["300"] * 6 + [str(cpus)] * 3


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_all_start_by_grub(firmware: str) -> None:
    assert smp(4, "nproc", "--firmware", firmware).out == "4\n"


def test_work_is_shared() -> None:
    """With two busy processes neither processor is idle: both have been kicked and have run."""
    result = smp(2, WORK + "grep RES: /proc/interrupts; cat /proc/stat")
    kicks = [int(n) for line in result.lines() if "RES:" in line for n in line.split()[1:3]]
    assert len(kicks) == 2 and all(kicks), result


def test_affinity() -> None:
    """A process that is bound to one processor sees that one alone."""
    result = smp(2, "taskset 2 nproc; taskset 1 nproc; taskset -p $$; taskset 4 true 2>&1")
    assert result.lines()[:2] == ["1", "1"]
    assert result.lines()[2].endswith("mask: 3") and "Invalid argument" in result.lines()[3]


def test_fewer_than_there_are() -> None:
    assert smp(4, "nproc", "--append", "maxcpus=2").out == "2\n"


@pytest.mark.parametrize("value", ["0", "17", "x", ""])
def test_a_bad_number_is_one_line(value: str) -> None:
    result = smp(2, "nproc", "--append", f"maxcpus={value} loglevel=4")
    assert "2" in result.lines()
    assert f"maxcpus={value}: not a number from 1 to 16" in result.out + result.err


def test_more_than_can_be_used() -> None:
    result = smp(20, "nproc", "--append", "loglevel=4")
    assert "16" in result.lines()
    assert "of 20 CPUs only 16 are used" in result.out + result.err


@pytest.mark.parametrize("value,status", [("0", 2), ("-1", 2), ("x", 2), ("300", 126)])
def test_bad_counts_are_refused(value: str, status: int) -> None:
    result = run_script("--smp", value, "--", "/bin/true")
    assert result.status == status and len(result.err.splitlines()) == 1, result


def test_the_same_every_time_by_instructions() -> None:
    """Under --icount the processors take turns, always alike."""
    first, second = (smp(4, WORK + "cat /proc/uptime", "--icount") for _ in range(2))
    assert first.out == second.out
