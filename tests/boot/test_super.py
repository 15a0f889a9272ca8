"""Superpages (clauses S1 to S6): what they save, and that nothing else tells them from small entries."""

import re
from pathlib import Path

import pytest

from quire import boot, killed_by

MIB_PAGES = 256


@pytest.mark.parametrize("vram", [16, 64, 256])
def test_S1_stores(vram: int) -> None:
    """All of VRAM by one fault: an entry for 2 MiB, or for 4 KiB where they are not wanted."""
    result = boot("fbsuper", "table", options=["--vram", vram])
    assert result.status == 0, result
    values = result.values()
    pages = vram * MIB_PAGES
    for name, stores in ("whole", pages // 512), ("advised", pages), ("off", pages), \
            ("again", pages // 512):
        assert values[f"{name} faults"] == 1
        assert values[f"{name} stores"] == stores
        assert values[f"{name} superpages"] == (stores if stores < pages else 0)


def test_S3_parts() -> None:
    result = boot("fbsuper", "parts")
    assert (result.status, result.out) == (0, ""), result


@pytest.mark.parametrize("how", ["munmap", "mprotect"])
def test_S3_segv_in_the_part_that_changed(how: str) -> None:
    result = boot("fbsuper", "die", how)
    assert result.status == killed_by("SIGSEGV"), result
    assert result.lines()[0] == "so far" and "still alive" not in result.out


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_S3_random_changes(seed: int) -> None:
    result = boot("fbsuper", "random", str(seed), "1500", options=["--vram", 8])
    assert (result.status, result.out) == (0, "demotions 1\n" * 2), result


def test_U1_unmanaged_superpages() -> None:
    """By superpages, and small entries for a part that changes, also of frames without pages."""
    result = boot("rawsuper", options=["--append", "testdev"])
    assert (result.status, result.out) == (0, ""), result


@pytest.fixture(scope="module")
def ticks() -> dict[str, int]:
    result = boot("fbticks", options=["--icount", "--mem", "256M"])
    assert result.status == 0
    print(result.out)
    return result.values()


def test_S6_instructions_by_small_entries(ticks: dict[str, int]) -> None:
    """mmap and a store to each page, by one fault: 20 a page. munmap: 10 a page."""
    pages = ticks["pages"]
    assert pages == 4096
    made = ticks["small mmap"] + ticks["small first touch"] + ticks["small touches"]
    assert made <= 20 * pages
    assert ticks["small munmap"] <= 10 * pages


def test_S1_instructions_by_superpages(ticks: dict[str, int]) -> None:
    """mmap, the one fault and munmap; the stores to the other pages are the program's own affair."""
    assert ticks["super touches"] == ticks["small touches"]
    assert ticks["super mmap"] + ticks["super first touch"] <= 4_700
    assert ticks["super munmap"] <= 6_700


def test_S1_S3_smaps() -> None:
    """FilePmdMapped: all, none, and all but the superpage of which a page was locked."""
    result = boot("fbsmaps", options=["--vram", "16"])
    *maps, fields = result.lines()
    assert result.status == 0 and sorted(maps) == [
        "16380 kB: resident 16380 super 14336 locked 0",
        "16384 kB: resident 16384 super 0 locked 0 refused",
        "16384 kB: resident 16384 super 16384 locked 0",
        "4 kB: resident 4 super 0 locked 4"], result
    host = re.findall(r"^(\w+):", Path("/proc/self/smaps").read_text(), re.M)
    assert [name for name in fields.split()[1:] if name not in host] == []
