"""Random system calls: the kernel lives, and has everything back."""

import re

import pytest

from quire import PANICKED, boot


@pytest.mark.parametrize("seed", [1, 1001])
def test_random_calls(seed: int) -> None:
    result = boot("fuzz", str(seed), "20", "1000", timeout=240,
                  options=["--mem", "256M", "--append", "loglevel=3"])
    assert result.status != PANICKED, result.err
    assert result.status == 0 and "done" in result.lines(), result
    for line in result.lines():  # more may be free than before: what was made once has shrunk
        if match := re.fullmatch(r"lost: (\w+) was (\d+), is (\d+)", line):
            was, now = int(match[2]), int(match[3])
            assert now > was if match[1] == "pages_free" else now < was, line
