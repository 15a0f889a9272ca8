"""The short form of `make stress`: memory used at random by threads on many CPUs, each byte known."""

import pytest

from quire import Result, boot, on_host

DEVICE, SCREEN = "/dev/testdev", "/dev/fb0"


def stress(seed: int, seconds: int, *options: object) -> Result:
    return boot("stress", str(seed), str(seconds), "3", "2", DEVICE, SCREEN, timeout=300,
                options=[*options, "--append", "testdev loglevel=4"])


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_stress(cpus: int) -> None:
    result = stress(cpus, 2, "--smp", cpus)
    assert result.status == 0 and result.lines()[-1] == "ok", result


def test_a_seed_is_the_same_each_time() -> None:
    runs = [stress(7, 0, "--icount") for _ in range(2)]
    assert runs[0].lines()[-1] == "ok" and runs[0] == runs[1], runs


def test_on_linux() -> None:
    """What the program takes for right is right there."""
    result = on_host("stress", "1", "2", "3", "2")
    assert result.status == 0 and result.lines()[-1] == "ok", result
