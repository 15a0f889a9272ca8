"""The labs: descriptions, marks and mutants fit the sources; starters are made and tell nothing; the
commands in the texts work. All of it with QUIRE_LABS=all, a part without: make labs-check does the
rest."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from gdbs import Debugged, to_kmain
from quire import TREE

sys.path.insert(0, str(TREE / "scripts"))
import labtree  # noqa: E402
import mutant  # noqa: E402
import grading.lab  # noqa: E402
from grading import sandbox  # noqa: E402

LABS = labtree.all_labs()
QUICK = (2,)
CHOSEN = [lab for number, lab in LABS.items() if os.environ.get("QUIRE_LABS") or number in QUICK]
BLOCK = re.compile(r"```sh\n(.*?)```", re.S)
DEBUG = re.compile(r"^scripts/debug (.*?)-- (.*)$", re.M)
COMMAND = re.compile(r"^\(gdb\) (.*)$", re.M)
SAY = """def say(line):
    try:
        gdb.execute(line)
    except gdb.error as error:
        print("error:", error)
"""
EVERY = pytest.mark.parametrize("lab", LABS.values(), ids=lambda lab: lab.name)
SOME = pytest.mark.parametrize("lab", CHOSEN, ids=lambda lab: lab.name)


def variants(lab: labtree.Lab) -> list[Path]:
    return [*lab.variants("mutants"), *lab.variants("right"), *lab.planted]


@EVERY
def test_description(lab: labtree.Lab) -> None:
    """What can be handed in is marked, points make a hundred, mutants name tests and still apply."""
    assert lab.text.is_file()
    assert set(lab.files) <= set(labtree.regions(lab.number)) or lab.planted
    assert sum(test["points"] for test in lab.tests.values()) == 100
    assert len(lab.variants("mutants")) >= 6 and len(lab.variants("right")) >= 2
    for path in set(variants(lab)) - set(lab.planted):
        lines, edits = mutant.read(path)
        assert mutant.mutated(TREE / dict(lines)["file"], edits), path.name
        assert {value for key, value in lines if key == "fails"} <= set(lab.tests), path.name


@EVERY
def test_solution_on_the_host(lab: labtree.Lab) -> None:
    done = subprocess.run(["make", "-s", "-C", "tests/host", f"LAB={lab.number}", "lab-test"],
                          cwd=TREE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@EVERY
def test_gradescope_has_what_it_runs(lab: labtree.Lab, tmp_path: Path) -> None:
    """The zip has the source of each test, and no wrong or other solution."""
    packed = tmp_path / "lab.zip"
    done = subprocess.run([TREE / "scripts/gradescope", str(lab.number), packed],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = set(zipfile.ZipFile(packed).namelist())
    for test in grading.lab.find(lab.name, None).tests:
        source = sandbox.host_source(test) if test.kind == "host" else test.program
        assert f"quire/{source.relative_to(TREE)}" in names
    assert not [name for name in names if name.startswith("quire/tests/labs/mutants")]


def test_every_mutant_is_of_a_lab() -> None:
    known = {path for lab in LABS.values() for path in variants(lab)}
    assert set((TREE / "tests/labs").rglob("*.mutant")) == known


@EVERY
def test_traces_are_found(lab: labtree.Lab, tmp_path: Path) -> None:
    """Solutions and markers, where a starter must not have them: in a text, in a source."""
    for name, regions in labtree.regions(lab.number).items():
        longest = max((region.solution for region in regions), key=len)
        (tmp_path / "notes").write_text("\n".join(longest))
        assert labtree.traces(lab, tmp_path), name
    (tmp_path / "notes").write_text("nothing of use\n")
    assert not labtree.traces(lab, tmp_path)
    (tmp_path / "left.c").write_text(f"/* LAB({lab.number}): a hint */\n")
    assert labtree.traces(lab, tmp_path)


@SOME
def test_starter(lab: labtree.Lab, tmp_path: Path) -> None:
    """One commit; the solution's place is taken; nothing of the instructor's is there."""
    done = subprocess.run([TREE / "scripts/labs", "make", str(lab.number), tmp_path / "starter"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    tree = tmp_path / "starter"
    log = subprocess.run(["git", "log", "--all", "--format=%s"], cwd=tree, capture_output=True,
                         text=True, check=True)
    assert log.stdout == f"Lab {lab.number}: {lab.title}\n"
    for name in lab.files:
        assert (tree / name).read_text() != (TREE / name).read_text()
    for kept in ("tests/mutants", "tests/labs/mutants", "tests/labs/right", "scripts/labs",
                 *lab.withheld):
        assert not (tree / kept).exists(), kept
    assert (tree / "tests/labs" / lab.name).exists() != lab.is_hidden
    again = subprocess.run([TREE / "scripts/labs", "make", str(lab.number), tree],
                           capture_output=True, text=True)
    assert again.returncode == 2 and "there already" in again.stderr


@SOME
def test_commands(lab: labtree.Lab) -> None:
    for block in BLOCK.findall(lab.text.read_text()):
        done = subprocess.run(["sh", "-ec", block], cwd=TREE, stdin=subprocess.DEVNULL, text=True,
                              errors="replace", capture_output=True)
        assert done.returncode == 0, f"{block}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


@SOME
def test_gdb(lab: labtree.Lab) -> None:
    text = lab.text.read_text()
    commands = COMMAND.findall(text)
    if not commands:
        pytest.skip("there is no session in it")
    options, program = DEBUG.search(text).groups()
    words = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", program)]
    with Debugged(*words, options=("--icount", *options.split())) as gdb:
        to_kmain(gdb)
        gdb(f"python exec({SAY!r})")
        for command in commands:
            answer = gdb(f"python say({command!r})")
            assert not answer.startswith("error:"), (command, answer)
