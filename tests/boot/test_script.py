"""scripts/run: what it says and returns when it cannot do what it was asked."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from quire import PROGRAMS, RUN, TIMED_OUT, UNAVAILABLE, boot, run_script

PROGRAM = PROGRAMS / "die"


def one_line(text: str) -> bool:
    return text.startswith("run: ") and text.count("\n") == 1


@pytest.mark.parametrize("words", [
    ["--bogus"], ["--mem", "lots"], ["--mem"], ["--smp", "0"], ["--vram", "5"], ["--vram", "512"],
    ["--firmware", "none"], ["--display", "tv"], ["--timeout", "-1"], ["--limit", "5"], ["--gdb=99999"],
    ["--add", "/no/such/file"], ["--add", "/tmp"], ["--kernel", "/no/such/kernel"],
    ["--initrd", "/no/such/initrd"], ["--screenshot", "/no/such/folder/x.png"], ["--trace"],
], ids=" ".join)
def test_bad_options(words: list[str]) -> None:
    result = run_script(*words)
    assert result.status == 2 and one_line(result.err) and result.out == "", result


@pytest.mark.parametrize("words", [[], ["--firmware", "bios"]])
def test_missing_tools(words: list[str], tmp_path: Path) -> None:
    if words:
        qemu = tmp_path / "qemu-system-x86_64"
        qemu.write_text("#!/bin/sh\n")
        qemu.chmod(0o755)
    result = run_script(*words, "--", "/bin/x", env={"PATH": str(tmp_path)})
    assert result.status == UNAVAILABLE and one_line(result.err), result
    assert "apt-get install" in result.err


def test_qemu_that_fails(tmp_path: Path) -> None:
    qemu = tmp_path / "qemu-system-x86_64"
    qemu.write_text("#!/bin/sh\necho no such machine >&2\nexit 1\n")
    qemu.chmod(0o755)
    result = run_script("--", "/bin/x", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert result.status == UNAVAILABLE and "no such machine" in result.err


def test_not_built(tmp_path: Path) -> None:
    """A copy of the scripts in a tree where nothing was built."""
    (tmp_path / "scripts").mkdir()
    for name in ("run", "newc.py", "meter.py"):
        copy = tmp_path / "scripts" / name
        copy.write_bytes((RUN.parent / name).read_bytes())
        copy.chmod(0o755)
    done = subprocess.run([tmp_path / "scripts/run"], capture_output=True, text=True)
    assert done.returncode == UNAVAILABLE and "make" in done.stderr and one_line(done.stderr)


def test_help_is_about_the_options() -> None:
    result = run_script("--help")
    assert result.status == 0
    for option in "firmware smp mem vram display icount gdb add append screenshot timeout trace limit jitter".split():
        assert f"--{option}" in result.out


@pytest.mark.parametrize("program", ["while :; do :; done", "sleep 100000"])
def test_limit(program: str) -> None:
    """Instructions, or the time that passes while all sleeps."""
    done = boot("/bin/sh", "-c", program, options=["--icount", "--limit", "300"])
    assert (done.status, done.err) == (TIMED_OUT, "run: no end after 300 million instructions\n")


def test_time_out() -> None:
    """The guest waits for a line that does not come; the reader of the pipe never ends it."""
    read, write = os.pipe()
    with os.fdopen(write, "wb"):
        done = subprocess.run([RUN, "--display", "none", "--timeout", "3", "--add",
                               PROGRAMS / "echo", "--", "/bin/echo"], stdin=read,
                              capture_output=True, text=True)
    os.close(read)
    assert done.returncode == TIMED_OUT and one_line(done.stderr)


def children_of(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_qemu_stays_behind(number: int) -> None:
    read, write = os.pipe()
    script = subprocess.Popen([RUN, "--display", "none", "--add", PROGRAMS / "echo", "--",
                               "/bin/echo"], stdin=read, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while not (children := children_of(script.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(children) == 1
    script.send_signal(number)
    status = script.wait(20)
    while is_running(children[0]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(children[0])
    assert status == (-number if number == signal.SIGKILL else 128 + number)
    os.close(read)
    os.close(write)


def test_a_file_keeps_its_mode_and_its_place(tmp_path: Path) -> None:
    """A program that may not be executed is refused; elsewhere and executable it runs."""
    plain = tmp_path / "plain"
    plain.write_bytes(PROGRAM.read_bytes())
    plain.chmod(0o644)
    assert boot("/bin/plain", "exit", "5", add=[plain]).status in (126, 127)
    plain.chmod(0o755)
    assert boot("/opt/deep/er/x", "exit", "5", add=[f"{plain}:/opt/deep/er/x"]).status == 5


def test_the_command_may_follow_without_dashes() -> None:
    assert run_script("--add", PROGRAM, "/bin/die", "exit", "9").status == 9
