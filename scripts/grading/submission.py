"""What is taken from a submission: the lab's source files, each a text of bounded size, and nothing
else. Whatever else is there, a Makefile, scripts, tests, is not looked at."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from grading.lab import Lab

MAX_BYTES = 1 << 20


class Refused(Exception):
    """The submission cannot be graded; the text tells the student why."""


@dataclass
class Submission:
    files: dict[str, bytes] = field(default_factory=dict)  # by their names in the tree
    notes: list[str] = field(default_factory=list)  # what was mended


def candidates(folder: Path, name: str) -> list[Path]:
    """Where a file may be: at its place, alone, or in a folder that was packed with all in it."""
    nested = sorted(path / name for path in folder.iterdir() if path.is_dir())
    return [folder / name, folder / Path(name).name, *nested]


def locate(folder: Path, name: str) -> Path | None:
    for path in candidates(folder, name):
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        return path
    return None


def read(path: Path, folder: Path, name: str) -> bytes:
    """A file of the submission's own; links may lead about in it, not out of it."""
    try:
        real = path.resolve()
    except (OSError, RuntimeError):
        raise Refused(f"{name} is a link that leads nowhere") from None
    if not real.is_relative_to(folder.resolve()):
        raise Refused(f"{name} is a link to something outside of the submission")
    try:
        fd = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        raise Refused(f"{name} cannot be read: {error.strerror}") from None
    with open(fd, "rb") as src:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Refused(f"{name} is not a file")
        data = src.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Refused(f"{name} is longer than {MAX_BYTES >> 20} MiB")
    return data


def as_text(data: bytes, name: str, notes: list[str]) -> bytes:
    if b"\0" in data:
        raise Refused(f"{name} is not a C source: it has NUL bytes (an object file? UTF-16?)")
    if data.startswith(b"\xef\xbb\xbf"):
        notes.append(f"{name}: began with a byte-order mark, which was left out")
        data = data[3:]
    if b"\r" in data:
        notes.append(f"{name}: had DOS line ends (CR LF), which were changed to LF")
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def collect(folder: Path, lab: Lab) -> Submission:
    if not folder.is_dir():
        raise Refused(f"{folder} is not a folder")
    taken = Submission()
    places = {name: locate(folder, name) for name in lab.files}
    missing = [name for name, path in places.items() if path is None]
    if missing:
        raise Refused(f"it has no file {' and no file '.join(missing)}")
    for name, path in places.items():
        taken.files[name] = as_text(read(path, folder, name), name, taken.notes)
    return taken
