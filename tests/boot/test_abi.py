"""Differential tests: each check of tests/abi says on Quire what it says on Linux. The host's
Linux is asked, and tests/abi/differences.txt where its answer cannot be relied on or another is
meant."""

import re
from dataclasses import dataclass, field
from functools import cache

import pytest

from quire import TREE, boot, on_host

KNOWN = TREE / "tests/abi/differences.txt"
DOC = TREE / "docs/linux-abi.md"


@dataclass
class Known:
    linux: dict[str, str] = field(default_factory=dict)  # in place of what the host says
    quire: dict[str, str] = field(default_factory=dict)  # meant to differ
    pending: list[str] = field(default_factory=list)  # families that are not there yet


@cache
def known() -> Known:
    """The lines of differences.txt: "linux: CHECK = RESULT", "quire: CHECK = RESULT", "pending:
    FAMILY"; "#" begins a remark."""
    found = Known()
    for line in KNOWN.read_text().splitlines():
        kind, _, rest = line.partition(": ")
        if not line or line.startswith("#"):
            continue
        if kind == "pending":
            found.pending.append(rest)
        else:
            check, _, value = rest.rpartition(" = ")
            {"linux": found.linux, "quire": found.quire}[kind][check] = value
    return found


def checks(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        check, equals, value = line.partition(" = ")
        if equals:
            found[check] = value
    return found


@cache
def linux() -> dict[str, str]:
    """As the host says, but for what is recorded."""
    result = on_host("abi")
    assert result.status == 0, result
    return checks(result.out) | known().linux


@cache
def quire() -> dict[str, str]:
    result = boot("abi", options=["--append", "loglevel=3"], timeout=300)
    assert result.status == 0, result
    return checks(result.out)


def test_each_check_has_a_name_of_its_own() -> None:
    said = [line.partition(" = ")[0] for line in on_host("abi").lines() if " = " in line]
    assert len(said) == len(set(said)), {name for name in said if said.count(name) > 1}


def families() -> list[str]:
    sources = "\n".join(path.read_text() for path in sorted((TREE / "tests/abi").glob("*.c")))
    return re.findall(r"^FAMILY\((\w+)\)", sources, re.M)


def not_there(value: str | None) -> bool:
    """All that a check says is that there is no such call; docs/linux-abi.md has those."""
    return value is not None and set(re.findall(r"[A-Z]{2,}", value)) == {"ENOSYS"}


def differences(family: str) -> list[str]:
    here = {k: v for k, v in linux().items() if k.startswith(f"{family}: ")}
    there = {k: v for k, v in quire().items() if k.startswith(f"{family}: ")}
    assert here
    meant = known().quire
    return [f"{check}: Linux says {here.get(check)}, Quire {there.get(check)}"
            for check in here | there
            if there.get(check) != meant.get(check, here.get(check))
            and not not_there(there.get(check))]


@pytest.mark.parametrize("family", families())
def test_family(family: str) -> None:
    different = differences(family)
    if family in known().pending:
        assert different, f"{family} is as on Linux: take it out of {KNOWN.name}"
        pytest.skip(f"{len(different)} differences: not built yet")
    assert not different, "\n".join(different)


def test_there_are_enough_checks() -> None:
    assert len(linux()) >= 600


@pytest.mark.parametrize("check", known().quire)
def test_a_difference_that_is_meant(check: str) -> None:
    """It still is one, and the documentation says why."""
    assert quire()[check] == known().quire[check] != linux()[check]
    assert check in DOC.read_text()
