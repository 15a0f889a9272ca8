"""The two kernels that scripts/bench measures: how they are started, and what they print."""

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Optional

import newc

TREE = Path(__file__).resolve().parents[2]
CACHE = TREE / "build/bench"
MEMORY, VRAM, TIMEOUT = "1G", 256, 240
# TCG counts a step of `rep stosb' as an instruction, so that a page cleared bytewise is 4,096 of
# them. Without ERMS Linux clears by eight bytes, as it does on processors that lack it.
CPU = "max,-erms,-fsrm"
# 1600x1200 by 16 bits: a linear framebuffer of about 4.5 MiB as vesafb has it.
LINUX_WORDS = "console=ttyS0 quiet loglevel=0 panic=-1 transparent_hugepage=never vga=0x345"
LINUX_BARE = "mitigations=off nopti nokaslr"
ROW = re.compile(r"^(\S+)\t(\S+)\t(?:([0-9.]+)\t(\S+)|-\t(.*))$")
USAGE, FAILED, TIMED_OUT, UNAVAILABLE, INTERRUPTED = 2, 1, 124, 126, 130


def say(message: str) -> None:
    print(f"bench: {message}", file=sys.stderr, flush=True)


def fail(status: int, message: str) -> NoReturn:
    say(message)
    sys.exit(status)


@dataclass
class Row:
    """What one row took on one kernel; ticks is None, and why says why, when it has no number."""

    unit: str
    ticks: Optional[float]
    floor: float
    why: str


Rows = dict[str, Row]


def parse(output: str) -> Rows:
    rows: Rows = {}
    for line in output.splitlines():
        match = ROW.match(line)
        if match:
            name, unit, ticks, floor, why = match.groups()
            rows[name] = Row(unit, float(ticks) if ticks else None, float(floor or 0), why or "")
    return rows


# --- the two kernels -----------------------------------------------------------------------------


def run_kernel(name: str, command: list[str], line: re.Pattern, timeout: float) -> str:
    """What a kernel's console shows; ends the run if that has no such line."""
    say(f"{name} ...")
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=timeout)
    except subprocess.TimeoutExpired as expired:
        output = clean(expired.stdout or b"")
        fail(TIMED_OUT, f"{name} did not end within {timeout:g} s; rows seen: "
             f"{sum(bool(line.match(text)) for text in output.splitlines())}")
    output = clean(result.stdout)
    seen = sum(bool(line.match(text)) for text in output.splitlines())
    if result.returncode or not seen:
        last = [text for text in output.splitlines() if text.strip()][-5:]
        fail(FAILED, f"{name} printed {f'{seen} rows and failed' if seen else 'no row'} (exit "
             f"{result.returncode}); its last lines:\n  " + "\n  ".join(last))
    return output


def clean(console: bytes) -> str:
    return console.decode(errors="replace").replace("\r", "")


def quire(words: list[str], line: re.Pattern = ROW, program: str = "vmbench", release: bool = True,
          memory: str = MEMORY, cpus: int = 1, timeout: float = TIMEOUT) -> str:
    """What the program prints with these words."""
    command = [str(TREE / "scripts/run"), "--icount", "--cpu", CPU, "--mem", memory,
               "--vram", str(VRAM), "--smp", str(cpus), "--display", "none",
               "--timeout", str(timeout + 10)]
    command += ["--release"] if release else []
    return run_kernel("Quire, " + ("release" if release else "with assertions"),
                      command + ["--", f"/bin/{program}", *words], line, timeout)


def linux(kernel: Path, options: str, words: list[str], line: re.Pattern = ROW,
          program: str = "vmbench", memory: str = MEMORY, timeout: float = TIMEOUT) -> str:
    with tempfile.TemporaryDirectory(prefix="bench-") as tmp:
        initrd = Path(tmp) / "initrd.cpio"
        newc.main([str(initrd), f"{TREE}/build/user/{program}:init", "dev/", "proc/", "tmp/"])
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "pc",
                   "-accel", "tcg", "-cpu", CPU, "-smp", "1", "-m", memory, "-nic", "none",
                   "-no-reboot", "-vga", "none", "-device", f"VGA,vgamem_mb={VRAM}",
                   "-icount", "shift=0,sleep=off", "-seed", "1",
                   "-rtc", "base=2026-01-01T00:00:00,clock=vm", "-display", "none",
                   "-serial", "stdio", "-monitor", "none", "-kernel", str(kernel),
                   "-initrd", str(initrd),
                   "-append", " ".join([LINUX_WORDS, options, "--", *words])]
        return run_kernel("Linux, " + (options or "as Debian boots it"), command, line, timeout)


def output_of(*command: str, cwd: Optional[Path] = None) -> str:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    return result.stdout if result.returncode == 0 else ""


def find_linux() -> Optional[Path]:
    """Debian's kernel, fetched and unpacked once; None, and a line that says so, if it can't be."""
    def unpacked() -> list[Path]:
        return sorted(CACHE.glob("boot/vmlinuz-*"))

    if unpacked():
        return unpacked()[-1]
    package = re.search(r"Depends: (linux-image-\S+)",
                        output_of("apt-cache", "depends", "linux-image-amd64"))
    CACHE.mkdir(parents=True, exist_ok=True)
    if package:
        say(f"fetching {package[1]} ...")
        output_of("apt-get", "download", package[1], cwd=CACHE)
    for deb in CACHE.glob("linux-image-*.deb"):
        output_of("dpkg-deb", "-x", str(deb), str(CACHE))
        deb.unlink()
    if unpacked():
        return unpacked()[-1]
    say("no Linux to compare with: the package linux-image-amd64 cannot be had (try apt-get "
        "update, or --linux VMLINUZ); Quire alone")
    return None


def number(value: Optional[float]) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
