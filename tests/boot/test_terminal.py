"""Terminals: the line discipline and sessions are Linux's, byte for byte; the screen, its keyboard and
who has it."""

import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from keyboard import Keyboard
from quire import PROGRAMS, RUN, Result, boot, on_host

QUIET = ["--append", "loglevel=3"]


def test_line_discipline_as_on_the_host() -> None:
    here, there = on_host("ptys"), boot("ptys", options=QUIET)
    assert here.lines() == there.lines()
    assert here.status == there.status == 0


def test_polling_as_on_the_host() -> None:
    here, there = on_host("ptys", "poll"), boot("ptys", "poll", options=QUIET)
    assert here.lines() == there.lines()
    assert here.status == there.status == 0


def test_sessions_as_on_the_host() -> None:
    here, there = on_host("jobs"), boot("jobs", options=QUIET)
    assert here.lines() == there.lines()
    assert here.status == there.status == 0


# --- the screen ----------------------------------------------------------------------------------

W = "w" * 128
SCREEN = f"""128 x 48
text: cursor 11,2
|one|
|two|
|thXee   tab|
||
a full line: cursor 127,0
|{W}|
||
one more: cursor 1,1
|{W}|
|x|
back: cursor 4,0
|back{W[4:]}|
||
no wrap: cursor 118,0
|{W[:117]}!{W[:9]}D|
||
cells: cursor 0,0
|  bcf|
||
insert mode: cursor 4,0
|xyazc|
region: cursor 0,0
|1|
|top|
|3|
|4|
|5|
||
lines: cursor 0,3
|1|
||
|2|
|4|
||
erase to here: cursor 1,1
||
|  b|
|ccc|
erase from here: cursor 1,1
|aaa|
|b|
||
erase in lines: cursor 4,2
|ab|
|   def|
|   .|
save: cursor 10,2
|home|
||
|    atback|
origin: cursor 0,0
||
|  o|
||
|b|
tabs: cursor 127,1
|a   b{" " * 122}c|
line drawing: cursor 15,0
|┌─┐ lqk lqk └─┘|
characters: cursor 13,0
|┌─┐ ─ä \ufffd( \ufffd <1f600>|
colours: cursor 6,0
|xyzok!|
nonsense: cursor 2,47
||
||
large: cursor 1,2
||
||
|z|
answers: ESC[5;7R ESC[0n ESC[?6c"""
SWITCH = """graphics 0, mode 1
in front 1: paints 1
in front 2: paints 0
the text stays 1
it can be written 1
in front 1: paints 1
the text is gone 1
it is back 1
killed while it waits: 9
asked 0: 1 is in front
refused 0, nothing to refuse -1
agreed 0: 2 is in front
text 0
none such -1 errno 6"""


def repeated(text: str) -> list[str]:
    """What the program vt prints, with nothing lost."""
    return [line for i in range(3) for line in (f"run {i}", *text.splitlines())]


def test_escape_sequences() -> None:
    assert boot("vt", "screen", options=QUIET).lines() == repeated(SCREEN)


def test_an_answer_is_in_one_piece() -> None:
    """Also if much is typed meanwhile."""
    result = boot("vt", "asked", options=QUIET, stdin=b"x" * 20000 + b"q")
    assert result.lines()[-1] == "answers: whole 1 split 0", result


def test_the_screen_does_not_answer_for_a_terminal_at_the_serial_line() -> None:
    result = boot("vt", "asked", options=[*QUIET, "--append", "console.size=24x80"], stdin=b"xxxq")
    assert result.lines()[-1] == "answers: whole 0 split 0", result


def test_text_and_a_program_take_turns_on_the_screen() -> None:
    assert boot("vt", "switch", options=QUIET).lines() == repeated(SWITCH)


def test_no_screen_no_consoles() -> None:
    result = boot("/bin/sh", "-c", "ls /dev/tty1 /dev/vcs; echo $?", options=["--vram", 0, *QUIET])
    assert result.lines()[-1] != "0", result


def test_size_on_the_command_line() -> None:
    result = boot("/bin/stty", "size", options=["--append", "console.size=33x101"])
    assert result.out == "33 101\n"
    bad = boot("/bin/stty", "size", options=["--append", "console.size=33"])
    assert "not ROWSxCOLUMNS" in bad.out and bad.lines()[-1] == "48 128"


# --- typing --------------------------------------------------------------------------------------

KEYS = [
    (["a"], "61"), (["shift", "a"], "41"), (["ctrl", "a"], "01"), (["alt", "a"], "1b 61"),
    (["1"], "31"), (["shift", "1"], "21"), (["ret"], "0d"), (["backspace"], "7f"),
    (["tab"], "09"), (["esc"], "1b"), (["spc"], "20"), (["ctrl", "spc"], "00"),
    (["shift", "slash"], "3f"), (["backslash"], "5c"), (["ctrl", "bracket_right"], "1d"),
    (["up"], "1b 5b 41"), (["left"], "1b 5b 44"), (["home"], "1b 5b 31 7e"),
    (["pgdn"], "1b 5b 36 7e"), (["delete"], "1b 5b 33 7e"), (["f1"], "1b 5b 5b 41"),
    (["f6"], "1b 5b 31 37 7e"), (["f12"], "1b 5b 32 34 7e"), (["caps_lock"], ""), (["b"], "42"),
    (["shift", "b"], "62"), (["caps_lock"], ""), (["b"], "62"), (["kp_7"], "1b 5b 31 7e"),
    (["num_lock"], ""), (["kp_7"], "37"), (["kp_add"], "2b"), (["kp_enter"], "0d"),
    (["ctrl", "alt", "delete"], ""), (["q"], "71"),
]


def test_keys(tmp_path: Path) -> None:
    keyboard = Keyboard(tmp_path, "vt", "keys")
    try:
        for keys, _ in KEYS:
            keyboard.press(*keys)
        text = keyboard.expect("71 \n")
    finally:
        keyboard.end()
    assert re.findall(r"[0-9a-f]{2}", text) == " ".join(sent for _, sent in KEYS).split()


def test_the_terminal_that_the_script_runs_on(tmp_path: Path) -> None:
    """^C reaches the program; what is typed before goes through the line discipline."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"TERM": "vt100", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
        os.execv(RUN, [str(RUN), "--add", str(PROGRAMS / "echo"), "--", "/bin/echo"])
    screen, to_type, deadline = b"", [b"one\x7fe\r", b"\x03"], time.monotonic() + 60
    os.write(terminal, to_type.pop(0))
    while time.monotonic() < deadline:
        try:
            if select.select([terminal], [], [], 1)[0]:
                screen += os.read(terminal, 65536)
        except OSError:
            break
        if b"<one>" in screen and to_type:
            os.write(terminal, to_type.pop(0))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert b"line 1 of 3: <one>\r\n" in screen and b"^C" in screen, screen
    assert status == 130


def screen_of(result: Result) -> list[str]:
    """The rows of a screen of 128 columns, as /dev/vcs1 has them."""
    return [result.out[i:i + 128].rstrip() for i in range(0, len(result.out), 128)]


@pytest.mark.skipif(not shutil.which("less"), reason="less is not installed")
def test_less_on_the_screen(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("".join(f"line {i}\n" for i in range(1, 1000)))
    less, terminal = shutil.which("less"), "/lib/terminfo/l/linux"
    rows = screen_of(boot("/bin/sh", "-c", f"""
        TERM=linux setsid {less} -N -p500 /text <>/dev/tty1 >&0 2>&1 &
        sleep 2; cat /dev/vcs1 >/tmp/screen; cat /tmp/screen""", options=QUIET,
                          add=[f"{less}:{less}", f"{terminal}:{terminal}", f"{text}:/text"]))
    assert rows[:47] == [f"{i:7} line {i}" for i in range(500, 547)]
    assert rows[47].startswith("/text") and len(rows) == 48


def test_top_on_the_screen() -> None:
    rows = screen_of(boot("/bin/sh", "-c", """
        TERM=linux setsid top <>/dev/tty1 >&0 2>&1 &
        sleep 4; cat /dev/vcs1 >/tmp/screen; cat /tmp/screen""", options=QUIET))
    assert re.fullmatch(r"Mem: \d+K used, \d+K free, \d+K shrd, 0K buff, \d+K cached", rows[0])
    assert rows[3].split() == "PID PPID USER STAT VSZ %VSZ %CPU COMMAND".split()
    assert any(re.fullmatch(r" +\d+ +1 root +R +\d+ +\d+% +\d+% top", row) for row in rows), rows
