"""The shell: scripts/run on a terminal, and what a person finds there."""

import os
import pty
import select
import signal
import time

from quire import RUN, TREE, boot

LIMIT = 120.0
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
    status, screen = on_a_terminal(str(RUN), typed=b"echo $((6 * 7)) $TERM $HOME; exit 5\r")
    assert "42 vt100 /root" in screen and status == 5, screen


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
