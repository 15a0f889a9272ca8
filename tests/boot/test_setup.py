"""Setting up: make doctor names what is missing or too old; another machine gets the cross compilers."""

import os
import subprocess
from pathlib import Path

import pytest

from quire import TREE, Result

DOCTOR = TREE / "scripts/doctor"


def script(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def run(words: list[object], path: str) -> Result:
    done = subprocess.run(list(map(str, words)), cwd=TREE, text=True, capture_output=True,
                          env=os.environ | {"PATH": path})
    return Result(done.returncode, done.stdout, done.stderr)


def test_all_is_well_here() -> None:
    done = run(["make", "-s", "doctor"], os.environ["PATH"])
    assert done.status == 0 and "MISSING" not in done.out, done.out


def test_nothing_is_installed(tmp_path: Path) -> None:
    """Each tool is named, with its package."""
    done = run(["/usr/bin/python3", DOCTOR], str(tmp_path))
    assert done.status == 1
    for name in ("gcc", "ld", "musl-gcc", "busybox", "qemu-system-x86_64", "gdb", "grub-mkrescue"):
        assert f"{name} is not installed" in done.out
    assert "qemu-system-x86, or use the Dockerfile" in done.out


@pytest.mark.parametrize("tool,says,problem", [
    ("qemu-system-x86_64", "QEMU emulator version 4.2.1 (Debian 1:4.2-3ubuntu6.28)",
     "is 4.2.1, and 6.2 is needed"),
    ("gcc", "gcc (Ubuntu 9.4.0-1ubuntu1~20.04.2) 9.4.0", "is 9.4.0, and 11 is needed"),
    ("ld", "GNU ld (GNU Binutils for Ubuntu) 2.34", "is 2.34, and 2.36 is needed"),
    ("make", "hello", "does not say its version"),
    ("musl-gcc", "", "")])
def test_too_old(tmp_path: Path, tool: str, says: str, problem: str) -> None:
    script(tmp_path / "bin", tool, f"echo '{says}'" if says else "echo no crt1.o >&2; exit 1")
    done = run(["/usr/bin/python3", DOCTOR], f"{tmp_path}/bin:{os.environ['PATH']}")
    assert done.status == 1
    assert f"{tool} {problem or 'cannot link a program: no crt1.o'}" in done.out


def test_another_machine_takes_cross_compilers(tmp_path: Path) -> None:
    script(tmp_path / "bin", "uname", "echo aarch64")
    done = run(["make", "-n", "-B", "V=1", "RUN_X86=", "build/obj/kernel/main.c.o",
                "build/user/hello"], f"{tmp_path}/bin:{os.environ['PATH']}")
    compilers = {line.split()[0] for line in done.out.splitlines() if " -o build/" in line}
    assert {"x86_64-linux-gnu-gcc", "x86_64-linux-musl-gcc"} <= compilers
    assert not compilers & {"gcc", "musl-gcc"}
