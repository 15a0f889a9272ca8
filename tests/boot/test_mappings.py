"""What mappings of the device and of files do beside populate: locked, private, read-only, copied through, read
around."""

import pytest

from quire import boot, killed_by

VRAM_KB = 16384
PAGES = 256


@pytest.mark.parametrize("policy", ["whole", "window:16", "off"])
def test_P14_locked_memory_and_copies_to_the_device(policy: str) -> None:
    result = boot("devlock", options=["--append", f"fb.populate={policy}"])
    assert result.status == 0 and result.lines()[-1] == "done", result
    assert "lost" not in result.out
    faults_on_fault = {"whole": 1, "window:16": 256, "off": 4096}[policy]
    expected = {
        "vram locked before": 0, "vram locked": VRAM_KB, "vram faults after mlock": 0,
        "vram locked after a quarter was unlocked": VRAM_KB * 3 // 4,
        "vram locked after a half was unmapped": VRAM_KB // 4,
        "vram faults with MAP_LOCKED": 0, "vram faults with MAP_POPULATE": 0,
        "vram faults after MCL_FUTURE": 0, "vram locked after MCL_FUTURE": VRAM_KB,
        "vram locked after munlockall": 0, "vram faults on fault": faults_on_fault,
        "vram locked on fault": VRAM_KB, "vram locked at the end": 0,
        "on fault taken": 16, "on fault locked": 64, "mlockall takes it": 1,
        "munlockall leaves": 0, "moved: faults to read": 0, "grown: wired": 16,
        "grown: faults": 0, "grown: locked": 128,
        "read into vram": 65536, "read into vram differs": 0,
        "write from vram": 65536, "write from vram differs": 0,
        "vram into vram": 65536, "vram into vram differs": 0, "read half past vram": 32768,
    }
    for what in ("anonymous", "private file", "shared file", "private vram"):
        expected |= {f"{what} wired": 16, f"{what} faults": 0,
                     f"{what} wired without a page": 15, f"{what} wired after": 0}
    values = result.values()
    assert {name: values.get(name) for name in expected} == expected
    assert result.lines().count("read into read-only vram -1") == 2
    assert result.lines().count("read over the end of vram -1") == 2


@pytest.mark.parametrize("policy,faults", [("whole", 1), ("single", 4096), ("off", 4096)])
def test_P4_P23_private_and_read_only_mappings(policy: str, faults: int) -> None:
    """Private writes never reach VRAM; what is made writable later takes no second populate."""
    result = boot("devprivate", options=["--append", f"fb.populate={policy}"])
    assert result.status == 0 and result.lines()[-1] == "done", result
    assert "lost" not in result.out
    values = result.values()
    assert values["copies"] == 8 and values["faults to read"] == faults
    assert values["private reads wrong"] == values["private writes wrong"] == 0
    assert values["private after shared writes wrong"] == 0
    if policy == "whole":
        assert values["populates"] == 1


@pytest.mark.parametrize("mode", ["write-shared", "write-private"])
def test_write_to_a_mapping_made_to_read(mode: str) -> None:
    """SIGSEGV, and by the log's words SEGV_ACCERR: there is a mapping."""
    result = boot("devprivate", mode)
    assert result.status == killed_by("SIGSEGV")
    assert "read 1" in result.out and "written" not in result.out
    assert "SIGSEGV: write to" in result.out and "not writable" in result.out


def test_O1_faults_by_window() -> None:
    windows = [0, 1, 2, 16, 100, 512]
    result = boot("fileread", *map(str, windows))
    assert result.status == 0 and result.lines()[-1] == "done", result
    assert "lost" not in result.out and "wrong" not in result.out
    values = result.values()
    for window in windows:
        for how in ("forwards", "backwards", "private", "writable"):
            assert values[f"{window} {how}"] == -(-PAGES // max(window, 1))
    # Half the windows have a hole: it cuts the range short, and its own fault takes what is after it. The
    # program's first pages may come by a fault or two here.
    assert 16 + 8 <= values["16 with holes"] <= 16 + 8 + 2


@pytest.mark.parametrize("value,status", [("513", "Invalid"), ("x", "Invalid"), ("512", "done")])
def test_O1_window_has_a_maximum(value: str, status: str) -> None:
    assert status in boot("fileread", value).out


def test_O1_cost_of_reading_a_mapped_file() -> None:
    """In instructions: the goal is 300 a page (299.6 measured; how scattered the file's pages lie is worth some),
    Linux takes 591."""
    result = boot("/bin/faultbench", "micro", "--tsv", options=["--icount"])
    assert result.status == 0, result
    costs = dict(line.split("\t") for line in result.lines())
    assert float(costs["file-read"]) <= 310
