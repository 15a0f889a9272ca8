"""What is on the screen is what the program drew."""

from pathlib import Path

import pytest

from quire import Picture, boot, read_png


def drawn(picture: Picture) -> list[tuple[int, int]]:
    """The pixels that are not as fbdraw draws them, of a grid that hits every quarter."""
    wrong = []
    for y in range(0, picture.height, 13):
        for x in range(0, picture.width, 7):
            value = (x & 255, y & 255, (x >> 8) * 16 + (y >> 8))
            if picture.pixel(x, y) != value:
                wrong.append((x, y))
    return wrong


@pytest.mark.parametrize("firmware", ["direct", "bios", "uefi"])
@pytest.mark.parametrize("policy", ["off", "single", "window:16", "whole"])
def test_pixels(policy: str, firmware: str, tmp_path: Path) -> None:
    if firmware != "direct" and policy != "whole":
        pytest.skip("the policy is the same whoever booted")
    shot = tmp_path / "screen.png"
    result = boot("fbdraw", options=["--screenshot", shot, "--firmware", firmware,
                                     "--append", f"fb.populate={policy}"])
    assert result.status == 0, result
    picture = read_png(shot)
    assert (picture.width, picture.height) == (1024, 768)
    assert "line" not in result.out
    assert drawn(picture) == []


@pytest.mark.parametrize("width,height", [(640, 480), (800, 600), (1280, 1024)])
def test_mode_change(width: int, height: int, tmp_path: Path) -> None:
    shot = tmp_path / "screen.png"
    result = boot("fbdraw", str(width), str(height), options=["--screenshot", shot])
    assert result.status == 0, result
    picture = read_png(shot)
    assert (picture.width, picture.height) == (width, height)
    assert drawn(picture) == []


def test_mode_on_the_command_line(tmp_path: Path) -> None:
    result = boot("fbdraw", options=["--append", "fb.mode=800x600"])
    assert result.out.startswith("800 x 600,")


def test_no_screen() -> None:
    result = boot("fbbad", options=["--vram", 0])
    assert (result.status, result.out) == (1, "/dev/fb0: No such device\n")


def test_bad_uses_of_the_framebuffer() -> None:
    result = boot("fbbad")
    assert result.status == 0
    assert result.out.splitlines() == [
        "all: ok",
        "the last page: ok",
        "private: ok",
        "a byte: ok",
        "one page too many: Invalid argument",
        "over the end: Invalid argument",
        "past the end: Invalid argument",
        "far past the end: Invalid argument",
        "an odd offset: Invalid argument",
        "nothing: Invalid argument",
        "offset wraps: Value too large for data type",
        "length wraps: Out of memory",
        "get: ok",
        "same mode: ok",
        "a mode with no end: Invalid argument",
        "a mode whose size wraps: Invalid argument",
        "a mode too big for VRAM: Invalid argument",
        "100 bits a pixel: Invalid argument",
        "pan far away: Invalid argument",
        "pan from nowhere: Bad address",
        "get to nowhere: Bad address",
        "fix to nowhere: Bad address",
        "no such ioctl: Not a tty",
        "seek to the end: ok",
        "read at the end: 0",
        "write at the end: No space left on device",
        "read over the end: 10",
        "write over the end: 10",
        "read to nowhere: Bad address",
        "write from nowhere: Bad address",
        "seek below zero: Invalid argument",
    ]
