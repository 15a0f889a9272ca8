"""The tree stays small: lines of code, and the kernel's text."""

import re
import subprocess
from pathlib import Path

from quire import TREE


def count_lines(folder: str) -> int:
    files = [p for p in (TREE / folder).rglob("*") if p.suffix in (".c", ".h", ".S")]
    return sum(len(p.read_bytes().splitlines()) for p in files)


def test_lines() -> None:
    assert count_lines("kernel") < 42000
    assert count_lines("kernel/vm") < 7000


def test_text_size() -> None:
    sections = subprocess.run(["readelf", "-SW", TREE / "build/quire.elf"], capture_output=True,
                              text=True, check=True).stdout
    size = re.search(r" \.text +PROGBITS +\S+ +\S+ +([0-9a-f]+)", sections)
    assert size and int(size[1], 16) < 400 << 10


def test_segments_are_not_writable_and_executable() -> None:
    segments = subprocess.run(["readelf", "-lW", TREE / "build/quire.elf"], capture_output=True,
                              text=True, check=True).stdout
    loads = [line.split() for line in segments.splitlines() if line.strip().startswith("LOAD")]
    assert loads and not [load for load in loads if "W" in load[6] and "E" in load[6:8]]


def test_licence_is_there() -> None:
    assert "Redistribution and use" in Path(TREE / "LICENSE").read_text()
