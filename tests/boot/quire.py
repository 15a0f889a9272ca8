"""What the boot tests share: start scripts/run, look at what came of it."""

import os
import signal
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

TREE = Path(__file__).resolve().parents[2]
RUN = TREE / "scripts/run"
PROGRAMS = TREE / "build/tests"
TIMED_OUT, PANICKED, UNAVAILABLE = 124, 125, 126


@dataclass
class Result:
    status: int
    out: str
    err: str

    def lines(self) -> list[str]:
        return self.out.splitlines()

    def values(self) -> dict[str, int]:
        """The lines "name number"."""
        pairs = (line.rpartition(" ") for line in self.lines())
        return {name: int(value) for name, _, value in pairs if value.isdigit()}


def run_script(*words: object, stdin: bytes = b"", env: dict[str, str] | None = None) -> Result:
    """scripts/run with these words."""
    done = subprocess.run([str(RUN), *map(str, words)], input=stdin, capture_output=True,
                          env=env, timeout=600)
    return Result(done.returncode, done.stdout.decode(errors="replace"),
                  done.stderr.decode(errors="replace"))


def processors(options: Iterable[object] = ()) -> list[str]:
    """As many as SMP in the environment says (make test-boot SMP=2), unless by the other options
    instructions are counted or the run is recorded: QEMU records one processor."""
    counted = {"--icount", "--record", "--replay"} & set(options)
    return [] if counted or "SMP" not in os.environ else ["--smp", os.environ["SMP"]]


def boot(*command: str, add: Iterable[object] = (), options: Iterable[object] = (),
         timeout: int = 120, stdin: bytes = b"") -> Result:
    """Boot and run command. A program of tests/boot/programs is named without a folder."""
    options = list(options)
    words: list[object] = ["--display", "none", "--timeout", timeout, *processors(options)]
    for host in add:
        words += ["--add", host]
    words += options
    if command and "/" not in command[0]:
        words += ["--add", PROGRAMS / command[0]]
        command = ("/bin/" + command[0], *command[1:])
    return run_script(*words, *(["--", *command] if command else []), stdin=stdin)


def on_host(*command: str) -> Result:
    """The same program here; its status as a shell would give it."""
    done = subprocess.run([str(PROGRAMS / command[0]), *command[1:]], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=120)
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return Result(status, done.stdout.decode(), done.stderr.decode())


def killed_by(name: str) -> int:
    return 128 + getattr(signal, name)


@dataclass
class Picture:
    width: int
    height: int
    rows: list[bytes]  # three bytes a pixel

    def pixel(self, x: int, y: int) -> tuple[int, int, int]:
        r, g, b = self.rows[y][3 * x:3 * x + 3]
        return r, g, b


def _unfilter(kind: int, line: bytearray, above: bytes) -> bytes:
    """Undo one of PNG's five filters on a line of RGB."""
    for i in range(len(line)):
        a = line[i - 3] if i >= 3 else 0
        b = above[i]
        if kind == 1:
            guess = a
        elif kind == 2:
            guess = b
        elif kind == 3:
            guess = (a + b) >> 1
        else:
            c = above[i - 3] if i >= 3 else 0
            p = a + b - c
            guess = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        line[i] = (line[i] + guess) & 0xFF
    return bytes(line)


def read_png(path: os.PathLike) -> Picture:
    """An RGB picture of 8 bits a channel, not interlaced, as QEMU writes it."""
    data = Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, header = 8, b"", b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        header = body if kind == b"IHDR" else header
        packed += body if kind == b"IDAT" else b""
        at += 12 + size
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    assert (depth, colour, interlace) == (8, 2, 0)
    raw, above, rows = zlib.decompress(packed), bytes(3 * width), []
    for y in range(height):
        start = y * (3 * width + 1)
        line = bytearray(raw[start + 1:start + 1 + 3 * width])
        above = _unfilter(raw[start], line, above) if raw[start] else bytes(line)
        rows.append(above)
    return Picture(width, height, rows)
