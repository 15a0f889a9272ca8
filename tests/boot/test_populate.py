"""The table of the populate contract: how many faults each policy costs, by getrusage."""

import pytest

from quire import boot

MIB_PAGES = 256
POLICIES = ["off", "single", "window:16", "window:1", "window:7", "window:1024", "whole"]


def expected(policy: str, pages: int) -> int:
    if policy == "whole":
        return 1
    kind, _, size = policy.partition(":")
    return -(-pages // int(size)) if kind == "window" else pages


@pytest.mark.parametrize("vram,firmware", [(16, "direct"), (16, "bios"), (16, "uefi"),
                                           (4, "direct"), (64, "direct"), (256, "direct")])
def test_faults_by_policy(vram: int, firmware: str) -> None:
    """Each page written once; and what was written is what a later mapping reads."""
    policies = POLICIES if vram <= 64 else ["window:1024", "whole"]
    result = boot("fbfaults", *policies, options=["--vram", vram, "--firmware", firmware])
    assert result.status == 0, result
    pages = vram * MIB_PAGES
    written = [line for line in result.lines() if " write:" in line]
    assert written == [f"{p} write: pages {pages} faults {expected(p, pages)}" for p in policies]
    assert not [line for line in result.lines() if line.startswith("page ")]


@pytest.mark.parametrize("policy", ["off", "single", "window:16", "whole"])
def test_policy_on_the_command_line(policy: str) -> None:
    result = boot("/bin/cat", "/proc/sys/dev/fb/populate",
                  options=["--append", f"fb.populate={policy}"])
    assert (result.status, result.out) == (0, policy + "\n")


def test_faultbench() -> None:
    result = boot("/bin/faultbench", "--tsv", "--all")
    assert result.status == 0
    header, *rows = (line.split("\t") for line in result.lines())
    table = {row[0]: dict(zip(header, row)) for row in rows}
    assert set(table) == {"off", "single", "window:16", "whole"}
    for policy, row in table.items():
        assert int(row["pages"]) == 4096
        assert int(row["majflt"]) + int(row["minflt"]) == expected(policy, 4096)
