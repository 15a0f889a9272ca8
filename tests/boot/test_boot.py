"""Every way to start, and the way a run ends."""

import re
import pytest

from quire import boot, on_host

FIRMWARE = ["direct", "bios", "uefi"]
# Bytes that a shell, GRUB or the kernel's command line might take for themselves.
AWKWARD = ["a", "b c", "$HOME", "100%", "%41", "'\"\\", "--", "-x", "=", "{;}|&<>()*?~#!`",
           "\tä€", "loglevel=7", "", "last"]


@pytest.mark.parametrize("firmware", FIRMWARE)
def test_same_output_and_status_as_on_the_host(firmware: str) -> None:
    """Arguments, memory, files, time: what the program prints is byte for byte the same."""
    here, there = on_host("same", *AWKWARD), boot("same", *AWKWARD,
                                                 options=["--firmware", firmware])
    assert there.out == here.out
    assert there.status == here.status == 7
    assert there.err == ""


@pytest.mark.parametrize("status", [0, 1, 42, 124, 125, 255])
def test_exit_status(status: int) -> None:
    result = boot("die", "exit", str(status))
    assert (result.status, result.out) == (status, "")


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_exit_status_by_grub(firmware: str) -> None:
    result = boot("die", "exit", "42", options=["--firmware", firmware])
    assert (result.status, result.out) == (42, "")


@pytest.mark.parametrize("mem", ["32M", "64M", "1G", "3G", "5G"])
def test_memory_sizes(mem: str) -> None:
    assert boot("die", "exit", "3", options=["--mem", mem]).status == 3


def test_stdin_is_the_console() -> None:
    text = b"first\n\nlonger line with  spaces\nno newline at the end"
    result = boot("echo", stdin=text)
    expected = [f"line {i} of {len(line)}: <{line.decode()}>"
                for i, line in enumerate(text.split(b"\n"), 1)]
    # The console echoes what is typed, so the program's lines may begin after an echo.
    assert re.findall(r"line \d+ of \d+: <[^>]*>", result.out) == expected
    assert result.status == 4


def test_empty_stdin_is_the_end_of_file() -> None:
    result = boot("echo")
    assert (result.status, result.out) == (0, "end after 0\n")


def test_much_stdin() -> None:
    text = b"".join(b"%04d %s\n" % (i, b"x" * 60) for i in range(200))
    result = boot("echo", stdin=text)
    assert "line 200 of 65: <0199 " + "x" * 60 + ">" in result.lines()
    assert result.status == 200


def test_the_log_reaches_the_console_by_level() -> None:
    quiet = boot("die", "exit", "0")
    loud = boot("die", "exit", "0", options=["--append", "loglevel=7"])
    assert quiet.out == ""
    assert "command line" in loud.out and loud.status == 0
