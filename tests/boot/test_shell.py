"""The shell: scripts/run on a terminal, and what a person finds there."""

import os
import pty
import select
import shutil
import signal
import time

import pexpect
import pytest

from quire import RUN, TREE, boot, processors

LIMIT = 60.0
WHERE, HERE = b"\x1b[6n", b"\x1b[1;10R"  # where is the cursor? in the first line


def on_a_terminal(*command: str, typed: bytes) -> tuple[int, str]:
    """Run command with a terminal of its own and type when the shell has asked for it; its status, and
    what was on the screen. ash asks where the cursor is after its prompt, and takes what comes before
    the answer for that: so type with the answer, as a terminal does."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(TREE)
        os.environ |= {"TERM": "vt100", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
        os.execvp(command[0], command)
    screen, deadline = b"", time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 1)
        try:
            screen += os.read(terminal, 65536) if ready else b""
        except OSError:
            break  # the other end is closed
        if typed and WHERE in screen:
            os.write(terminal, HERE + typed)
            typed = b""
    else:
        os.kill(pid, signal.SIGTERM)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), screen.decode(errors="replace")


def test_a_terminal_and_no_command() -> None:
    status, screen = on_a_terminal(str(RUN), *processors(),
                                   typed=b"echo $((6 * 7)) $TERM $HOME; exit 5\r")
    assert "42 vt100 /root" in screen and status == 5, screen


def test_a_terminal_that_does_not_know_its_size() -> None:
    """As on_a_terminal's does not: the guest takes it for a VT100."""
    status, screen = on_a_terminal(str(RUN), *processors(), typed=b"stty size; exit 5\r")
    assert "24 80" in screen and status == 5, screen


def test_make_shell() -> None:
    status, screen = on_a_terminal("make", "shell", typed=b"echo it is $PWD; exit 0\r")
    assert "it is /" in screen and status == 0, screen


def test_what_is_there() -> None:
    script = """for path in /bin/sh /usr/bin/env /sbin /lib64 /tmp /root /var/tmp /etc/passwd; do
                [ -e $path ] || echo no $path; done
                [ -k /tmp ] && [ ! -d /usr/bin/sh ] && [ -x /usr/bin/vi ] && echo sound"""
    assert boot("/bin/sh", "-c", script).out == "sound\n"


def test_the_environment_can_be_given() -> None:
    result = boot("/bin/sh", "-c", "echo $TERM $LANG $PATH",
                  options=["--append", "TERM=dumb LANG=C lower=no PATH=/bin"])
    assert result.lines()[-1] == "dumb C /bin"
    assert "lower=no" in result.out and "LANG" not in result.out


# --- jobs ----------------------------------------------------------------------------------------

READY = r"\r\nready> "
JOBS = [  # what is typed, and what comes of it
    ("PS1='ready> '\r", READY),
    ("sleep 1000 &\r", r"\[1\] \d+" + READY),
    ("jobs\r", r"\[1\]\+ +Running +sleep 1000 &" + READY),
    ("fg\r", r"sleep 1000\r\n"),
    ("\x1a", r"\^Z\r\n\[1\]\+  Stopped +sleep 1000" + READY),
    ("bg\r", r"\[1\]\+ sleep 1000 &" + READY),
    ("cat\r", r"cat\r\n"),
    ("hello\r", r"hello\r\nhello\r\n"),
    ("\x1a", r"\[2\]\+  Stopped +cat" + READY),
    ("jobs -l\r", r"\[1\]- +\d+ Running +sleep 1000 &\r\n\[2\]\+ +\d+ Stopped +cat" + READY),
    ("bg\r", r"\[2\]\+ cat &" + READY),
    ("\r", r"\[2\]\+  Stopped +cat" + READY),  # it wants to read
    ("fg %2\r", r"cat\r\n"),
    ("\x04", "ready> "),
    ("kill %1; wait %1; echo status $?\r", "status 143" + READY),
    ("sleep 1000\r", r"sleep 1000\r\n"),
    ("\x03", r"\^C" + READY),
    ("echo status $?\r", "status 130" + READY),
    ("exit 5\r", pexpect.EOF),
]


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_jobs_of_bash() -> None:
    words = ["--display", "none", *processors(), "--timeout", "200", "--append", "loglevel=3",
             "--add", f"{shutil.which('bash')}:/bin/bash", "--", "/bin/bash", "--norc", "--noprofile"]
    bash = pexpect.spawn(str(RUN), words, encoding="utf-8", timeout=60, dimensions=(24, 80),
                         env=os.environ | {"TERM": "dumb", "DISPLAY": "", "WAYLAND_DISPLAY": ""})
    bash.expect("# ")
    for typed, comes in JOBS:
        time.sleep(0.5)  # for the program in front to be there
        bash.send(typed)
        bash.expect(comes)
    bash.close()
    assert bash.exitstatus == 5
