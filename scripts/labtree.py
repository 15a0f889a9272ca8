"""The labs: their descriptions, the regions marked in the source, and the starter's tree.

A region of lab 3 is, in a C source, in whole lines:

    /* LAB(3): what is to be written here, a hint of one to four lines. */
    the solution, as it is in the kernel
    /* LAB(3) starter:
     *	what a starter has in its place (may be left out)
     */
    /* LAB(3) end */

A starter of lab 3 keeps the hint, as a comment `LAB 3: …`, and of the rest the starter's part. Of
all other labs it has the solution, and no marker.
"""

import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import mutant

TREE = Path(__file__).resolve().parent.parent
LABS = TREE / "tests/labs"
# What is not in a starter: solutions, what quotes them, and what is of use with them only.
KEPT_BACK = ("tests/mutants/", "tests/labs/", "tests/instructor.mk", "tests/boot/test_labs.py",
             "scripts/labs", "scripts/labtree.py", "scripts/mutant.py", ".ci/")
# The one commit of a starter is the same whoever makes it.
COMMIT = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in
          {"NAME": "Quire", "EMAIL": "quire@localhost", "DATE": "2026-01-01T00:00:00Z"}.items()}
MARK = re.compile(r"^[ \t]*/\* LAB\((\d+)\)( starter:|: | end \*/)(.*)$")


class BadLab(Exception):
    """A marker or a description is not as it should be; the text says where and what."""


@dataclass(frozen=True)
class Region:
    lab: int
    hint: list[str]  # the lines of its comment, as in the source
    solution: list[str]
    starter: list[str]


@dataclass(frozen=True)
class Lab:
    number: int
    folder: Path
    title: str
    files: list[str]
    tests: dict[str, dict]  # by id
    is_hidden: bool  # the tests, and what they are, stay with the instructor
    boots: bool  # a starter can run programs
    withheld: list[str]  # files that a starter does not have, because they tell too much

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def text(self) -> Path:
        return TREE / f"docs/labs/{self.name}.md"

    @property
    def planted(self) -> list[Path]:
        """What is broken in a starter, on purpose: files like those of tests/labs/mutants."""
        return sorted(self.folder.glob("plant/*.mutant"))

    def variants(self, kind: str) -> list[Path]:
        """Its files of tests/labs/mutants or right."""
        return sorted((LABS / kind).glob(f"{self.number}-*.mutant"))


def load(folder: Path) -> Lab:
    with open(folder / "lab.toml", "rb") as src:
        data = tomllib.load(src)
    tests = {test["id"]: test for test in data["test"]}
    if len(tests) != len(data["test"]):
        raise BadLab(f"{folder.name}: two tests have one id")
    if not folder.name.startswith(f"{data['lab']}-"):
        raise BadLab(f"{folder.name}: its lab.toml is of lab {data['lab']}")
    return Lab(data["lab"], folder, data["title"], data["files"], tests, data.get("hidden", False),
               data.get("boots", True), data.get("withheld", []))


def all_labs() -> dict[int, Lab]:
    labs = [load(path.parent) for path in LABS.glob("*/lab.toml")]
    return {lab.number: lab for lab in sorted(labs, key=lambda lab: lab.number)}


# --- regions -----------------------------------------------------------------------------------------


def comment_end(lines: list[str], at: int, where: str) -> int:
    """The line after the comment that begins at `at`."""
    for i in range(at, len(lines)):
        if "*/" in lines[i]:
            return i + 1
    raise BadLab(f"{where}: a comment does not end")


def starter_code(lines: list[str]) -> list[str]:
    """The code in a starter's comment, without its frame."""
    return [re.sub(r"^[ \t]*\* ?", "", line) for line in lines[1:-1]]


def parse(text: str, where: str) -> list[str | Region]:
    """The source, a line or a region at a time."""
    lines, parts, i = text.split("\n"), [], 0
    while i < len(lines):
        mark = MARK.match(lines[i])
        if not mark:
            parts.append(lines[i])
            i += 1
            continue
        if mark[2] != ": ":
            raise BadLab(f"{where}:{i + 1}: LAB({mark[1]}){mark[2]} without a beginning")
        region, i = parse_region(lines, i, int(mark[1]), where)
        parts.append(region)
    return parts


def parse_region(lines: list[str], at: int, lab: int, where: str) -> tuple[Region, int]:
    """The region that begins at line `at`, and the line after it."""
    i = comment_end(lines, at, where)
    region = Region(lab, lines[at:i], [], [])
    while i < len(lines):
        mark = MARK.match(lines[i])
        if not mark:
            region.solution.append(lines[i])
            i += 1
            continue
        if int(mark[1]) != lab or mark[2] == ": ":
            raise BadLab(f"{where}:{i + 1}: a region in the region of line {at + 1}")
        if mark[2] == " end */":
            return region, i + 1
        end = comment_end(lines, i, where)
        region.starter.extend(starter_code(lines[i:end]))
        i = end
    raise BadLab(f"{where}:{at + 1}: LAB({lab}) does not end")


def cut(text: str, lab: int, where: str) -> str:
    """The source as a starter of the lab has it."""
    out: list[str] = []
    for part in parse(text, where):
        if isinstance(part, str):
            out.append(part)
        elif part.lab != lab:
            out.extend(part.solution)
        else:
            out.append(part.hint[0].replace(f"LAB({lab}): ", f"LAB {lab}: ", 1))
            out.extend(part.hint[1:])
            out.extend(part.starter)
    return "\n".join(out)


def tree_files() -> list[str]:
    """What git knows of, as it is in the folder now."""
    done = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                          cwd=TREE, capture_output=True, text=True, check=True)
    return sorted(name for name in done.stdout.split("\0") if name and (TREE / name).is_file())


def is_source(name: str) -> bool:
    return name.endswith((".c", ".h")) and not name.startswith("tests/")


def regions(lab: int) -> dict[str, list[Region]]:
    """By file."""
    found = {}
    for name in filter(is_source, tree_files()):
        parts = parse((TREE / name).read_text(), name)
        here = [part for part in parts if isinstance(part, Region) and part.lab == lab]
        if here:
            found[name] = here
    return found


# --- a starter ---------------------------------------------------------------------------------------


def is_kept_back(name: str, lab: Lab) -> bool:
    own = f"tests/labs/{lab.name}/"
    if name in lab.withheld or name.startswith(own + "plant/"):
        return True
    if name.startswith((own, "tests/labs/shared/")) and not lab.is_hidden:
        return False
    return any(name == back or back.endswith("/") and name.startswith(back) for back in KEPT_BACK)


def make_starter(lab: Lab, target: Path) -> None:
    """The tree that a student of the lab gets. target is not there yet, or empty."""
    for name in tree_files():
        if is_kept_back(name, lab):
            continue
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TREE / name, copy, follow_symlinks=False)
        if is_source(name):
            text = copy.read_text()
            part = cut(text, lab.number, name)
            if part != text:
                copy.write_text(part)
    for path in lab.planted:
        lines, edits = mutant.read(path)
        source = target / dict(lines)["file"]
        source.write_text(mutant.mutated(source, edits))
    left = traces(lab, target)
    if left:
        shutil.rmtree(target)
        raise BadLab(f"the starter would tell the solution: {left[0]}")
    commit(lab, target)


def commit(lab: Lab, target: Path) -> None:
    env = os.environ | COMMIT | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for command in (["init", "-q", "-b", "main", "--template="], ["add", "-A"],
                    ["commit", "-q", "-m", f"Lab {lab.number}: {lab.title}"]):
        subprocess.run(["git", *command], cwd=target, env=env, check=True)


def code_lines(text: str) -> list[str]:
    """Lines that say something: no braces alone, no blank ones, white space as one blank."""
    lines = (re.sub(r"\s+", " ", line).strip() for line in text.split("\n"))
    return [line for line in lines if len(line) >= 8]


def fingerprints(text: str) -> set[str]:
    """Each three neighbouring lines of code."""
    lines = code_lines(text)
    return {"\n".join(three) for three in zip(lines, lines[1:], lines[2:])}


def traces(lab: Lab, target: Path) -> list[str]:
    """Three lines of the solution that stand side by side in a file of the starter, or a marker."""
    secret: set[str] = set()
    starter: set[str] = set()
    for found in regions(lab.number).values():
        for region in found:
            secret |= fingerprints("\n".join(region.solution))
            starter |= fingerprints("\n".join(region.starter))
    secret -= starter
    left = []
    for path in sorted(target.rglob("*")):
        if path.is_symlink() or not path.is_file() or ".git" in path.relative_to(target).parts:
            continue
        text = path.read_text(errors="replace")
        name = path.relative_to(target)
        left += [f"{name}: {lines!r}" for lines in sorted(secret & fingerprints(text))]
        if is_source(str(name)) and any(map(MARK.match, text.split("\n"))):
            left.append(f"{name}: a marker")
    return left
