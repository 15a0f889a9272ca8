"""Recorded runs: the same again, to the instruction, and backwards in gdb (docs/reverse.md)."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from gdbs import Debugged, to_kmain
from quire import RUN, TREE, boot

pytestmark = pytest.mark.skipif(not shutil.which("gdb"), reason="gdb is not installed")
PAGE = TREE / "docs/reverse.md"
COMMAND = ("/bin/faultbench", "whole")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("replay")
    result = boot(*COMMAND, options=["--record", target])
    assert result.status == 0, result
    return target


def test_replay_is_the_same(recording: Path) -> None:
    """Down to the number of ticks; what stdin has now does not matter."""
    first = boot(*COMMAND, options=["--replay", recording])
    again = boot(*COMMAND, options=["--replay", recording], stdin=b"something else\n")
    assert first.status == 0 and "4,096" in first.out
    assert first == again


def test_input_is_recorded(tmp_path: Path) -> None:
    assert boot("/bin/cat", options=["--record", tmp_path], stdin=b"typed\n").out == "typed\n" * 2
    replayed = boot("/bin/cat", options=["--replay", tmp_path])
    assert (replayed.status, replayed.out) == (0, "typed\n" * 2)


def blocks() -> list[tuple[str, str]]:
    """(command, what it shows) of the page's sessions."""
    text = "".join(re.findall(r"```gdb\n(.*?)```", PAGE.read_text(), re.S))
    return re.findall(r"^\(gdb\) (.*)\n((?:(?!\(gdb\)).*\n)*)", text, re.M)


def names(text: str) -> set[str]:
    """Functions of frames, and headings."""
    return set(re.findall(r"(\w+) \(.*\) at kernel/", text)) | set(re.findall(r"── (.*) ─", text))


def test_the_session_of_the_page(recording: Path) -> None:
    with Debugged(*COMMAND, options=["--replay", str(recording)]) as gdb:
        to_kmain(gdb)
        for command, shown in blocks():
            actual = gdb(command)
            assert names(shown) <= names(actual), (command, actual)


def test_backwards_to_who_wrote_an_entry(recording: Path) -> None:
    with Debugged(*COMMAND, options=["--replay", str(recording)]) as gdb:
        to_kmain(gdb)
        gdb("fault next dev fb0")
        gdb("fault finish")
        entry = re.search(r"PDE .*: (0x[0-9a-f]+)  ", gdb("pt 0x7ffff6e00000"))[1]
        slot = re.search(r"\*\)(0x[0-9a-f]+)", gdb("pt watch 0x7ffff6e00000"))[1]
        there = gdb("info registers rip")
        assert "enter_supers" in gdb("reverse-continue")
        assert entry[:-3] in gdb(f"x/gx {slot}")  # but for the accessed and dirty bits
        gdb("reverse-stepi")
        assert re.search(r":\s+0x0+$", gdb(f"x/gx {slot}"))
        assert "no entry maps" not in gdb("vm chain 0x7ffff6e00000")
        assert gdb("info registers rip") != there


@pytest.mark.parametrize("options,said", [
    (["--replay", "/nowhere"], "nothing was recorded there"),
    (["--replay", "/tmp", "--record", "/tmp"], "either --record or --replay")])
def test_bad_options_are_a_line(options: list[str], said: str) -> None:
    done = subprocess.run([str(RUN), *options, "--", "/bin/hello"], capture_output=True, text=True)
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1
