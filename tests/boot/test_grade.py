"""scripts/grade: what is taken from a submission, what counts, and what bad submissions come to.

Most run one test of the small lab in tests/boot/grade. The same rules hold for each lab.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from quire import TREE

sys.path.insert(0, str(TREE / "scripts"))
from grading import confine  # noqa: E402

GRADE = TREE / "scripts/grade"
LAB = TREE / "tests/boot/grade"
NAME = "kernel/vm/vm_map_tree.c"
SOURCE = (TREE / NAME).read_text()
HEAD = "vm_map_tree_le(vm_map_t map, vm_offset_t addr)\n{\n"
ALL = {"finds": 3, "starts": 2.5, "speaks": 1}


class Graded:
    def __init__(self, folder: Path, *words: object) -> None:
        results, junit = folder.parent / "results.json", folder.parent / "junit.xml"
        done = subprocess.run([GRADE, LAB, folder, "--json", results, "--junit", junit,
                               *map(str, words)], text=True, capture_output=True, timeout=600)
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.json = json.loads(results.read_text()) if results.exists() else {}
        self.junit = ElementTree.parse(junit).getroot() if junit.exists() else None

    def points(self) -> dict[str, float]:
        return {test["number"]: test["score"] for test in self.json["tests"]}

    def reason(self, test: str) -> str:
        return next(one["output"] for one in self.json["tests"] if one["number"] == test)


def submit(tmp_path: Path, source: str | bytes, name: str = NAME) -> Path:
    path = tmp_path / "submission" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    return tmp_path / "submission"


def with_code(code: str, where: str = HEAD) -> str:
    """The source, with code at the beginning of the function that looks for an entry."""
    assert SOURCE.count(where) == 1
    return SOURCE.replace(where, where + code + "\n")


# --- what is taken, and what comes of it ---------------------------------------------------------


def test_right_solution_twice_the_same(tmp_path: Path) -> None:
    """CR LF, a name with blanks and unicode, a Makefile and a script that would be noticed; the file
    lies in no folder of the tree's."""
    folder = submit(tmp_path / "Ünï 'cödé $(x)", SOURCE.replace("\n", "\r\n"), Path(NAME).name)
    trap = f"$(shell touch {tmp_path}/trap)\nall:\n\ttouch {tmp_path}/trap\n"
    for name in ("Makefile", "GNUmakefile", "tests/host/Makefile", "scripts/run", "scripts/deps"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(trap)
        (folder / name).chmod(0o755)
    runs = [Graded(folder) for _ in range(2)]
    for run in runs:
        assert run.points() == ALL, run.out + run.err
        assert run.status == 0 and "DOS line ends" in run.out
    assert runs[0].out == runs[1].out
    assert not (tmp_path / "trap").exists()


def test_formats(tmp_path: Path) -> None:
    """A failed test: in words, as Gradescope's results.json, as JUnit. The others keep their
    points."""
    one = Graded(submit(tmp_path, with_code("\tif ((addr & 0xfff) == 5)\n\t\treturn (NULL);")))
    assert one.points() == ALL | {"finds": 0} and one.status == 1
    assert "Lab 99, Finding an entry: 3.5 of 6.5 points" in one.out
    assert "expected:  vm_map_lookup_entry gives the entry that has the address" in one.out
    assert "to see it: scripts/grade 99 . --only finds" in one.out
    assert one.json["score"] == 3.5 and one.json["execution_time"] >= 1
    test = one.json["tests"][0]
    assert test["max_score"] == 3 and test["status"] == "failed"
    assert test["visibility"] == "visible" and test["output_format"] == "text"
    assert "happened: " in test["output"]
    suite = one.junit.find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert "expected: " in suite.find("testcase[@name='finds']/failure").text


def test_hidden_tests(tmp_path: Path) -> None:
    """They are added; the report tells no way to them."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "lab.toml").write_text('[[test]]\nid = "secret"\ntitle = "t"\npoints = 4\n'
                                     'kind = "boot"\nexpect = "e"\n')
    (hidden / "secret.c").write_text('#include <stdio.h>\nint main(void)\n{\n\tprintf("no, '
                                     'because\\n");\n\treturn (1);\n}\n')
    one = Graded(submit(tmp_path, SOURCE), "--tests", hidden, "--only", "secret")
    assert one.points() == {"secret": 0}
    assert "no, because" in one.reason("secret") and "not given out" in one.reason("secret")


def test_only_says_what_it_ran(tmp_path: Path) -> None:
    """The command in the report does again what was done."""
    one = Graded(submit(tmp_path, SOURCE), "--only", "speaks")
    command = next(line for line in one.out.splitlines() if "what ran: " in line)
    done = subprocess.run(command.split("what ran: ")[1], shell=True, text=True,
                          capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith("one\ntwo\n"), done.stderr


def test_class(tmp_path: Path) -> None:
    """Each folder is one; the table has them in order, whoever is ready first."""
    submit(tmp_path / "class/a b, c", SOURCE)
    submit(tmp_path / "class/=empty", "", "notes.txt")
    submit(tmp_path / "class/wrong", with_code("\treturn (&map->header);"))
    names = ["=empty", "a b, c", "wrong"]
    done = subprocess.run([GRADE, LAB, tmp_path / "class", "--class", "--out", tmp_path / "out"],
                          text=True, capture_output=True, timeout=600)
    assert done.returncode == 0 and "[3/3]" in done.stdout, done.stderr
    with open(tmp_path / "out/class.csv", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["name"] for row in rows] == names
    assert [row["points"] for row in rows] == ["0", "6.5", "0"]
    assert rows[1]["starts"] == "2.5" and "has no file" in rows[0]["remark"]
    for name in names:
        assert (tmp_path / f"out/{name}.txt").read_text().startswith("Lab 99")
        assert json.loads((tmp_path / f"out/{name}.json").read_text())["tests"]


def test_gradescope(tmp_path: Path) -> None:
    """Unpacked and run as Gradescope does: source/, submission/ and results/ below one root, which is
    the working directory, run_autograder copied there, its output in results/stdout."""
    root, packed = tmp_path / "autograder", tmp_path / "autograder.zip"
    subprocess.run([TREE / "scripts/gradescope", LAB, packed], check=True)
    subprocess.run([sys.executable, "-m", "zipfile", "-e", packed, root / "source"], check=True)
    # What setup.sh would build is as it is here: younger than the sources.
    (root / "source/quire/build").mkdir()
    for name in ("obj", "user", "stripped", "host", "font.psf", "quire.elf", "initrd.cpio"):
        subprocess.run(["cp", "-r", TREE / "build" / name, root / "source/quire/build"])
    (root / "results").mkdir()
    shutil.copy(root / "source/run_autograder", root)
    (root / "run_autograder").chmod(0o755)  # as unzip leaves it
    submit(root, SOURCE).rename(root / "submission")
    env = os.environ | {"AUTOGRADER_ROOT": str(root)}
    subprocess.run(["sh", root / "source/setup.sh"], cwd=root, env=env, check=True)
    with open(root / "results/stdout", "wb") as out:
        done = subprocess.run([root / "run_autograder"], cwd=root, env=env, stdout=out, stderr=out)
    assert done.returncode == 0, (root / "results/stdout").read_text()
    results = json.loads((root / "results/results.json").read_text())
    assert results["score"] == 6.5 and len(results["tests"]) == 3
    assert set(results) <= {"score", "execution_time", "output", "output_format", "visibility",
                            "stdout_visibility", "extra_data", "tests", "leaderboard"}
    for test in results["tests"]:
        assert set(test) <= {"score", "max_score", "status", "name", "name_format", "number", "tags",
                             "output", "output_format", "visibility", "extra_data"}


# --- bad submissions -----------------------------------------------------------------------------


def test_nothing_of_use(tmp_path: Path) -> None:
    """Nothing is built for these: one report each."""
    folder = tmp_path / "submission"
    folder.mkdir()
    assert "it has no file kernel/vm/vm_map_tree.c" in Graded(folder).out
    for data, words in [(b"\x7fELF\0\0", "has NUL bytes"), (SOURCE.encode("utf-16"), "NUL bytes"),
                        (b"/" * (2 << 20), "longer than 1 MiB")]:
        one = Graded(submit(tmp_path, data))
        assert one.points() == dict.fromkeys(ALL, 0) and one.status == 1
        assert words in one.out and words in one.json["output"]


@pytest.mark.parametrize("target", ["file", "folder", "fifo", "nowhere", "self"])
def test_links(tmp_path: Path, target: str) -> None:
    folder = submit(tmp_path, "", "README")
    path = folder / Path(NAME).name
    if target == "fifo":
        os.mkfifo(path)
    elif target == "folder":
        (folder / "kernel").symlink_to(TREE / "kernel")
    else:
        path.symlink_to({"file": TREE / NAME, "nowhere": "/nowhere/x.c", "self": path.name}[target])
    one = Graded(folder)
    assert one.points() == dict.fromkeys(ALL, 0) and one.status == 1
    assert "nothing could be tested" in one.out


def test_link_within(tmp_path: Path) -> None:
    folder = submit(tmp_path, SOURCE, "mine.c")
    (folder / Path(NAME).name).symlink_to("mine.c")
    assert Graded(folder, "--only", "finds").points() == {"finds": 3}


def test_does_not_compile(tmp_path: Path) -> None:
    one = Graded(submit(tmp_path, with_code("\tno_such(addr);\n\tnor_this(addr);")))
    assert one.points() == dict.fromkeys(ALL, 0)
    for test in ALL:
        assert "implicit declaration of function ‘no_such’" in one.reason(test)
        assert "nor_this" not in one.reason(test)


@pytest.mark.parametrize("line", [f'#include "{TREE / NAME}"', "#include __FILE__",
                                  '__asm__(".space 1 << 40, 1");'])
def test_compiler_is_misused(tmp_path: Path, line: str) -> None:
    """A source from elsewhere, one without end, an object that fills the disk."""
    source = line if "tree.c" in line else SOURCE + line + "\n"
    one = Graded(submit(tmp_path, source), "--only", "starts")
    assert one.points() == {"starts": 0} and "does not compile" in one.reason("starts"), one.out


def test_loops_for_ever(tmp_path: Path) -> None:
    code = "\tfor (volatile int i = 0;; i++)\n\t\tcontinue;"
    one = Graded(submit(tmp_path, with_code(code)))
    assert one.points() == dict.fromkeys(ALL, 0)
    assert "no end within 100 million instructions: it hangs" in one.reason("starts")
    assert "no end after 10000000 steps: it hangs" in one.reason("finds")


def test_panics(tmp_path: Path) -> None:
    """Only when a page is mapped that a program asks for: the other program has its point."""
    code = "\tif (map->nentries > 40)\n\t\tpanic(\"the %s of it\", \"end\");"
    source = '#include "kern/panic.h"\n' + with_code(code)
    one = Graded(submit(tmp_path, source.replace("> 40", "> 0")), "--only", "starts")
    assert "the kernel panicked: the end of it" in one.reason("starts")


FAKE = """
#ifdef __SANITIZE_ADDRESS__
	extern void _exit(int);
	extern long write(int, const void *, unsigned long);
	static const char text[] = "[  PASSED  ] 1 test(s).\\n";
	write(1, text, sizeof(text) - 1);
	_exit(0);
#else
	for (const char *s = "exit 0\\n"; *s != 0; s++)
		__asm__ volatile("outb %b0, %w1" : : "a"(*s), "Nd"(0xe9));
	for (const char *s = "one\\ntwo\\n"; *s != 0; s++)
		__asm__ volatile("outb %b0, %w1" : : "a"(*s), "Nd"(0x3f8));
	__asm__ volatile("outb %b0, %w1" : : "a"(0), "Nd"(0xf4));
#endif
"""


def test_prints_a_fake_pass(tmp_path: Path) -> None:
    """It says what a passed test would and ends: on the host, by the kernel's own channel, by the
    console."""
    one = Graded(submit(tmp_path, with_code(FAKE)))
    assert one.points() == dict.fromkeys(ALL, 0), one.out
    assert "does not count" in one.reason("speaks")


FILLS = """
#ifdef __SANITIZE_ADDRESS__
	extern int open(const char *, int, ...), fork(void);
	extern long write(int, const void *, unsigned long);
	static char block[1 << 20];
	int fd = open("filled", 0102, 0644), n = 0;
	while (n < 4096 && write(fd, block, sizeof(block)) > 0)
		n++;
	for (;;)
		write(1, block, sizeof(block));
#else
	for (;;)
		__asm__ volatile("outb %b0, %w1" : : "a"('x'), "Nd"(0x3f8));
#endif
"""


@pytest.mark.parametrize("test", ["finds", "starts"])
def test_fills_the_disk(tmp_path: Path, test: str) -> None:
    """With files, and with what it prints: the report stays short."""
    one = Graded(submit(tmp_path, with_code(FILLS)), "--only", test)
    assert one.points() == {test: 0}
    assert len(one.out) < 100000


FORKS = """
#ifdef __SANITIZE_ADDRESS__
	extern int fork(void), pause(void);
	int n = 0, pid;
	while (n < 200 && (pid = fork()) > 0)
		n++;
	while (pid == 0)
		pause();
	if (n == 200)
		return (NULL);
#endif
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="without root nothing limits the processes")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run submissions as other users")
def test_each_has_a_user_of_its_own() -> None:
    """Whoever started the grader: another process holds the first user here."""
    hold = ("from grading import confine\n"
            "user = confine.User()\n"
            "print(user.uid, flush=True)\n"
            "input()\n")
    with subprocess.Popen([sys.executable, "-c", hold], text=True, cwd=TREE / "scripts",
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        theirs = int(other.stdout.readline())
        first, second = confine.User(), confine.User()
        assert len({theirs, first.uid, second.uid}) == 3
        first.close()
        third = confine.User()
        assert third.uid == first.uid
        second.close()
        third.close()
        other.communicate("\n")


def test_forks(tmp_path: Path) -> None:
    """They are fewer than it wants, and go when the test has ended."""
    one = Graded(submit(tmp_path, with_code(FORKS)), "--only", "finds")
    assert one.points() == {"finds": 3}, one.out


# --- bad usage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("words,says", [
    (["77", "."], "there is no lab 77"),
    ([str(LAB), ".", "--only", "nonesuch"], "has no test nonesuch"),
    ([str(LAB), ".", "--tests", "/nowhere"], "/nowhere/lab.toml"),
    ([str(LAB), ".", "--jobs", "0"], "--jobs"),
])
def test_bad_usage(words: list[str], says: str) -> None:
    done = subprocess.run([GRADE, *words], cwd=TREE, text=True, capture_output=True)
    assert done.returncode == 2 and says in done.stderr


@pytest.mark.parametrize("line", ['kind = "magic"', 'limit = "many"', "wibble = 1", "smp = true"])
def test_bad_lab(tmp_path: Path, line: str) -> None:
    text = (LAB / "lab.toml").read_text()
    drop = 'kind = "host"' if "kind" in line else "limit = 10"
    (tmp_path / "lab.toml").write_text(text.replace(drop + "\n", line + "\n", 1))
    done = subprocess.run([GRADE, tmp_path, "."], cwd=TREE, text=True, capture_output=True)
    assert done.returncode == 2 and f"{tmp_path}/lab.toml: test finds" in done.stderr
