"""Nothing from outside makes the kernel panic or hang: it says what is wrong, in a line."""

import random
import struct
from pathlib import Path

import pytest

from quire import PANICKED, PROGRAMS, TIMED_OUT, TREE, Result, boot, killed_by, on_host

DIE = (PROGRAMS / "die").read_bytes()
NO_SUCH_PROGRAM = 127
NOT_STARTED = (126, NO_SUCH_PROGRAM)


def is_sound(result: Result) -> bool:
    """No panic, no hang, and no flood of lines."""
    return result.status not in (PANICKED, TIMED_OUT) and len(result.lines()) < 20


# --- the initrd ----------------------------------------------------------------------------------


def member(name: bytes, data: bytes = b"", mode: int = 0o100755, **fields: int) -> bytes:
    """One entry; namesize and filesize may be made to lie."""
    raw = name + b"\0"
    namesize, filesize = fields.get("namesize", len(raw)), fields.get("filesize", len(data))
    values = (1, mode, 0, 0, 1, 0, filesize, 0, 0, 0, 0, namesize, 0)
    header = b"070701" + b"".join(b"%08X" % value for value in values) + raw
    return header + bytes(-len(header) % 4) + data + bytes(-len(data) % 4)


FOLDER = 0o040755
TRAILER = member(b"TRAILER!!!", mode=0)
GOOD = member(b"bin", mode=FOLDER) + member(b"bin/die", DIE) + TRAILER
BAD_ARCHIVES = {
    "empty": b"",
    "one byte": b"0",
    "zeros": bytes(5000),
    "no archive": b"This is no archive at all. " * 100,
    "binary cpio": b"\xc7\x71" + bytes(1000),
    "crc format": GOOD.replace(b"070701", b"070702"),
    "bad hex": b"070701" + b"ZZZZZZZZ" * 13 + b"x\0" + TRAILER,
    "minus": b"070701" + b"-0000001" * 13 + b"x\0" + TRAILER,
    "header cut": GOOD[:60],
    "name cut": GOOD[:112],
    "no name": member(b"x", namesize=0) + TRAILER,
    "name of nothing": member(b"") + TRAILER,
    "long name": member(b"n" * 5000) + TRAILER,
    "deep name": member(b"d/" * 2000 + b"x") + TRAILER,
    "huge name": member(b"x", namesize=0xFFFFFFFF) + TRAILER,
    "name past the end": member(b"x", namesize=0x10000) + TRAILER,
    "name without end": member(b"x" * 100, namesize=50) + TRAILER,
    "huge file": member(b"x", b"abc", filesize=0xFFFFFFFF) + TRAILER,
    "file that wraps": member(b"x", b"abc", filesize=0xFFFFFF80) + TRAILER,
    "file past the end": member(b"x", b"abc", filesize=0x100000) + TRAILER,
    "all sizes huge": member(b"x", namesize=0xFFFFFFFF, filesize=0xFFFFFFFF),
    "up and out": member(b"../../x", b"abc") + member(b"a/../..", mode=FOLDER) + TRAILER,
    "file as folder": member(b"f", b"abc") + member(b"f/x", b"abc") + TRAILER,
    "folder as file": member(b"f", mode=FOLDER) + member(b"f", b"abc") + TRAILER,
    "root as file": member(b"/", b"abc") + member(b".", b"abc") + TRAILER,
    "odd types": b"".join(member(b"t%d" % i, b"abc", mode=i << 12 | 0o755) for i in range(16)),
    "folder with data": member(b"f", b"data", mode=FOLDER) + TRAILER,
    "link to itself": member(b"l", b"l", mode=0o120777) + TRAILER,
    "link of nothing": member(b"l", b"", mode=0o120777) + TRAILER,
    "over devices": member(b"dev/fb0", b"abc") + member(b"proc/self", b"abc") + TRAILER,
    "no trailer": member(b"x", b"abc"),
    "many trailers": TRAILER * 50,
}


@pytest.mark.parametrize("kind", BAD_ARCHIVES)
def test_bad_initrd(kind: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.cpio"
    bad.write_bytes(BAD_ARCHIVES[kind])
    result = boot("/bin/none", options=["--initrd", bad])
    assert is_sound(result) and result.status == NO_SUCH_PROGRAM, result
    assert "/bin/none" in result.out


def test_what_comes_before_a_bad_entry_stays(tmp_path: Path) -> None:
    bad = tmp_path / "bad.cpio"
    bad.write_bytes(GOOD.removesuffix(TRAILER) + BAD_ARCHIVES["huge file"])
    result = boot("/bin/die", "exit", "4", options=["--initrd", bad])
    assert result.status == 4 and is_sound(result)


def test_a_cut_program_is_not_run(tmp_path: Path) -> None:
    bad = tmp_path / "bad.cpio"
    bad.write_bytes(GOOD[:len(GOOD) // 2])
    result = boot("/bin/die", "exit", "4", options=["--initrd", bad])
    assert result.status in NOT_STARTED and is_sound(result)


def test_initrds_one_after_the_other(tmp_path: Path) -> None:
    """The later archive's file is the one that stays."""
    both = tmp_path / "both.cpio"
    both.write_bytes(member(b"bin/die", b"not a program") + TRAILER + bytes(512) + GOOD)
    assert boot("/bin/die", "exit", "4", options=["--initrd", both]).status == 4


@pytest.mark.parametrize("firmware", ["direct", "bios"])
def test_no_initrd(firmware: str) -> None:
    result = boot("/bin/x", options=["--initrd", "none", "--firmware", firmware])
    assert result.status == NO_SUCH_PROGRAM and is_sound(result)
    assert "no initrd" in result.out


# --- the program ---------------------------------------------------------------------------------

EHDR, PHDR = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ")
ENTRY, BASE = 0x400000 + 64 + 56 * 2, 0x400000
EXIT_6 = bytes.fromhex("bf06000000 b8e7000000 0f05")  # exit_group(6)


def elf(segments: list[tuple[int, ...]] | None = None, **header: int) -> bytes:
    """A program of one page that exits with 6; parts of it may be made to lie. A segment is type,
    flags, offset, address, address, size in file, in memory, alignment."""
    if segments is None:
        segments = [(1, 5, 0, BASE, BASE, 0x200, 0x200, 0x1000)]
    fields = {"type": 2, "machine": 62, "version": 1, "entry": ENTRY, "phoff": 64, "shoff": 0,
              "flags": 0, "ehsize": 64, "phentsize": 56, "phnum": len(segments), "shentsize": 0,
              "shnum": 0, "shstrndx": 0} | header
    ident = b"\x7fELF" + bytes([fields.pop("class", 2), fields.pop("data", 1), 1]) + bytes(9)
    body = EHDR.pack(ident, *fields.values()) + b"".join(PHDR.pack(*s) for s in segments)
    return body.ljust(ENTRY - BASE, b"\0") + EXIT_6.ljust(0x400, b"\0")


def load(vaddr: int = BASE, filesz: int = 0x200, memsz: int = 0x200, offset: int = 0,
         flags: int = 5, align: int = 0x1000) -> tuple[int, ...]:
    return (1, flags, offset, vaddr, vaddr, filesz, memsz, align)


TOP = 0xFFFFFFFFFFFFF000
BAD_PROGRAMS = {
    "empty": b"",
    "one byte": b"\x7f",
    "a script of itself": b"#!/bin/bad\n",
    "a script of nobody": b"#!\n",
    "header cut": elf()[:40],
    "no segments": elf([]),
    "32 bits": elf(**{"class": 1}),
    "big-endian": elf(data=2),
    "another machine": elf(machine=183),
    "an object file": elf(type=1),
    "headers past the end": elf(phoff=0x10000),
    "headers that wrap": elf(phoff=0xFFFFFFFFFFFFFFF0),
    "headers of another size": elf(phentsize=1),
    "65535 headers": elf(phnum=0xFFFF),
    "segment past the end of the file": elf([load(filesz=0x100000, memsz=0x100000)]),
    "segment offset that wraps": elf([load(offset=TOP)]),
    "segment size that wraps": elf([load(filesz=0xFFFFFFFFFFFFFFFF, memsz=0xFFFFFFFFFFFFFFFF)]),
    "segment in the kernel": elf([load(0xFFFFFFFF80000000)]),
    "segment at the top": elf([load(TOP)]),
    "segment in the hole": elf([load(1 << 47)]),
    "segment over the end of user space": elf([load((1 << 47) - 0x2000, memsz=0x10000)]),
    "more in the file than in memory": elf([load(filesz=0x400, memsz=0x100)]),
    "2^46 bytes of memory": elf([load(memsz=1 << 46)]),
    "2^63 bytes of memory": elf([load(memsz=1 << 63)]),
    "address and offset do not agree": elf([load(offset=0x100)]),
    "an alignment of 3": elf([load(align=3)]),
    "overlapping segments": elf([load(), load(BASE + 0x100)]),
    "an interpreter": elf([load(), (3, 4, 0x100, 0, 0, 0x20, 0x20, 1)]),
    "an interpreter past the end": elf([load(), (3, 4, 1 << 40, 0, 0, 0x20, 0x20, 1)]),
    "thread storage that lies": elf([load(), (7, 4, 1 << 40, TOP, TOP, 1 << 60, 1 << 62, 3)]),
    "two segments, both at 0": elf([load(0), load(0)]),
}
BAD_STARTS = {
    "entry in nothing": elf(entry=0x1234),
    "entry in the kernel": elf(entry=0xFFFFFFFF80200000),
    "entry in the hole": elf(entry=1 << 63),
    "entry not executable": elf([load(flags=6)]),
}


def start(image: bytes, tmp_path: Path, *options: object) -> Result:
    bad = tmp_path / "bad"
    bad.write_bytes(image)
    bad.chmod(0o755)
    return boot("/bin/bad", add=[bad], options=options)


def test_the_program_that_the_bad_ones_are_made_of(tmp_path: Path) -> None:
    assert start(elf(), tmp_path).status == 6


@pytest.mark.parametrize("kind", BAD_PROGRAMS)
def test_bad_program(kind: str, tmp_path: Path) -> None:
    """Refused with a line; or, where Linux would take it too, run: to its end or a bad one."""
    result = start(BAD_PROGRAMS[kind], tmp_path)
    assert is_sound(result), result
    assert result.status in (*NOT_STARTED, 6, killed_by("SIGSEGV"), killed_by("SIGKILL"))
    if result.status in NOT_STARTED:
        assert "/bin/bad" in result.out


@pytest.mark.parametrize("kind", BAD_STARTS)
def test_bad_entry(kind: str, tmp_path: Path) -> None:
    result = start(BAD_STARTS[kind], tmp_path)
    assert result.status in (*NOT_STARTED, killed_by("SIGSEGV")) and is_sound(result), result


@pytest.mark.parametrize("seed", range(20))
def test_damaged_program(seed: int, tmp_path: Path) -> None:
    """A program with a few bytes of its headers changed may do anything but harm the kernel."""
    chance = random.Random(seed)
    image = bytearray(DIE)
    for _ in range(chance.randint(1, 6)):
        image[chance.randrange(16, 64 + 56 * 5)] = chance.choice([0, 1, 0x7F, 0x80, 0xFF,
                                                                  chance.randrange(256)])
    result = start(bytes(image), tmp_path, "--timeout", 20)
    assert result.status != PANICKED, result


@pytest.mark.parametrize("seed", range(20))
def test_damaged_interpreter(seed: int, tmp_path: Path) -> None:
    """A dynamic program, or its interpreter, with a few bytes changed; in either's headers."""
    chance = random.Random(seed)
    loader = bytearray(Path("/lib64/ld-linux-x86-64.so.2").read_bytes())
    name = b"/lib64/bad\0"
    program = bytearray(elf([load(), (3, 4, 0x300, 0, 0, len(name), len(name), 1)]))
    program[0x300:0x300 + len(name)] = name
    image = chance.choice([loader, loader, program])
    for _ in range(chance.randint(1, 6)):
        image[chance.randrange(16, 64 + 56 * 4)] = chance.choice([0, 1, 0x7F, 0x80, 0xFF,
                                                                  chance.randrange(256)])
    for path, data in ((tmp_path / "bad", program), (tmp_path / "ld", loader)):
        path.write_bytes(data)
        path.chmod(0o755)
    result = boot("/bin/bad", add=[tmp_path / "bad", f"{tmp_path}/ld:/lib64/bad"],
                  options=["--timeout", 20])
    assert result.status != PANICKED, result


def test_a_folder_is_no_program() -> None:
    result = boot("/tmp/")
    assert result.status in NOT_STARTED and is_sound(result)


# --- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize("words", [
    "bogus", "bogus=1 =x = % %4 %zz %00 a%00b", "loglevel=99", "loglevel=",
    "loglevel=abc loglevel=-1", "loglevel=99999999999999999999",
    "fb.populate=window:0 fb.populate=windows",
    "fb.populate=window:99999999999999999999", "fb.populate=window: fb.populate=",
    "fb.mode=0x0", "fb.mode=99999x99999", "fb.mode=x fb.mode=1024", "fb.mode=4294967297x1",
    "aslr=7 aslr= aslr=no", "x" * 3000, "y " * 1500, "%" * 3000, "\x01\x7f\xc3\xa4",
], ids=lambda words: words[:24].strip())
def test_odd_command_lines(words: str) -> None:
    result = boot("die", "exit", "8", options=["--append", words])
    assert result.status in (8, NO_SUCH_PROGRAM) and result.status != PANICKED, result
    if len(words) < 2000:
        assert result.status == 8


def test_an_unknown_option_is_one_line() -> None:
    result = boot("die", "exit", "8", options=["--append", "bogus=1"])
    assert len(result.lines()) == 1 and "bogus" in result.out


def test_a_command_line_too_long_is_cut() -> None:
    """QEMU's -kernel takes no more than a page; GRUB passes it all."""
    assert boot("die", *["x" * 100] * 200).status == 2
    result = boot("die", *["x" * 100] * 90, options=["--firmware", "bios"])
    assert result.status == 99 and "cut" in result.out and len(result.lines()) < 5


def test_random_addresses() -> None:
    """aslr=1 is no bad input, but a switch: two boots place the stack elsewhere."""
    first, second = (boot("same", options=["--append", f"aslr={i}"]) for i in (1, 0))
    assert first.out == second.out and first.status == second.status == 7


# --- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mem", ["1M", "4M", "8M", "12M", "16M"])
def test_little_memory(mem: str) -> None:
    """Either it runs, or a line says that the memory is too little."""
    result = boot("die", "exit", "8", options=["--mem", mem], timeout=30)
    text = result.out + result.err
    assert result.status != TIMED_OUT, result
    assert result.status in (2, 8) or "memory" in text, result


@pytest.mark.parametrize("how", ["map", "heap"])
def test_a_program_that_takes_all_memory(how: str) -> None:
    result = boot("hog", how, options=["--mem", "64M"])
    if result.status == 3:  # it was told that there is no more
        assert "no more after" in result.out
        return
    assert result.status == killed_by("SIGKILL"), result
    assert len(result.lines()) == 1 and "memory" in result.out


def test_counts_return_to_where_they_were() -> None:
    """Pages, objects, entries, files: what a program took and gave back is accounted for."""
    gauges = ("pages_free pages_wired pages_active pages_inactive pages_busied objects map_entries "
              "pv_entries pt_pages vnodes files threads procs kmalloc_bytes kmalloc_pages").split()
    result = boot("churn")
    assert result.status == 0 and "done" in result.lines(), result
    assert not [line for line in result.lines()
                if line.startswith("before") and line.split()[1] in gauges]
    assert "not zero" not in result.out


# --- system calls --------------------------------------------------------------------------------


def test_errnos_are_those_of_linux() -> None:
    here, there = on_host("errnos"), boot("errnos")
    lines = [line for line in there.lines() if ": " not in line or "system call -1" in line
             or line in here.lines()]
    assert there.status == 0
    assert [a for a in zip(here.lines(), there.lines()) if a[0] != a[1]] == []
    assert len(here.lines()) == len(lines)


def test_an_unknown_call_is_logged_once() -> None:
    result = boot("errnos", options=["--append", "loglevel=6"])
    assert sum("-1" in line and "system call" in line and "errno" not in line
               for line in result.lines()) <= 1
