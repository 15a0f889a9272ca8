"""The live view of memory: what is mapped is on the screen, at once and where it belongs; off it is
not there."""

import re
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Iterator

import pytest
from gdbs import Debugged
from keyboard import Keyboard
from quire import PANICKED, Picture, boot, read_png

VIEW = ["--append", "memview"]
VIEW_FILES = ("memview.c", "memview_scan.c", "memview_draw.c")
PAGES = 3072  # of VRAM, less the view's own part
# Where drivers/memview_scan.c draws, and in which colours.
VRAM_LEFT, VRAM_TOP, VRAM_WIDE, VRAM_CELL = 8, 560, 128, 4
SPACES_LEFT, CELL = 544, 3
IDLE, DEVICE, LIGHT = (0x4A, 0x3A, 0x22), (0xF0, 0x93, 0x2B), (0xFF, 0xFF, 0xFF)
LEGEND = {IDLE: (271, 721), DEVICE: (271, 737)}


@pytest.fixture
def machine(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Keyboard]:
    keyboard = Keyboard(tmp_path, "fbhold", options=[*request.param])
    yield keyboard
    keyboard.end()


def is_view(picture: Picture) -> bool:
    return all(picture.pixel(*at) == color for color, at in LEGEND.items())


def wait_for_view(machine: Keyboard, is_shown: bool = True) -> Picture:
    for _ in range(100):
        picture = machine.screen()
        if is_view(picture) == is_shown:
            return picture
        time.sleep(0.05)
    raise AssertionError(f"the view is {'not ' if is_shown else ''}shown")


def vram(picture: Picture) -> list[tuple[int, int, int]]:
    """The colours of VRAM's pages."""
    half = VRAM_CELL // 2
    return [picture.pixel(VRAM_LEFT + i % VRAM_WIDE * VRAM_CELL + half,
                          VRAM_TOP + i // VRAM_WIDE * VRAM_CELL + half) for i in range(PAGES)]


def is_lit(color: tuple[int, int, int]) -> bool:
    """Between the colour of a device's page and white."""
    return all(low <= here <= high for low, here, high in zip(DEVICE, color, LIGHT))


def until_dark(machine: Keyboard) -> Picture:
    for _ in range(100):
        picture = machine.screen()
        if all(color in (DEVICE, IDLE) for color in vram(picture)):
            return picture
        time.sleep(0.05)
    raise AssertionError("it stays lit")


@pytest.mark.parametrize("machine", [VIEW], indirect=True)
def test_a_populated_run_lights_up_at_once(machine: Keyboard) -> None:
    assert set(vram(wait_for_view(machine))) == {IDLE}
    machine.press("ret")
    machine.expect("touched 0\n")
    seen = [vram(machine.screen()) for _ in range(12)]
    assert all(len(set(colors)) == 1 for colors in seen)  # all or nothing
    assert any(is_lit(colors[0]) and colors[0] != DEVICE for colors in seen)
    picture = until_dark(machine)
    assert set(vram(picture)) == {DEVICE}
    # In the address space: pages of 2 MiB, drawn without gaps.
    space = Counter(row[3 * x:3 * x + 3] for row in picture.rows
                    for x in range(SPACES_LEFT, SPACES_LEFT + 128 * CELL))
    assert space[bytes(DEVICE)] == PAGES * CELL * CELL


@pytest.mark.parametrize("machine", [["--append", "memview fb.populate=single"]], indirect=True)
def test_page_by_page_they_come_one_by_one(machine: Keyboard) -> None:
    wait_for_view(machine)
    for i in range(3):
        machine.press("ret")
        machine.expect(f"touched {i}\n")
    colors = vram(until_dark(machine))
    assert [i for i, color in enumerate(colors) if color == DEVICE] == [0, 1, 2]


@pytest.mark.parametrize("machine", [VIEW], indirect=True)
def test_a_key_puts_it_away(machine: Keyboard) -> None:
    wait_for_view(machine)
    machine.press("alt", "f12")
    mine = wait_for_view(machine, is_shown=False)
    assert set().union(*(set(row) for row in mine.rows)) == {0}  # fbhold's screen is black
    machine.press("alt", "f12")
    wait_for_view(machine)


@pytest.mark.parametrize("machine", [[]], indirect=True)
def test_without_the_option_there_is_none(machine: Keyboard) -> None:
    machine.press("alt", "f12")
    machine.press("ret")
    machine.expect("touched 0\n")
    assert not is_view(machine.screen())


@pytest.mark.skipif(not shutil.which("gdb"), reason="gdb is not installed")
def test_off_it_costs_nothing() -> None:
    """In a run with 4,096 faults none of its functions is called, but for the two that look, at
    start-up, whether it is wanted."""
    called = []
    with Debugged("/bin/faultbench", "single") as gdb:
        for file in VIEW_FILES:
            assert "Breakpoint" in gdb(f"rbreak drivers/{file}:.")
        while "closed" not in (stop := gdb("continue")):
            called += re.findall(r"^Breakpoint \d+, (\w+)", stop, re.M)
    assert called == ["memview_reserve", "memview_probe"]


def test_it_takes_its_part_of_vram_and_no_more() -> None:
    assert "4096 pages" in boot("fbhold").out
    viewed = boot("fbhold", options=VIEW).out
    assert f"{PAGES} pages" in viewed and "unknown option" not in viewed
    assert "memview" not in boot("/bin/ps").out


@pytest.mark.parametrize("options,said", [(["--vram", "4"], "are too few"),
                                          (["--vram", "0"], "no screen that can show it")])
def test_where_it_cannot_be(options: list[str], said: str) -> None:
    result = boot("/bin/hello", options=VIEW + options)
    assert result.status == 0 and said in result.out


@pytest.mark.parametrize("options", [[], ["--smp", "2"]])
def test_programs_run_under_it(options: list[str]) -> None:
    """Modes change and processes come and go while it is drawn."""
    for command in (["fbmodes"], ["forks", "memory", "ends", "family", "exec"]):
        result = boot(*command, options=options + VIEW)
        assert result.status == 0, result.out + result.err


def test_a_panic_shows_its_report(tmp_path: Path) -> None:
    target = tmp_path / "screen.png"
    result = boot("testdev", "/dev/testdev", "map:4:8:rw", "set:breach=extra", "w:6", options=[
        "--append", "memview testdev", "--screenshot", target])
    assert result.status == PANICKED
    picture = read_png(target)
    assert not is_view(picture)
    assert any(set(row) > {0} for row in picture.rows)  # text
