"""Real gdb at a prompt, on a machine that waits for it, on one that runs, or on a dump."""

import re
import socket
import subprocess
from pathlib import Path
from typing import Iterable

import pexpect
from quire import RUN, TREE

PROMPT = "(gdb) "
KERNEL = TREE / "build/quire.elf"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Gdb:
    """gdb with the commands of scripts/gdb; no answer may have a Python traceback in it."""

    def __init__(self, *words: object, kernel: Path = KERNEL) -> None:
        self.child = pexpect.spawn(
            "gdb", ["-q", "-nx", "-x", str(TREE / "scripts/gdb/quire.py"), *map(str, words),
                    str(kernel)],
            cwd=TREE, encoding="utf-8", timeout=120, echo=False, dimensions=(60, 400),
            env={"TERM": "dumb", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent",
                 "LANG": "C.UTF-8"})
        self.child.expect_exact(PROMPT)
        self("set confirm off")
        self("set style enabled off")

    def __call__(self, command: str) -> str:
        """What it answers."""
        self.child.sendline(command)
        self.child.expect_exact(PROMPT)
        text = self.child.before.replace("\r\n", "\n").strip()
        assert "Traceback" not in text and "Python Exception" not in text, (command, text)
        return text

    def complete(self, text: str) -> set[str]:
        """The ends that the Tab key offers."""
        return set(self(f"complete {text}").splitlines())

    def close(self) -> None:
        self.child.close(force=True)


class Debugged:
    """A machine under gdb, which stands before its first instruction."""

    def __init__(self, *command: str, options: Iterable[str] = ("--icount",),
                 kernel: Path = KERNEL, out: int = subprocess.DEVNULL) -> None:
        port = free_port()
        self.machine = subprocess.Popen(
            [str(RUN), f"--gdb={port}", "--display", "none", "--timeout", "300", *options, "--",
             *command],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
        try:
            self.gdb = Gdb("-ex", "set tcp connect-timeout 60", kernel=kernel)
            self.first = self.gdb(f"target remote :{port}")
        except BaseException:
            self.machine.kill()
            raise

    def __enter__(self) -> Gdb:
        return self.gdb

    def __exit__(self, *_: object) -> None:
        self.gdb.close()
        self.machine.terminate()
        self.machine.wait()


def to_kmain(gdb: Gdb) -> None:
    for command in ("hbreak kmain", "continue", "delete"):
        gdb(command)


def stages(text: str) -> list[str]:
    """The names of the stages that `fault' commands showed."""
    return re.findall(r"^── (.*?) ─", text, re.M)
