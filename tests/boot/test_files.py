"""Files by path, rights and identity, locks, memory files: what programs see is what they see on
Linux's tmpfs."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from quire import PROGRAMS, boot

QUIET = ["--append", "loglevel=3"]


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
    assert not [line for line in result.lines() if line.startswith("lost")]
    costs = result.values()
    for what in ("make", "stat", "list", "unlink"):
        assert costs[f"{what}40000"] < 1.15 * costs[f"{what}20000"]


BUSYBOX = "/bin/busybox"
APPLETS = """
set -e
cd /tmp
mkdir -p tree/a/b tree/c && echo one > tree/a/one && echo two > tree/a/b/two
ln tree/a/one tree/c/hard && ln -s ../a/one tree/c/soft
chmod 640 tree/a/one && stat -c '%a %h %F %s' tree/a/one tree/c tree/c/soft
cp -a tree copy && find copy | sort && cat copy/c/soft
mv copy/a copy/c/moved && mv copy/c copy/d && find copy | sort
touch -d '2020-02-02 02:02:02' copy/d/hard && stat -c %Y copy/d/hard
du -s copy > /dev/null && df /tmp /dev/shm | wc -l
tar cf tree.tar tree && mkdir out && tar xf tree.tar -C out && find out | sort
stat -c '%h %a' out/tree/a/one
test -f "$(mktemp)" && test -d "$(mktemp -d)" && ls -ld /tmp | cut -c1-10
rm -r tree copy out tree.tar tmp.* && ls
"""


@pytest.mark.skipif(not Path(BUSYBOX).exists(), reason="no busybox-static here")
def test_busybox_works_on_files() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        script = Path(folder) / "files.sh"
        script.write_text(APPLETS)
        result = boot("/bin/busybox", "sh", "/bin/files.sh", add=[BUSYBOX, script],
                      options=QUIET)
    assert result.status == 0, result
    print(result.out)
