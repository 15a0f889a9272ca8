"""scripts/bench: the table, its files, and what it says when a kernel gives it nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quire import TREE, UNAVAILABLE

sys.path.insert(0, str(TREE / "scripts"))
from benching import faultcost, scaling  # noqa: E402

BENCH, PAGE = TREE / "scripts/bench", TREE / "docs/benchmarks.md"


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


def fake_qemu(tmp_path: Path, script: str) -> dict[str, str]:
    """An environment whose QEMU is that."""
    qemu = tmp_path / "qemu-system-x86_64"
    qemu.write_text(f"#!/bin/sh\n{script}\n")
    qemu.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def test_a_kernel_that_does_not_end_is_an_error(tmp_path: Path) -> None:
    env = fake_qemu(tmp_path, "exec sleep 60")
    result = bench("--quire", "--timeout", "3", "syscall", env=env)
    assert result.returncode == 124 and not result.stdout
    assert "did not end within 3 s; rows seen: 0" in result.stderr


def test_rows_before_a_failure_are_no_table(tmp_path: Path) -> None:
    """A QEMU that dies in the middle stands for a kernel that panics there."""
    env = fake_qemu(tmp_path, "exit 3")
    files = [str(tmp_path / name) for name in ("out.json", "out.csv")]
    result = bench("--quire", "--json", files[0], "--csv", files[1], env=env)
    assert result.returncode == 1 and not result.stdout
    assert "printed no row" in result.stderr
    assert not any(os.path.exists(file) for file in files)


@pytest.mark.parametrize("number, words", [
    (signal.SIGINT, ("--write-docs",)), (signal.SIGTERM, ("--quire",)),
    (signal.SIGINT, ("--scaling", "--quire"))])
def test_an_interrupted_run_writes_nothing(tmp_path: Path, number: int,
                                           words: tuple[str, ...]) -> None:
    kept = {p: p.read_bytes() for p in (PAGE, PAGE.with_suffix(".json"))}
    env = fake_qemu(tmp_path, "exec sleep 60")
    linux = ("--linux", str(TREE / "README.md")) if "--write-docs" in words else ()
    process = subprocess.Popen([str(BENCH), *words, *linux, "--json", str(tmp_path / "out.json")],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    time.sleep(2)
    process.send_signal(number)
    assert process.wait(timeout=30) == 130
    assert process.stdout.read() == b"" and b"Traceback" not in process.stderr.read()
    assert [p.name for p in tmp_path.iterdir()] == ["qemu-system-x86_64"]
    assert all(p.read_bytes() == was for p, was in kept.items())


def test_no_build_is_said(tmp_path: Path) -> None:
    kernel = TREE / "build/release/quire.elf"
    hidden = kernel.rename(kernel.with_suffix(".away"))
    try:
        result = bench("--quire")
    finally:
        hidden.rename(kernel)
    assert result.returncode == UNAVAILABLE and "make bench" in result.stderr


def page_part(part: str) -> list[list[str]]:
    """The cells of a table of docs/benchmarks.md, without its head."""
    text = re.search(rf"<!-- {part} -->\n(.*?)<!-- /{part} -->", PAGE.read_text(), re.S)[1]
    lines = [[cell.strip(" `*") for cell in line.strip("|").split("|")]
             for line in text.splitlines() if line.startswith("|")]
    return lines[2:]


def test_the_page_tells_where_a_write_fault_goes() -> None:
    """95% of it, function by function, and that is what scripts/profile says today: a function's
    share within two hundredths of all, all within five."""
    told = page_part("profile")
    profile = faultcost.measure()
    counted = profile["counted"]
    per_page = counted / profile["per"]
    shares = {f["function"]: f["self"] / counted for f in profile["functions"]}
    named = {line[0]: float(line[2]) / 100 for line in told if line[0] in shares}
    assert sum(named.values()) > 0.945
    assert {name: share for name, share in named.items()
            if abs(share - shares[name]) > 0.02} == {}
    assert abs(float(told[-1][1].replace(",", "")) / per_page - 1) < 0.05
    assert told[-1][0] == "all" and int(told[-1][4]) == 129


def test_nothing_grows_faster_than_n_log_n(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = bench("--scaling", "--short", "--quire", "--json", str(out), "--picture",
                   str(tmp_path / "out.svg"))
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads(out.read_text())["ticks"]["Quire"]
    assert set(found) == set(scaling.FIGURES)
    assert len(result.stdout.splitlines()) == 1 + len(scaling.FIGURES)
    assert set(found["populate"]) == {"1", "4", "16", "64"}
    assert (tmp_path / "out.svg").read_text().count("<svg") == 1


def test_growth_is_told_from_growth() -> None:
    """The check itself, on curves that are known."""
    sizes = [1, 10, 100, 1000]
    for name, grows, steep in (
            ("populate", lambda n: 50 + n, False),
            ("populate", lambda n: n * (1 + len(str(n))), False),
            ("populate", lambda n: n ** 1.5, True),
            ("populate", lambda n: n * n, True),
            ("fault-among", lambda n: 900, False),
            ("fault-among", lambda n: 9 + len(str(n)), False),
            ("fault-among", lambda n: n ** 0.5, True),
            ("fault-among", lambda n: n, True)):
        assert scaling.is_too_steep(name, {n: grows(n) for n in sizes}) == steep, (name, steep)
    assert abs(scaling.slope({n: 7 * n * n for n in sizes}) - 2) < 0.01


def test_the_page_states_the_slopes() -> None:
    told = page_part("scaling")
    assert [line[0] for line in told] == [f.what for f in scaling.FIGURES.values()]
    largest = {line[3] for line in told}
    assert largest == {"4,096 MiB", "100,000 mappings", "1,000 processes", "8 processors"}
    # A breach: each process that ends searches the pv list of each page that all share.
    steep = {line[0] for line in told if float(line[6]) > 1.3}
    assert steep <= {"end and wait for all"}


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
