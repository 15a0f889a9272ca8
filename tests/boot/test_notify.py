"""Damage tracking (W1) and mode changes (R1) as a program sees them."""

import pytest

from quire import Result, boot

PAGES = 4096


def span(first: int, last: int) -> str:
    return f"{last - first + 1} damaged: {first}-{last}"


def window(policy: str, page: int) -> tuple[int, int]:
    """The pages that a fault at page brings in."""
    kind, _, size = policy.partition(":")
    if policy == "whole":
        return 0, PAGES - 1
    n = int(size) if kind == "window" else 1
    return page - page % n, page - page % n + n - 1


@pytest.fixture(scope="module", params=["whole", "window:16", "single", "off"])
def damage(request: pytest.FixtureRequest) -> tuple[str, Result]:
    return request.param, boot("fbdamage", request.param)


def lines(result: Result) -> dict[str, str]:
    """What comes after the first colon; of lines of one name the last."""
    return {name: text.strip() for name, _, text in (x.partition(":") for x in result.lines())}


def test_W1_damage_is_what_a_fault_upgrades(damage: tuple[str, Result]) -> None:
    policy, result = damage
    assert result.status == 0, result
    got = lines(result)
    reads = {"whole": 1, "window:16": PAGES // 16}.get(policy, PAGES)
    assert got["read"] == f"{reads} faults, 0 damaged:"
    assert got["write 3"] == f"1 faults, {span(*window(policy, 3))}"
    assert got["write 100 again"] == f"1 faults, {span(*window(policy, 100))}"
    assert got["write 200"] == f"1 faults, {span(*window(policy, 200))}"
    if policy in ("single", "off"):
        assert got["write 100 101"] == f"2 faults, {span(100, 101)}"
    else:
        assert got["write 100 101"] == f"1 faults, {span(*window(policy, 100))}"


def test_W1_damage_by_calls(damage: tuple[str, Result]) -> None:
    policy, result = damage
    got = lines(result)
    assert got["pwrite"] == f"0 faults, {span(8, 11)}"
    assert got["read(2) into page 300"] == f"1 faults, {span(*window(policy, 300))}"


def test_W1_damage_as_text_is_only_a_look(damage: tuple[str, Result]) -> None:
    policy, result = damage
    first, last = window(policy, 200)
    texts = [line for line in result.lines() if line.startswith("text:")]
    assert texts == ["text:", f"text: {first}-{last}", f"text: {first}-{last}", "text:"]


def test_W1_damage_that_cannot_be_told_is_not_lost(damage: tuple[str, Result]) -> None:
    policy, result = damage
    got = lines(result)
    assert [got[name] for name in ("bitmap nowhere", "struct nowhere", "reserved",
                                   "a page too many", "past the end", "wraps", "no page")] == [
        "Bad address", "Bad address", "Invalid argument", "Invalid argument", "Invalid argument",
        "Invalid argument", "ok"]
    assert got["page 5 after these"] == f"1 faults, {span(*window(policy, 5))}"
    assert int(got["its first byte"]) == (64 if policy in ("single", "off") else 255)
    first, last = window(policy, 400)
    assert got["drawn on by that"].endswith(f"-{last}")


def test_W1_damage_outlives_its_mapping(damage: tuple[str, Result]) -> None:
    policy, result = damage
    assert lines(result)["write 7, munmap"] == f"1 faults, {span(*window(policy, 7))}"


def test_W1_mode_change_damages_all(damage: tuple[str, Result]) -> None:
    assert lines(damage[1])["mode change"] == f"0 faults, {span(0, PAGES - 1)}"


def test_W1_off_at_first_and_again(damage: tuple[str, Result]) -> None:
    got = lines(damage[1])
    assert (got["while it is off"], got["off again"]) == ("Not supported", "Not supported")


@pytest.mark.parametrize("option,value", [("", "0"), ("fb.damage=1", "1"), ("fb.damage=0", "0"),
                                          ("fb.damage=yes", "0")])
def test_W1_damage_on_the_command_line(option: str, value: str) -> None:
    result = boot("/bin/cat", "/proc/sys/dev/fb/damage", options=["--append", option or "aslr=0"])
    assert result.status == 0
    assert result.lines()[-1] == value
    assert ("bad fb.damage=yes" in result.out) == (option == "fb.damage=yes")


def test_W1_damage_without_a_screen() -> None:
    result = boot("/bin/cat", "/proc/quire/fb/damage", "/proc/sys/dev/fb/damage",
                  options=["--vram", 0, "--append", "fb.damage=1"])
    assert (result.status, result.out) == (0, "1\n")


def test_R1_mode_change_takes_all_mappings_back() -> None:
    """One fault for each mapping: where the pages are resident already, of the superpage that they are
    part of. mlock of 64 pages makes them an entry of their own, which is enough of a block for the pager
    to bring all of it."""
    result = boot("fbmodes")
    assert result.status == 0, result
    second = result.lines()[-11:]
    assert second == [
        "mapped: 1, then 0; the other 1",
        "again: 0, then 0; the other 0",
        "another mode: 1, then 0; the other 1",
        "panned: 0, then 0; the other 0",
        "the same mode: 0, then 0; the other 0",
        "mlocked, another mode: 1, then 0; the other 1",
        "objects: the same",
        "map_entries: the same",
        "pv_entries: the same",
        "pages_busied: the same",
        "pt_pages: the same",
    ]
