"""The ways to start gdb: make gdb's two commands, one terminal split in two, an editor."""

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pexpect
import pytest
from gdbs import PROMPT, free_port
from quire import RUN, TREE

pytestmark = pytest.mark.skipif(not shutil.which("gdb"), reason="gdb is not installed")
DEBUG = TREE / "scripts/debug"


def test_without_a_terminal_it_names_two_commands() -> None:
    port = free_port()
    env = {key: value for key, value in os.environ.items() if key != "TMUX"}
    done = subprocess.run([str(DEBUG), "--icount", "--display", "none", "--", "/bin/hello"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=env | {"GDB_PORT": str(port)})
    _, run, _, debugger = done.stdout.splitlines()
    machine = subprocess.Popen(shlex.split(run), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    gdb = pexpect.spawn(debugger.strip(), encoding="utf-8", timeout=60, env=env | {"TERM": "dumb"})
    try:
        gdb.expect("Temporary breakpoint 1, kmain")
        gdb.expect_exact(PROMPT)
        gdb.sendline("info symbol main")
        gdb.expect("main in section")  # the program's
        gdb.sendline("backtrace")
        gdb.expect("kmain")
    finally:
        gdb.close(force=True)
        machine.terminate()
        machine.wait()


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
def test_a_terminal_is_split(tmp_path: Path) -> None:
    def tmux(*words: str) -> str:
        return subprocess.run(["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null", *words],
                              capture_output=True, text=True, env=env).stdout

    env = {key: value for key, value in os.environ.items() if key != "TMUX"} | {"TERM": "screen"}
    tmux("new-session", "-d", "-x", "150", "-y", "50",
         f"{DEBUG} --icount --display none -- /bin/faultbench whole")
    try:
        for typed, awaited in (("", r"kmain.*\(gdb\)$"),
                               ("fault next dev fb0", "no entry maps the page"),
                               ("continue", "machine is off")):
            if typed:
                tmux("send-keys", "-t", "0", typed, "Enter")
            for _ in range(300):
                panes = [tmux("capture-pane", "-p", "-t", f":.{pane}").rstrip()
                         for pane in tmux("list-panes", "-F", "#{pane_index}").split()]
                if any(re.search(awaited, pane, re.S) for pane in panes):
                    break
                time.sleep(0.1)
            else:
                raise AssertionError((typed, panes))
        assert len(panes) == 2 and any("4,096" in pane for pane in panes)
    finally:
        tmux("kill-server")


def test_the_editors_settings() -> None:
    """What .vscode tells its debugger to do, done in the order in which that does it."""
    tasks = json.loads((TREE / ".vscode/tasks.json").read_text())["tasks"]
    launch = json.loads((TREE / ".vscode/launch.json").read_text())["configurations"][0]
    task = next(task for task in tasks if task["label"] == launch["preLaunchTask"])
    server, port = launch["miDebuggerServerAddress"], free_port()
    assert f"--gdb={server.split(':')[1]}" in task["command"]
    words = shlex.split(task["command"].split("&& ")[1])
    words[1] = f"--gdb={port}"
    machine = subprocess.Popen([*words[:2], "--display", "none", "--timeout", "100", *words[2:]],
                               cwd=TREE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    fill = {"${workspaceFolder}": str(TREE), server: f"localhost:{port}"}

    def mi(command: str, awaited: str = r"\^(done|running|connected)") -> None:
        for old, new in fill.items():
            command = command.replace(old, new)
        gdb.sendline(command)
        gdb.expect(awaited)

    gdb = pexpect.spawn(launch["miDebuggerPath"], ["-q", "-nx", "--interpreter=mi"],
                        encoding="utf-8", timeout=60, echo=False, cwd=TREE)
    try:
        assert machine.stderr and re.search(task["problemMatcher"]["background"]["endsPattern"],
                                            machine.stderr.readline())
        mi("-gdb-set confirm off")
        mi(f"-file-exec-and-symbols {launch['program']}")
        for command in launch["setupCommands"]:
            mi(f"-interpreter-exec console {json.dumps(command['text'])}")
        mi(f"-target-select remote {server}")
        for command in launch["postRemoteConnectCommands"]:
            mi(f"-interpreter-exec console {json.dumps(command['text'])}")
        mi("-exec-continue", "stopped.*kmain")
        mi('-interpreter-exec console "fault next dev fb0"', "no entry maps the page")
    finally:
        gdb.close(force=True)
        machine.terminate()
        machine.wait()


def test_release_kernels_have_their_own_symbols() -> None:
    done = subprocess.run([str(DEBUG), "--release", "--", "/bin/hello"], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL,
                          env={k: v for k, v in os.environ.items() if k != "TMUX"})
    assert done.stdout.splitlines()[-1].endswith("build/release/quire.elf")
    assert str(RUN) in done.stdout
