"""scripts/gdb: real gdb on a real run. A fault through its stages, each command in each state, and
docs/fault-walk.md, whose output is what gdb shows."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from quire import RUN, TREE

pytestmark = pytest.mark.skipif(not shutil.which("gdb"), reason="gdb is not installed")

WALK = TREE / "docs/fault-walk.md"
DRIVER = """
import gdb, os
for line in os.environ["QUIRE_COMMANDS"].splitlines():
    print("(gdb)", line, flush=True)
    try:
        gdb.execute(line)
    except gdb.error as error:
        print("error:", error, flush=True)
"""
UP = ["hbreak kmain", "continue", "delete"]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def session(commands: list[str], *command: str, tmp_path: Path, kernel: str = "build/quire.elf",
            options: tuple[str, ...] = ()) -> str:
    """What gdb prints for the commands, attached before the first instruction."""
    port = free_port()
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    machine = subprocess.Popen([str(RUN), f"--gdb={port}", "--icount", "--display", "none",
                                "--timeout", "200", *options, "--", *command],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        lines = "\n".join(["set confirm off", f"target remote :{port}", *commands])
        done = subprocess.run(
            ["gdb", "-q", "-nx", "-batch", "-x", str(TREE / "scripts/gdb/quire.py"),
             "-x", str(driver), kernel], cwd=TREE, capture_output=True, text=True, timeout=240,
            env={**os.environ, "QUIRE_COMMANDS": lines})
    finally:
        machine.kill()
        machine.wait()
    output = done.stdout + done.stderr
    assert "Traceback" not in output and "Python Exception" not in output, output
    return output


def stages(output: str) -> list[str]:
    return re.findall(r"^── (.*?) ─", output, re.M)


def test_framebuffer_fault_by_stages(tmp_path: Path) -> None:
    output = session(UP + ["fault next dev fb0"] + ["fault step"] * 7 + ["fault log"],
                     "/bin/faultbench", "whole", tmp_path=tmp_path)
    assert stages(output) == ["trap", "lookup", "soft", "populate call", "populate return", "clip",
                              "enter", "done"]
    assert "populate returned [0, 4095], 4096 pages" in output
    assert re.search(r"8 × 2M entered: write user .*write-combining", output)
    assert output.count("next: ") == 8


def test_five_commands_from_start_to_populate_return(tmp_path: Path) -> None:
    output = session(["hbreak kmain", "continue", "fault next dev fb0", "fault finish",
                      "vm chain 0x7ffff6e00000"], "/bin/faultbench", "whole", tmp_path=tmp_path)
    assert "8 × 2M entered" in output
    assert re.search(r"entry.*shared device", output) and "PTE" in output


def test_other_faults(tmp_path: Path) -> None:
    """The first faults of a program: its data (copied from the file), its stack, its text."""
    output = session(UP + ["fault next", "fault finish", "fault next"] + ["fault step"] * 4
                     + ["fault next", "fault finish", "vm object $rsp"],
                     "/bin/hello", tmp_path=tmp_path)
    assert "copy" in output and "object" in output
    assert output.count("resolved") >= 2


EVERYWHERE = ["vm map", "vm map 1", "vm entry $rsp", "vm object $rsp", "vm page 0x200000",
              "vm chain $rsp", "pt $rsp", "pt diff", "ps", "kbt", "kbt 1", "cpu", "locks", "dmesg",
              "dmesg 2", "fault log", "vmmap", "pagewalk kmain", "v2p kmain", "p2v 0x200000"]
GARBAGE = ["vm", "vm nonsense", "vm map 999", "vm map x y", "vm entry", "vm entry 0x1",
           "vm entry 0xffffffffffffffff", "vm object 0x1", "vm object kmain", "vm page nosuch",
           "vm page 0xfffffffffffffff8", "vm chain 0", "vm chain (", "pt", "pt 0x900000000000",
           "pt 'x", "kbt 77", "kbt kmain", "dmesg -1", "fault", "fault sideways", "fault step",
           "fault finish", "fault next pid", "fault next moon 3", "v2p 0", "p2v -1", "v2p",
           "vm map 99999999999999999999"]


@pytest.mark.parametrize("where", ["before the first instruction", "kmain", "kernel", "user"])
def test_no_command_fails_badly(where: str, tmp_path: Path) -> None:
    start = {"before the first instruction": [], "kmain": UP,
             "kernel": UP + ["hbreak linux_syscall", "continue", "delete"],
             "user": UP + [f"add-symbol-file {TREE}/build/user/hello", "hbreak main", "continue",
                           "delete"]}[where]
    output = session(start + EVERYWHERE + GARBAGE, "/bin/hello", tmp_path=tmp_path)
    for command in GARBAGE:
        if command != "dmesg -1":
            assert re.search(re.escape(f"(gdb) {command}") + r"\n(error:|.*→)", output), command


def test_wrong_symbols_are_said_at_once(tmp_path: Path) -> None:
    release = TREE / "build/release/quire.elf"
    output = session(["hbreak kmain", "vm map", "ps"], "/bin/hello", tmp_path=tmp_path,
                     options=("--kernel", str(release)))
    assert "is not the kernel" in output or "not set up yet" in output


# --- docs/fault-walk.md ------------------------------------------------------------------------------


def plain(output: str) -> str:
    """Without what another build changes: the kernel's addresses, and counters."""
    output = re.sub(r"0xffff[0-9a-f]{12}", "0xffff............", output)
    output = re.sub(r"rip 0x[0-9a-f]+", "rip 0x......", output)
    output = re.sub(r"top table at 0x[0-9a-f]+", "top table at 0x......", output)
    output = re.sub(r"at 0x[0-9a-f]+: 0x[0-9a-f]{13}", "at 0x......: 0x.............", output)
    output = re.sub(r"timestamp \d+", "timestamp N", output)
    return re.sub(r"\d+ entries stored", "N entries stored", output)


def walk(commands: list[str], tmp_path: Path) -> list[str]:
    """A block of text for each command."""
    output = session(UP + commands, "/bin/faultbench", "whole", tmp_path=tmp_path)
    blocks = re.split(r"^\(gdb\) ", plain(output), flags=re.M)[1:]
    blocks = blocks[2 + len(UP):]
    return [re.sub(r"\n\[Inferior.*", "", block).strip() for block in blocks]


def test_fault_walk_shows_what_gdb_shows(tmp_path: Path) -> None:
    """QUIRE_UPDATE=1 writes what gdb shows now into the page."""
    text = WALK.read_text()
    pattern = re.compile(r"```gdb\n\(gdb\) (.*?)```", re.S)
    shown = [block.strip() for block in pattern.findall(text)]
    commands = [block.splitlines()[0] for block in shown]
    assert len(commands) >= 8
    actual = walk(commands, tmp_path)
    if os.environ.get("QUIRE_UPDATE"):
        blocks = iter(actual)
        WALK.write_text(pattern.sub(lambda _: f"```gdb\n(gdb) {next(blocks)}\n```", text))
        return
    assert actual == shown


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
