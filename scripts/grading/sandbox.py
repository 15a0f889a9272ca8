"""Trees to build in. The base is a clean copy of this tree, kept built in build/grade/base; a
sandbox is a copy of the base with a submission's files in it, so that only these are compiled."""

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Iterator

from grading import confine
from grading.lab import TREE, BadLab, Lab, Test

WORK = TREE / "build/grade"
BASE = WORK / "base"
SOURCES = ("Makefile", "linker.ld", "boot", "drivers", "kernel", "scripts", "user", "tests/host")
PRODUCTS = (".deps", "font.psf", "obj", "user", "quire.elf", "initrd.cpio", "stripped")
KERNEL = "build/quire.elf"
# Not part of the make that may have started us; messages in English.
ENV = {key: value for key, value in os.environ.items()
       if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "RELEASE", "V")} | {"LC_ALL": "C.UTF-8"}
ERROR = re.compile(r"^(?:[^\s:][^:\n]*:\d+:(?:\d+:)? (?:fatal )?error: .*"
                   r"|.*: undefined reference to .*|.*: multiple definition of .*)$", re.M)


class Unavailable(Exception):
    """This machine cannot grade; the text says what is missing."""


class BuildError(Exception):
    """It does not compile; the text is the compiler's first error."""


# --- the base ------------------------------------------------------------------------------------


def files_below(root: Path) -> dict[str, Path]:
    """The sources, by their names in the tree."""
    found = {}
    for name in SOURCES:
        top = root / name
        paths = [top] if top.is_file() else top.rglob("*")
        for path in paths:
            if path.is_file() and "__pycache__" not in path.parts:
                found[str(path.relative_to(root))] = path
    return found


def is_same(one: Path, other: Path) -> bool:
    a, b = one.stat(), other.stat()
    return (a.st_mtime_ns, a.st_size, a.st_mode) == (b.st_mtime_ns, b.st_size, b.st_mode)


def sync() -> None:
    """Make the base's sources this tree's, with their times, so that make knows what is old."""
    ours, theirs = files_below(TREE), files_below(BASE)
    for name in theirs.keys() - ours.keys():
        theirs[name].unlink()
    for name, path in ours.items():
        if name not in theirs or not is_same(path, theirs[name]):
            (BASE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, BASE / name)


def seed() -> None:
    """What this tree has built already need not be built again."""
    (BASE / "build").mkdir(parents=True)
    for name in PRODUCTS:
        if (TREE / "build" / name).exists():
            subprocess.run(["cp", "-a", TREE / "build" / name, BASE / "build"], check=True)
    host = TREE / "build/host/inv"
    for path in host.rglob("*"):
        if path.suffix in (".o", ".d"):
            copy = BASE / "build/host/inv" / path.relative_to(host)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)


def make(tree: Path, target: str, prefix: list[str] | None = None) -> None:
    """Build it, or say what the compiler's first complaint is."""
    folder = tree / "tests/host" if "build/host/" in target else tree
    command = ["make", "-s", "-j1" if prefix else f"-j{os.cpu_count()}", "-C", str(folder), target]
    done = subprocess.run((prefix or []) + command, env=ENV, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != 0:
        raise BuildError(first_error(done.stdout + done.stderr, tree))


def first_error(output: str, tree: Path) -> str:
    """With the line of the source that the compiler shows below it."""
    output = output.replace(f"{tree}/", "").replace("../../", "")
    match = ERROR.search(output)
    if not match:
        return "\n".join(output.strip().splitlines()[-5:]) or "make failed without a word"
    below = output[match.end():].splitlines()[1:3]
    return "\n".join([match[0]] + [line for line in below if re.match(r"\s+\d* \|", line)])


def host_source(test: Test) -> Path:
    """host.c, or host_fb.c, host_amd64.c: tests/host/Makefile says what these are of."""
    found = sorted(test.folder.glob("host*.c"))
    if len(found) != 1:
        raise BadLab(f"{test.folder}: there are {len(found)} files host*.c, not one")
    return found[0]


def host_target(lab: Lab, test: Test) -> str:
    digest = hashlib.sha256(str(test.folder).encode()).hexdigest()[:8]
    kind = host_source(test).stem.removeprefix("host")
    return f"../../build/host/inv/test_lab{lab.number}_{digest}{kind}"


def put_host_source(lab: Lab, test: Test, tree: Path) -> None:
    """The lab's host tests, as one more program of tests/host."""
    source = host_source(test)
    copy = tree / f"tests/host/{Path(host_target(lab, test)).name}.c"
    if not copy.exists() or not is_same(source, copy):
        shutil.copy2(source, copy)


def check_packages() -> None:
    check = subprocess.run([TREE / "scripts/deps", "--check", "grade"], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if check.returncode != 0:
        raise Unavailable(check.stdout.strip())


def prepare(lab: Lab) -> None:
    """Bring the base up to date. What does not compile there is the submission's affair, for it may
    be this very tree."""
    BASE.mkdir(parents=True, exist_ok=True)
    BASE.chmod(0o700)  # the solution is here
    if not (BASE / "build").exists():
        check_packages()
        sync()
        seed()
    (BASE / "build/.deps").touch()  # nothing is installed in the midst of grading
    sync()
    targets = [KERNEL, "build/initrd.cpio"]
    for test in lab.tests:
        if test.kind == "host":
            put_host_source(lab, test, BASE)
            targets.append(host_target(lab, test))
    for target in dict.fromkeys(targets):
        with contextlib.suppress(BuildError):
            make(BASE, target)


@contextlib.contextmanager
def locked(exclusive: bool) -> Iterator[None]:
    """The base is changed by one at a time, while nobody copies it."""
    WORK.mkdir(parents=True, exist_ok=True)
    with open(WORK / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield


# --- sandboxes -----------------------------------------------------------------------------------


class Sandbox:
    """A tree with a submission in it, in a folder of its own that goes when the sandbox does."""

    def __init__(self, lab: Lab, files: dict[str, bytes]) -> None:
        self.lab, self.files = lab, files
        self.user = confine.User()
        self.errors: dict[str, str | None] = {}  # by target
        self.building = threading.Lock()
        self.folder = Path(tempfile.mkdtemp(prefix="quire-grade-"))
        self.folder.chmod(0o711)
        self.tree = self.folder / "tree"
        self.scratch = self.folder / "scratch"
        self.scratch.mkdir()
        with locked(exclusive=False):
            subprocess.run(["cp", "-a", BASE, self.tree], check=True)
        for name, data in files.items():
            path = self.tree / name
            if not path.is_file() or path.read_bytes() != data:
                path.unlink(missing_ok=True)
                path.write_bytes(data)
        self.user.give(self.tree)
        self.user.give(self.scratch)

    def keep(self) -> Path:
        """Where it can be looked at until the next one is kept."""
        kept = WORK / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(self.folder, kept)
        return kept

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.user.close()

    def build(self, target: str) -> Path:
        """What was built. Each target is tried once."""
        with self.building:
            if target not in self.errors:
                self.errors[target] = self.try_to_build(target)
        error = self.errors[target]
        if error is not None:
            raise BuildError(error)
        return self.tree / target.removeprefix("../../")

    def try_to_build(self, target: str) -> str | None:
        try:
            make(self.tree, target, self.user.command([], confine.COMPILER, alone=False))
            self.check_includes()
        except BuildError as error:
            return str(error)
        return None

    def check_includes(self) -> None:
        """The solution may lie on this machine: what a source includes must be of its own tree."""
        for name in self.files:
            stem = Path(name).name
            for path in self.tree.glob(f"build/**/{stem}.d"):
                self.check_dependencies(name, path.read_text(), self.tree)
            for path in self.tree.glob(f"build/host/**/*{Path(name).stem}.d"):
                self.check_dependencies(name, path.read_text(), self.tree / "tests/host")

    def check_dependencies(self, name: str, text: str, start: Path) -> None:
        words = re.sub(r"\\\n", " ", text).replace(":", " ").split()
        for word in words:
            path = Path(os.path.normpath(start / word))
            system = path.is_relative_to("/usr/include") or path.is_relative_to("/usr/lib")
            if not path.is_relative_to(self.tree) and not system:
                raise BuildError(f"{name} includes {word}, which is outside of the tree")


# --- programs of boot tests ----------------------------------------------------------------------

IS_X86 = platform.machine() in ("x86_64", "amd64")
USER_CC = os.environ.get("USER_CC", "musl-gcc" if IS_X86 else "x86_64-linux-musl-gcc")
PROGRAM_FLAGS = ["-static", "-O2", "-g", "-std=gnu11", "-Wall", "-Wextra", "-Werror",
                 "-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu",
                 "-idirafter", "/usr/x86_64-linux-gnu/include",
                 "-Wl,--wrap=main,--wrap=exit,--wrap=_exit"]


def program(test: Test) -> Path:
    """The program of a boot test, linked with tests/grade/verdict.c; made once for each content."""
    sources = [test.program, TREE / "tests/grade/verdict.c"]
    library = sorted((TREE / "user/lib").glob("*.c"))
    read = sources + library + sorted(test.folder.glob("*.h")) + sorted(
        (TREE / "user/lib").glob("*.h"))
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in read)).hexdigest()[:16]
    target = WORK / "programs" / f"{test.id}-{digest}"
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(f".{os.getpid()}-{os.urandom(4).hex()}")
    command = [USER_CC, *PROGRAM_FLAGS, f"-I{test.folder}",
               f"-I{TREE / 'user'}", "-o", temporary, *sources, *library, "-lm"]
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"{sources[0]} does not compile:\n{done.stderr}")
    temporary.rename(target)
    return target
