"""A program that does what it may not is killed as by Linux, with a line that says why."""

import re

import pytest

from quire import boot, killed_by, on_host

SEGV, BUS, ILL, FPE, TRAP, ABRT = (killed_by("SIG" + name) for name in
                                   "SEGV BUS ILL FPE TRAP ABRT".split())
# How the program dies, what by, and whether a page was touched that the line must name.
DEATHS = {
    "null-read": (SEGV, True),
    "null-write": (SEGV, True),
    "kernel-read": (SEGV, True),
    "kernel-write": (SEGV, True),
    "text-write": (SEGV, True),
    "none-read": (SEGV, True),
    "readonly-write": (SEGV, True),
    "data-exec": (SEGV, True),
    "kernel-exec": (SEGV, True),
    "file-past-end": (BUS, True),
    "empty-file": (BUS, True),
    "noncanonical-read": (SEGV, False),
    "noncanonical-exec": (SEGV, False),
    "bad-rsp": (BUS, False),
    "divide": (FPE, False),
    "illegal": (ILL, False),
    "flags": (ILL, False),
    "single-step": (TRAP, False),
    "breakpoint": (TRAP, False),
    "privileged": (SEGV, False),
    "port": (SEGV, False),
    "interrupt": (SEGV, False),
    "stack": (SEGV, False),
    "abort": (ABRT, False),
}


@pytest.mark.parametrize("how", DEATHS)
def test_death(how: str) -> None:
    status, names_address = DEATHS[how]
    assert on_host("die", how).status == status
    result = boot("die", how)
    # The emulated CPU raises #GP for a bad stack pointer, where a real one raises #SS (SIGBUS).
    assert result.status == (SEGV if how == "bad-rsp" else status), result
    lines = result.lines()
    if how == "abort":  # it asked for it: nothing to explain
        return
    address = ""
    if lines[0].startswith("at "):
        address = lines.pop(0).split()[1]
    assert len(lines) == 1, "one line says why"
    assert "die" in lines[0] and re.search(r"\brip\b", lines[0]), lines[0]
    if names_address:
        assert re.search(rf"\b0x0*{address.removeprefix('0x')}\b", lines[0]), lines[0]
    assert result.err == ""
