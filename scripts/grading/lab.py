"""A lab and its tests, as tests/labs/N-name/lab.toml describes them: docs/labs/grading.md."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib

TREE = Path(__file__).resolve().parents[2]
LABS = TREE / "tests/labs"
SHARED = LABS / "shared"  # programs of more than one lab
KINDS = ("host", "boot", "output")
VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")


class BadLab(Exception):
    """The description of a lab is wrong, or there is none; the text says how."""


@dataclass(frozen=True)
class Test:
    id: str
    title: str
    points: float
    kind: str
    expect: str  # one sentence: what a right solution does
    folder: Path  # where its source is
    args: tuple[str, ...] = ()
    smp: int = 1
    mem: str = "256M"
    append: str = ""  # words for the kernel's command line
    limit: int = 500  # host: million basic blocks of kernel/vm; else million instructions
    jitter: tuple[int, ...] = ()  # seeds: once for each, all must pass
    output: str | None = None  # what an "output" test must print
    visibility: str = "visible"
    is_given: bool = True  # students have its source

    @property
    def program(self) -> Path:
        """The source of a boot test."""
        own = self.folder / f"{self.id}.c"
        return own if own.is_file() else SHARED / own.name


@dataclass(frozen=True)
class Lab:
    number: int
    title: str
    folder: Path
    files: tuple[str, ...]
    tests: tuple[Test, ...] = field(default=())

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def points(self) -> float:
        return sum(test.points for test in self.tests)


TYPES = {"id": str, "title": str, "points": (int, float), "kind": str, "expect": str, "args": list,
         "smp": int, "mem": str, "append": str, "limit": int, "jitter": list, "output": str,
         "visibility": str}


def make_test(data: dict[str, Any], folder: Path, is_given: bool) -> Test:
    where = f"{folder / 'lab.toml'}: test {data.get('id', '?')}"
    for key, value in data.items():
        if key not in TYPES:
            raise BadLab(f"{where}: there is no key {key}")
        if not isinstance(value, TYPES[key]) or isinstance(value, bool):
            raise BadLab(f"{where}: {key} is of the wrong type")
    missing = {"id", "title", "points", "kind", "expect"} - data.keys()
    if missing:
        raise BadLab(f"{where}: no {', '.join(sorted(missing))}")
    if data["kind"] not in KINDS or not re.fullmatch(r"\w+", data["id"]) or data["points"] < 0:
        raise BadLab(f"{where}: kind is one of {', '.join(KINDS)}; id a word; points not negative")
    if data.get("visibility", "visible") not in VISIBILITIES:
        raise BadLab(f"{where}: visibility is one of {', '.join(VISIBILITIES)}")
    fields = {key: tuple(value) if isinstance(value, list) else value
              for key, value in data.items()}
    return Test(folder=folder, is_given=is_given, **fields)


def read_toml(folder: Path) -> dict[str, Any]:
    try:
        with open(folder / "lab.toml", "rb") as src:
            return tomllib.load(src)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadLab(f"{folder / 'lab.toml'}: {error}") from None


def load(folder: Path, hidden: Path | None) -> Lab:
    """The lab of this folder; tests of the folder hidden are added, or replace those of their
    id."""
    data = read_toml(folder)
    tests = {}
    for place in [folder] + ([hidden] if hidden else []):
        for one in read_toml(place).get("test", []):
            test = make_test(one, place, is_given=place == folder)
            tests[test.id] = test
    try:
        files = tuple(data["files"])
        lab = Lab(data["lab"], data["title"], folder, files, tuple(tests.values()))
    except KeyError as error:
        raise BadLab(f"{folder / 'lab.toml'}: no {error}") from None
    for name in lab.files:
        if Path(name).is_absolute() or ".." in Path(name).parts or not name.endswith((".c", ".h")):
            raise BadLab(f"{folder / 'lab.toml'}: {name} is no C source of the tree")
    if not lab.tests:
        raise BadLab(f"{folder / 'lab.toml'}: no tests")
    return lab


def find(word: str, hidden: Path | None) -> Lab:
    """By its number, its name, or the folder of its lab.toml."""
    if (Path(word) / "lab.toml").is_file():
        return load(Path(word).resolve(), hidden)
    found = [path.parent for path in LABS.glob("*/lab.toml")
             if path.parent.name == word or re.match(rf"{re.escape(word)}-", path.parent.name)]
    if len(found) != 1:
        raise BadLab(f"there is no lab {word}")
    return load(found[0], hidden)
