"""scripts/bench: the table, its files, and what it says when a kernel gives it nothing."""

import json
import os
import subprocess
from pathlib import Path

from quire import TREE

BENCH = TREE / "scripts/bench"


def bench(*args: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BENCH), *args], capture_output=True, text=True, timeout=300,
                          **kwargs)


def test_list_names_the_rows() -> None:
    result = bench("--list")
    assert result.returncode == 0
    names = result.stdout.split()
    assert {"syscall", "anon-write", "fork-exit-wait", "vram-16M-whole"} <= set(names)
    assert len(names) == len(set(names))


def test_quire_alone_and_files(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("out.json", "out.csv")]
    result = bench("--quire", "syscall", "mprotect-*", "--json", files[0], "--csv", files[1])
    assert result.returncode == 0, result.stderr
    rows = [line.split()[0] for line in result.stdout.splitlines()]
    assert rows == ["row", "boot", "mprotect-down", "mprotect-up", "syscall"]
    ticks = json.loads(Path(files[0]).read_text())["ticks"]["Quire"]
    assert 50 < ticks["syscall"] < 500
    assert Path(files[1]).read_text().splitlines()[-1].startswith("syscall,call,")


def test_two_runs_count_the_same() -> None:
    first, second = (bench("--quire", "anon-write").stdout for _ in range(2))
    assert first == second and "anon-write" in first


def test_a_kernel_that_does_not_boot_is_an_error() -> None:
    result = bench("--linux", str(TREE / "README.md"), "syscall")
    assert result.returncode == 1
    assert "printed no row" in result.stderr


def test_bad_arguments() -> None:
    assert bench("--linux", "/nowhere").returncode == 2
    assert bench("--nonsense").returncode == 2
    assert bench("--quire", "no-such-row").returncode == 2


def test_no_package_is_said_and_quire_goes_alone(tmp_path: Path) -> None:
    """Apt that knows of no kernel stands for a machine without a mirror."""
    for tool in ("apt-cache", "apt-get"):
        (tmp_path / tool).write_text("#!/bin/sh\nexit 100\n")
        (tmp_path / tool).chmod(0o755)
    cache = TREE / "build/bench"
    hidden = cache.rename(tmp_path / "bench") if cache.exists() else None
    try:
        path = f"{tmp_path}:{os.environ['PATH']}"
        result = bench("syscall", env={**os.environ, "PATH": path})
    finally:
        if hidden:
            subprocess.run(["rm", "-rf", str(cache)], check=True)
            hidden.rename(cache)
    assert result.returncode == 0
    assert "linux-image-amd64" in result.stderr and "Quire alone" in result.stderr
    assert "syscall" in result.stdout
