"""Files by path, rights and identity, locks, memory files: what programs see is what they see on
Linux's tmpfs."""

import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from quire import PROGRAMS, boot

QUIET = ["--append", "loglevel=3"]
SLAB_SIZES = 8  # kmalloc's


def run_here(program: str) -> str:
    """In a tmpfs of the host's, for whose root these programs are made."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Path(folder).chmod(0o755)
        done = subprocess.run([str(PROGRAMS / program), folder], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.parametrize("program", ["paths", "perms", "locks", "memfiles"])
def test_the_same_as_on_the_host(program: str) -> None:
    here, there = run_here(program), boot(program, "/dev/shm", options=QUIET)
    assert there.out.splitlines() == here.splitlines()
    assert there.status == 0


def test_many_names_cost_no_more_each_and_nothing_is_lost() -> None:
    result = boot("manyfiles", "20000", options=[*QUIET, "--icount"])
    assert result.status == 0 and result.lines()[-1] == "done", result
    for line in result.lines():
        if line.startswith("lost"):  # a slab that is empty may be kept, one of each size
            name, before, after = re.findall(r"lost: (\w+) was (\d+), is (\d+)", line)[0]
            assert name in ("kmalloc_pages", "pages_free"), line
            assert abs(int(before) - int(after)) <= SLAB_SIZES, line
    costs = result.values()
    for what in ("make", "stat", "list", "unlink"):
        assert costs[f"{what}40000"] < 1.15 * costs[f"{what}20000"]


BUSYBOX = "/bin/busybox"
APPLETS = """
mkdir -p tree/a/b tree/c
cp /bin/busybox tree/a/one
cp tree/a/one tree/a/b/two
ln tree/a/one tree/c/hard
ln tree/a/one tree/c/hard
ln -s ../a/one tree/c/soft
chmod 640 tree/a/one
chown 5:6 tree/a/one
stat -c %n:%a:%h:%F:%s:%u:%g:%b tree/a/one tree/c/soft tree/c
cp -a tree copy
find copy -perm 640 -name one
readlink copy/c/soft
cmp copy/c/soft tree/a/one
mv copy/a copy/c/moved
mv copy/c copy/d
mv copy/d copy/d/moved
find copy -name two
find copy -type l
find . -samefile tree/c/hard -name one
touch -d @1580608922 copy/d/hard
stat -c %Y:%X copy/d/hard
touch -h -d @1000 copy/d/soft
stat -c %Y copy/d/soft
du -a tree/a/b
du -s copy/d/hard
tar cf tree.tar tree
mkdir out
tar xf tree.tar -C out
stat -c %n:%a:%h:%F:%s:%u:%g out/tree/a/one out/tree/c/soft
tar tf tree.tar tree/a/b
truncate -s 1M big
fallocate -l 100K bigger
ls -lns big bigger
mkfifo fifo
mknod null c 1 3
mknod sock x
stat -c %F:%t:%T fifo null
test -p fifo
test -x tree/c/hard
test -k .
install -m 4755 -o 3 tree/a/b/two program
stat -c %A:%u program
realpath tree/c/soft/.
rmdir tree
rm tree
rm -r tree copy out tree.tar
rm -r none
ls -1a
mv -n big bigger
mv big bigger
ls -ln bigger
"""


@pytest.mark.skipif(not Path(BUSYBOX).exists(), reason="no busybox-static here")
def test_busybox_on_files_is_the_same_as_on_the_host() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        lines = [f"{BUSYBOX} {line}" if line else "" for line in APPLETS.splitlines()]
        commands = Path(folder) / "commands"
        commands.write_text("\n".join(lines) + "\n")
        here = subprocess.run([str(PROGRAMS / "each"), str(commands), folder],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120)
        there = boot("each", "/bin/commands", "/dev/shm", add=[BUSYBOX, commands], options=QUIET)
    assert there.out.splitlines() == here.stdout.splitlines()
    assert here.returncode == there.status == 0
