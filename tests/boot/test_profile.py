"""scripts/profile: its counts are the machine's, its paths of calls are true, bad input is said."""

import json
import re
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path

from quire import PANICKED, PROGRAMS, TIMED_OUT, TREE

PROFILE = TREE / "scripts/profile"
PAGES = 4 * 256  # rounds of a row of vmbench by its units


def profile(*words: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROFILE), *words], capture_output=True, text=True, timeout=300,
                          **kwargs)


def measured(result: subprocess.CompletedProcess[str], row: str) -> float:
    """What vmbench itself has measured meanwhile."""
    return float(re.search(rf"^{row}\t\w+\t([0-9.]+)", result.stderr, re.M)[1])


def functions(path: Path) -> dict[str, dict]:
    return {f["function"]: f for f in json.loads(path.read_text())["functions"]}


def paths(path: Path) -> dict[str, int]:
    pairs = (line.rpartition(" ") for line in path.read_text().splitlines())
    return {name: int(count) for name, _, count in pairs}


def test_counts_are_those_that_the_program_measures(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = profile("--release", "--in", "touch_write", "--json", str(out), "--",
                     "/bin/vmbench", "anon-write")
    assert result.returncode == 0, result.stderr
    told, found = json.loads(out.read_text()), functions(out)
    assert abs(told["counted"] / PAGES / measured(result, "anon-write") - 1) < 0.01
    assert sum(f["self"] for f in found.values()) == told["counted"] == found["touch_write"]["total"]
    assert found["vm_fault"]["calls"] == PAGES and found["zero_page_avx"]["calls"] >= PAGES
    assert found["vm_fault"]["total"] > found["vm_fault"]["self"] > 0
    assert result.stdout.splitlines()[1].split() == [
        "self", "%", "sum", "%", "total", "calls", "function"]


def test_each_instruction_of_a_loop_is_counted() -> None:
    """A system call a turn: five instructions of the program's, and each of the kernel's entry
    once."""
    words = ("--release", "--during", "null_call", "--per", str(4 * 1024))
    result = profile(*words, "--", "/bin/vmbench", "syscall")
    own = re.search(r"^ *([0-9.]+) .* null_call$", result.stdout, re.M)
    assert 5 <= float(own[1]) < 5.1
    result = profile(*words, "--annotate", "syscall_entry", "--", "/bin/vmbench", "syscall")
    lines = [line.split() for line in result.stdout.splitlines() if "\tpush" in line or "  push" in
             line]
    assert len(lines) > 15 and all(line[0] == "1" for line in lines)


def test_paths_lead_through_calls_switches_faults_and_signals(tmp_path: Path) -> None:
    out = tmp_path / "out.folded"
    assert profile("--folded", str(out), "--during", "fork_small", "--", "/bin/vmbench",
                   "fork-exit-wait").returncode == 0
    found = paths(out)
    kernel = "syscall_entry;syscall_trap;"
    assert any(p.startswith(f"all;fork_small;_exit;_Exit;{kernel}sys_exit_group") for p in found)
    assert any(f";fork_small;fork;_Fork;{kernel}sys_fork" in p for p in found)
    assert any("trap_common;trap;vm_fault;" in p for p in found)
    assert not any(";sys_fork;" in p and ";sys_exit_group" in p for p in found)
    profile("--folded", str(out), "--in", "segv_mprotect", "--", "/bin/vmbench", "segv-mprotect")
    found = paths(out)
    # The handler ends with a jump to mprotect(), whose caller is then the handler's; the loop that
    # was interrupted goes on in its place.
    assert "segv_mprotect;touch_write;unprotect" in found
    assert any(re.match(rf"segv_mprotect;touch_write;\w*mprotect;{kernel}sys_mprotect", p)
               for p in found)
    assert found["segv_mprotect;touch_write"] > 2 * PAGES * 4


def test_two_processors_and_a_program_that_was_added(tmp_path: Path) -> None:
    words = ("--smp", "2", "--add", str(PROGRAMS / "forks"), "--top", "5")
    first, second = (profile(*words, "--", "/bin/forks", "wait") for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout and len(first.stdout.splitlines()) == 8


def test_the_flame_graph_is_a_picture_of_its_own(tmp_path: Path) -> None:
    out = tmp_path / "out.svg"
    assert profile("--svg", str(out), "--in", "touch_write", "--", "/bin/vmbench",
                   "anon-write").returncode == 0
    text = out.read_text()
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    boxes = [g.attrib for g in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}g")]
    assert boxes[0]["data-name"] == "touch_write"
    by_row: dict[str, float] = {}
    for box in boxes:
        by_row[box["data-row"]] = by_row.get(box["data-row"], 0.0) + float(box["data-w"])
    widths = [by_row[row] for row in sorted(by_row, key=int)]
    assert len(widths) > 4 and widths == sorted(widths, reverse=True)


def test_bad_input(tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        result = profile(*words)
        assert result.returncode == 2 and not result.stdout
        return result.stderr

    assert "which command" in refused("--release")
    assert "--nonsense" in refused("--nonsense", "/bin/hello")
    assert "vm_fault" in refused("--in", "vm_faul", "--", "/bin/hello")
    assert "no such folder" in refused("--svg", "/nowhere/x.svg", "--", "/bin/hello")
    assert "--per" in refused("--per", "0", "--", "/bin/hello")
    assert "no such file" in refused("--add", "/nowhere", "--", "/bin/hello")
    assert "no such file" in refused("--kernel", "/nowhere", "--", "/bin/hello")
    assert profile("--help").returncode == 0


def test_what_never_runs_or_never_ends() -> None:
    result = profile("--in", "bench_skip", "--", "/bin/vmbench", "syscall")
    assert result.returncode == 1 and "never ran" in result.stderr
    result = profile("--timeout", "3", "--", "/bin/sh", "-c", "while :; do :; done")
    assert result.returncode == TIMED_OUT
    result = profile("--", "/bin/no-such-program")
    assert result.returncode in (1, PANICKED) and result.stderr
    result = profile("--", "/bin/sh", "-c", "exit 3")
    assert result.returncode == 0 and "/bin/sh exited with 3" in result.stderr


def test_an_interrupted_run_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    process = subprocess.Popen([str(PROFILE), "--json", str(out), "--", "/bin/sh", "-c",
                                "while :; do :; done"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert not list(tmp_path.iterdir()) and process.stdout.read() == b""
