"""Programs from Debian packages, unmodified: what they print in Quire is what they print here.

A package that is not installed is skipped; `make deps` installs all of them.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterable

import pytest

from quire import Result, boot, on_host, processors, run_script

# What the first process in Quire finds.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "HOME": "/root", "TERM": "linux"}


def installed(name: str) -> str:
    path = shutil.which(name, path=ENVIRONMENT["PATH"])
    if path is None:
        pytest.skip(f"{name} is not installed; type: make deps")
    return path


def at_its_path(path: str) -> str:
    return f"{path}:{path}"


def in_quire(command: list[str], add: Iterable[object] = (), trees: Iterable[object] = (),
             options: Iterable[object] = ()) -> Result:
    options = list(options)
    words: list[object] = ["--display", "none", "--timeout", 120, *processors(options), *options]
    for path in add:
        words += ["--add", path]
    for path in trees:
        words += ["--add-tree", path]
    return run_script(*words, "--add", at_its_path(command[0]), "--", *command)


def here(command: list[str]) -> Result:
    """On the host, both outputs together as on a console."""
    done = subprocess.run(command, env=ENVIRONMENT, cwd="/", stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    return Result(done.returncode, done.stdout, "")


def same(program: str, *args: str, add: Iterable[object] = (), trees: Iterable[object] = ()) -> str:
    """Run it on both; what they printed."""
    command = [installed(program), *args]
    expected, got = here(command), in_quire(command, add, trees)
    assert got.out == expected.out and got.status == expected.status, got
    return got.out


@pytest.fixture
def text(tmp_path: Path) -> str:
    """A file of lines, at the same path here and there."""
    path = tmp_path / "text"
    path.write_text("".join(f"{i * 7919 % 1000:03} line {i} {'x' * (i % 13)}\n"
                            for i in range(500)))
    return str(path)


# --- programs ------------------------------------------------------------------------------------

BASH = """
declare -A square; total=0
for i in {1..20}; do square[$i]=$((i * i)); (( total += square[$i] )); done
f() { local x=$1; (( x < 2 )) && { echo $x; return; }; echo "$x ${square[$x]}"; }
for i in 1 2 3; do f $i; done
[[ "hello world" =~ ^h(.*)o\\ w ]] && echo "${BASH_REMATCH[1]} ${total} ${x:-unset} ${0##*/}"
case abc in a*) echo "${BASH_VERSION%%.*}";; esac
while read -r a b c; do echo "$c-$a"; done <<<"one two three"
printf '%5.2f|%-8s|%08x\\n' 3.14159 left 48879
exit 7
"""


@pytest.mark.parametrize("program", ["bash", "bash-static"])
def test_bash(program: str) -> None:
    assert same(program, "-c", BASH).splitlines()[0] == "1"


def test_a_script_finds_its_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('#!/bin/bash -e\necho "$0 $#: $*"\nexit 4\n')
    script.chmod(0o755)
    expected = here([str(script), "a b", "c"])
    got = in_quire([str(script), "a b", "c"], add=[f"{installed('bash')}:/bin/bash"])
    assert got.out == expected.out and got.status == expected.status == 4, got


@pytest.mark.parametrize("program,args", [
    ("sort", ["-k3", "-n"]), ("sort", ["-r", "-u"]), ("sha256sum", []), ("md5sum", []),
    ("wc", []), ("cat", ["-n"]), ("head", ["-n", "3"]), ("tail", ["-c", "100"]), ("tac", []),
    ("cut", ["-d", " ", "-f", "1,3"]), ("uniq", ["-c", "-w1"]), ("od", ["-A", "x", "-t", "x1z"]),
    ("base64", []), ("fold", ["-w", "20"]), ("nl", []), ("grep", ["-nE", "^[0-4].*x{8,}$"]),
    ("gawk", ["{ n[$1 % 7] += $3 } END { for (i = 0; i < 7; i++) print i, n[i], sqrt(i) }"]),
], ids=lambda value: value if isinstance(value, str) else "")
def test_text(program: str, args: list[str], text: str) -> None:
    assert same(program, *args, text, add=[at_its_path(text)])


@pytest.mark.parametrize("program,args", [
    ("seq", ["1", "3", "20"]), ("expr", ["6", "*", "7"]), ("printf", ["%s:%d\\n", "a", "5"]),
    ("factor", ["1234567890123"]), ("basename", ["/a/b.c", ".c"]), ("true", []), ("false", []),
    ("ls", ["/no/such/folder"]), ("date", ["-u", "-d", "@86400"]), ("numfmt", ["--to=iec", "5000"]),
    ("test", ["-d", "/"]), ("echo", ["-e", "a\\tb"]), ("env", []),
])
def test_coreutils(program: str, args: list[str]) -> None:
    same(program, *args)


def test_perl() -> None:
    same("perl", "-e", r"""
        my %n; $n{length $_}++ for split / /, "the quick brown fox jumps over the lazy dog";
        print join(",", map { "$_=$n{$_}" } sort keys %n), "\n";
        my $s = "2026-11-25"; print "$3.$2.$1\n" if $s =~ /(\d+)-(\d+)-(\d+)/;
        printf "%.10f %s %s\n", atan2(1, 1) * 4, 2 ** 60, join "", reverse split //, "olleh";
        eval { die "caught\n" }; print $@; exit 3;""")


def test_lua() -> None:
    same("lua5.4", "-e", """
        local t = {}; for i = 1, 200000 do t[i] = {i} end
        local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end end)
        print(#t, co(), co(), co(), 7 // 2, 1 << 62, string.format("%q", "a\\nb"))
        collectgarbage(); print(pcall(error, {}) , select("#", table.unpack({1, 2, nil, 4}, 1, 4)))
        os.exit(5)""")


def test_sqlite_in_memory() -> None:
    out = same("sqlite3", ":memory:", """
        create table t(a integer primary key, b text);
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)
            insert into t select i, 'row ' || i * 7 % 1000 from n;
        create index tb on t(b);
        select count(*), sum(a), max(b), group_concat(distinct length(b)) from t;
        select * from t where b like 'row 99%' order by b, a limit 3;""")
    assert out.startswith("5000|12502500|")


def test_sqlite_in_a_file() -> None:
    """Each machine makes its own; a second statement reads what the first wrote."""
    out = same("sqlite3", "/tmp/quire-sqlite.db", "drop table if exists t;", """
        create table t(a integer primary key, b text); begin;
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
            insert into t select i, 'row ' || i from n; commit;
        update t set b = upper(b) where a % 3 = 0; delete from t where a % 7 = 0; vacuum;
        pragma integrity_check; select count(*), sum(length(b)), max(b) from t;""")
    assert out.startswith("ok\n")


PYTHON_THREADS = """
import mmap, threading
m = mmap.mmap(-1, 1 << 20)
def fill(i):
    for page in range(i, 256, 8):
        m[page << 12] = i
lock, done = threading.Lock(), []
def run(i):
    fill(i)
    with lock:
        done.append(i)
threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
for t in threads: t.start()
for t in threads: t.join()
print(sorted(done), sum(m[page << 12] for page in range(256)), len(m))
f = open("/tmp/quire-python", "w+b"); f.write(b"x" * 5000); f.flush()
with mmap.mmap(f.fileno(), 0) as shared:
    shared[4999] = 65
    print(shared.find(b"A"), len(shared))
f.seek(4998); print(f.read())
"""
PYTHON_FILES = """
import sys
sys.stdout.flush()
for module in list(sys.modules.values()):
    print(getattr(module, "__file__", ""), getattr(module, "__cached__", ""), sep="\\n")
"""


@pytest.mark.parametrize("code", ["print(2**1000)", PYTHON_THREADS], ids=["number", "threads"])
def test_python(code: str, tmp_path: Path) -> None:
    """With as much of its library as the program loads here, and the modules' own libraries."""
    python = os.path.realpath(installed("python3"))
    told = here([python, "-S", "-E", "-c", code + PYTHON_FILES])
    files = {Path(line) for line in told.out.splitlines() if line.startswith("/usr/lib/")}
    library = Path("/usr/lib") / Path(python).name
    (tmp_path / "lib-dynload").mkdir()
    for file in files | {library / "os.py"}:
        if file.exists() and file.suffix != ".so":
            target = tmp_path / file.relative_to(library)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
    same(python, "-S", "-E", "-c", code, trees=[f"{tmp_path}:{library}"],
         add=[at_its_path(str(file)) for file in files if file.suffix == ".so"])


def test_the_c_compiler(tmp_path: Path) -> None:
    """cc1 makes the same assembly of hello.c in Quire as it does here."""
    source = tmp_path / "hello.i"
    subprocess.run([installed("gcc"), "-E", "-o", source, "-xc", "-"], check=True, input=b"""
        #include <stdio.h>
        int main(int argc, char **argv)
        {
            for (int i = 0; i < argc; i++)
                printf("hello, %s\\n", argv[i]);
            return 0;
        }""")
    cc1 = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True,
                         text=True).stdout.strip()
    out = same(cc1, "-quiet", "-O2", "-fpreprocessed", str(source), "-o", "-",
               add=[at_its_path(str(source))])
    assert "main:" in out and "printf" in out


# --- how they are started ------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [[], ["-no-pie"], ["-static-pie"], ["-static"]], ids="".join)
@pytest.mark.parametrize("aslr", [0, 1])
def test_the_auxiliary_vector(flags: list[str], aslr: int, tmp_path: Path) -> None:
    """What a program finds of itself by it is there, whatever kind of program it is."""
    source, program = tmp_path / "auxv.c", tmp_path / "auxv"
    source.write_text(AUXV)
    subprocess.run([installed("gcc"), *flags, "-o", program, source], check=True)
    expected = here([str(program), "x"])
    got = in_quire([str(program), "x"], options=["--append", f"aslr={aslr}"])
    assert got.out == expected.out and got.status == 0, got


AUXV = r"""
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
extern char **environ;
extern void _start(void);
static char bss[100000];
int main(int argc, char **argv)
{
    Elf64_auxv_t *aux;
    char **p = environ;
    int n = 0, zeros = 0, interp = 0;
    while (*p++ != NULL)
        continue;
    for (aux = (Elf64_auxv_t *)p; aux->a_type != AT_NULL; aux++)
        n++;
    Elf64_Phdr *ph = (Elf64_Phdr *)getauxval(AT_PHDR);
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
        interp |= ph[i].p_type == PT_INTERP;
    Elf64_Ehdr *ld = (Elf64_Ehdr *)getauxval(AT_BASE);
    for (unsigned i = 0; i < sizeof(bss); i++)
        zeros += bss[i] == 0;
    char *brk = sbrk(0), *more = sbrk(1 << 20);
    memset(more, 1, 1 << 20);
    printf("entry %d interp %d base %d/%d ids %lu %lu %lu %lu secure %lu\n",
           getauxval(AT_ENTRY) == (unsigned long)_start, interp, ld != NULL,
           ld != NULL && memcmp(ld, ELFMAG, SELFMAG) == 0, getauxval(AT_UID), getauxval(AT_EUID),
           getauxval(AT_GID), getauxval(AT_EGID), getauxval(AT_SECURE));
    printf("phent %lu page %lu tick %lu flags %lu %s %s\n", getauxval(AT_PHENT),
           getauxval(AT_PAGESZ), getauxval(AT_CLKTCK), getauxval(AT_FLAGS),
           (char *)getauxval(AT_PLATFORM), (char *)getauxval(AT_EXECFN));
    printf("random %d hwcap %d hwcap2 %d sigstk %d stack %d zeros %d heap %d name %d\n",
           getauxval(AT_RANDOM) != 0, getauxval(AT_HWCAP) != 0, (getauxval(AT_HWCAP2) & ~2ul) == 0,
           getauxval(AT_MINSIGSTKSZ) >= 1024, ((uintptr_t)p & 7) == 0, zeros, more == brk,
           strcmp(argv[0], (char *)getauxval(AT_EXECFN)) == 0);
    return n < 18;
}
"""


def test_exec() -> None:
    """Scripts, arguments, errors, execveat: as Linux has them."""
    assert boot("execs").lines() == on_host("execs").lines()


def test_what_programs_set() -> None:
    assert boot("settings").lines() == on_host("settings").lines()


# --- the initrd ----------------------------------------------------------------------------------


def test_a_tree_is_there_as_it_is_here(tmp_path: Path) -> None:
    """Folders, modes, links and times."""
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/file").write_text("text")
    (tree / "a/file").chmod(0o640)
    (tree / "a/b/link").symlink_to("../file")
    (tree / "a/b/broken").symlink_to("/no/such/file")
    (tree / "empty").mkdir(mode=0o711)
    for path in (tree / "a/file", tree / "empty"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    busybox = installed("busybox")
    command = [busybox, "stat", "-c", "%n %f %N %Y",
               *(f"{tree}/{name}" for name in ("a/file", "a/b/link", "a/b/broken", "empty"))]
    expected, got = here(command), in_quire(command, trees=[tree])
    links = (line for line in expected.out.splitlines() if "link" in line or "broken" in line)
    for line in links:  # a link's time is not kept
        assert line.rpartition(" ")[0] in got.out
    for line in expected.out.splitlines():
        assert "->" in line or line in got.out, got
    read = in_quire([busybox, "cat", f"{tree}/a/b/link"], trees=[f"{tree}:{tree}"])
    assert read.out == "text"


def test_a_tree_brings_what_its_programs_need(tmp_path: Path) -> None:
    """A library by way of $ORIGIN/.., and those of the system; what is not there is no error."""
    (tmp_path / "lib.c").write_text("int f(void) { return 7; }")
    (tmp_path / "prog.c").write_text("int f(void); int main(void) { return f(); }")
    (tmp_path / "tree/bin").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    library, program = tmp_path / "other/libquire-y.so", tmp_path / "tree/bin/prog"
    subprocess.run([installed("gcc"), "-shared", "-o", library, tmp_path / "lib.c"], check=True)
    for name in ("prog", "broken"):
        subprocess.run(["gcc", "-o", program.with_name(name), tmp_path / "prog.c", library,
                        f"-Wl,-rpath,$ORIGIN/../../{'other' if name == 'prog' else 'none'}"],
                       check=True)
    result = run_script("--display", "none", *processors(), "--timeout", 120, "--add-tree",
                        tmp_path / "tree", "--", program)
    assert result.status == 7 and "left out" not in result.out, result


@pytest.mark.parametrize("word", ["/no/such/folder", "/etc/passwd"])
def test_no_tree(word: str) -> None:
    result = run_script("--add-tree", word, "--", "/bin/hello")
    assert result.status == 2 and result.err.startswith("run: ") and result.err.count("\n") == 1


def test_a_missing_library(tmp_path: Path) -> None:
    """A program whose library is not installed is refused with its name."""
    (tmp_path / "lib.c").write_text("int f(void) { return 1; }")
    (tmp_path / "prog.c").write_text("int f(void); int main(void) { return f(); }")
    library, program = tmp_path / "libquire-x.so", tmp_path / "prog"
    subprocess.run([installed("gcc"), "-shared", "-o", library, tmp_path / "lib.c"], check=True)
    subprocess.run(["gcc", "-o", program, tmp_path / "prog.c", library,
                    f"-Wl,-rpath,{tmp_path}"], check=True)
    assert in_quire([str(program)]).status == 1
    library.unlink()
    result = in_quire([str(program)])
    assert result.status == 2 and "libquire-x.so" in result.err


def test_a_large_initrd(tmp_path: Path) -> None:
    """100 MiB come through, and too little memory is one line."""
    (tmp_path / "big").write_bytes(os.urandom(1 << 20) * 100)
    command = [installed("busybox"), "md5sum", str(tmp_path / "big")]
    assert in_quire(command, trees=[tmp_path]).out == here(command).out
    result = in_quire(command, trees=[tmp_path], options=["--mem", "64M"])
    assert result.status == 2 and "--mem" in result.err and result.err.count("\n") == 1
