"""What all the commands need: the kernel's memory by type, lists that may be broken, and commands
that answer with one line when something is wrong."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Iterator, Optional

import gdb

DMAP = 0xFFFF800000000000
PAGE = 4096
LIST_MAX = 200_000  # elements followed in one list before it is called endless


class Problem(Exception):
    """Said in one line; the command ends."""


def number(value: gdb.Value | int) -> int:
    return int(value) & 0xFFFFFFFFFFFFFFFF


def evaluate(text: str) -> gdb.Value:
    try:
        return gdb.parse_and_eval(text)
    except gdb.error as error:
        raise Problem(f"{text}: {error}") from None


def count(field: str) -> int:
    """A count of vm/vm_counters.h: each CPU has a copy, which are added up."""
    cpus = int(evaluate("sizeof(pcpus) / sizeof(pcpus[0])"))
    return (int(evaluate(f"vm_cnt.{field}"))
            + sum(int(evaluate(f"pcpus[{i}].pc_cnt.{field}")) for i in range(cpus))) % 2**64


def address(text: str) -> int:
    """What somebody typed: a number, a symbol or any expression of gdb's."""
    if not text:
        raise Problem("an address is wanted")
    value = evaluate(text)
    try:
        return number(value if value.type.strip_typedefs().code != gdb.TYPE_CODE_FUNC
                      else value.address)
    except gdb.error as error:
        raise Problem(f"{text}: {error}") from None


def cast(addr: int, typename: str) -> gdb.Value:
    """The object of that type at addr, all of which can be read."""
    try:
        read(addr, gdb.lookup_type(typename).sizeof)
        return gdb.Value(addr).cast(gdb.lookup_type(typename).pointer()).dereference()
    except gdb.error as error:
        raise Problem(f"{typename} at {addr:#x}: {error}") from None


def read(addr: int, size: int) -> bytes:
    try:
        return bytes(gdb.selected_inferior().read_memory(addr, size))
    except (gdb.MemoryError, gdb.error, OverflowError):
        raise Problem(f"no memory can be read at {addr:#x}") from None


def read_phys(pa: int, size: int) -> bytes:
    return read(DMAP + pa, size)


def words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 8}Q", data)


def cstring(value: gdb.Value, limit: int = 256) -> str:
    if number(value) == 0:
        return "(none)"
    try:
        return value.string(errors="replace", length=limit).split("\0")[0]
    except (gdb.error, gdb.MemoryError):
        return f"(unreadable, {number(value):#x})"


def chain(first: gdb.Value, follow: str, what: str) -> Iterator[gdb.Value]:
    """Pointers from first on, each the last one's member `follow` (a dotted path), up to NULL. A
    list that goes round or leads out of memory is named and ended."""
    seen: set[int] = set()
    here = first
    while number(here) != 0:
        if number(here) in seen or len(seen) >= LIST_MAX:
            raise Problem(f"{what}: the list goes round at {number(here):#x}; it is corrupted")
        seen.add(number(here))
        yield here
        try:
            here = here.dereference()
            for name in follow.split("."):
                here = here[name]
            number(here)
        except (gdb.error, gdb.MemoryError):
            raise Problem(f"{what}: the list leads to {sorted(seen)[-1]:#x}, which cannot be read;"
                          " it is corrupted") from None


def tailq(head: gdb.Value, link: str, what: str) -> Iterator[gdb.Value]:
    return chain(head["tqh_first"], f"{link}.tqe_next", what)


def lists(head: gdb.Value, link: str, what: str) -> Iterator[gdb.Value]:
    return chain(head["lh_first"], f"{link}.le_next", what)


def flags(value: int, names: dict[int, str]) -> str:
    """Set bits by name."""
    text = [name for bit, name in names.items() if value & bit]
    rest = value & ~sum(names)
    return " ".join(text + ([f"{rest:#x}"] if rest else [])) or "-"


def symbol(addr: int) -> str:
    """A name for a kernel address: symbol+offset, or the number."""
    text = gdb.execute(f"info symbol {addr:#x}", to_string=True)
    return text.split(" in section")[0] if " in section" in text else f"{addr:#x}"


# --- is this the kernel that gdb has the symbols of? ------------------------------------------------

_checked: Optional[int] = None  # the process it was checked for


def elf_bytes(path: str, vaddr: int, size: int) -> Optional[bytes]:
    data = Path(path).read_bytes()
    offset, count, length = (struct.unpack_from("<Q", data, 32)[0],
                             struct.unpack_from("<H", data, 56)[0],
                             struct.unpack_from("<H", data, 54)[0])
    for i in range(count):
        kind, _, at, va, _, filesz = struct.unpack_from("<IIQQQQ", data, offset + i * length)
        if kind == 1 and va <= vaddr and vaddr + size <= va + filesz:
            return data[at + vaddr - va:at + vaddr - va + size]
    return None


def check_kernel() -> None:
    """Before any command: something runs, it has paging on, and it is this kernel."""
    global _checked
    inferior = gdb.selected_inferior()
    if not inferior.threads():
        raise Problem("nothing to look at: `target remote :1234' first (scripts/run --gdb)")
    where = number(evaluate("(unsigned long)&kmain"))
    try:
        there = read(where, 64)
    except Problem:
        raise Problem("the kernel is not set up yet: `hbreak kmain', `continue' first") from None
    if _checked == inferior.pid:
        return
    for objfile in gdb.objfiles():
        wanted = objfile.filename and elf_bytes(objfile.filename, where, 64)
        if wanted is not None and wanted != there:
            raise Problem(f"{objfile.filename} is not the kernel that runs (kmain differs): "
                          "give gdb the ELF file that was booted")
    _checked = inferior.pid


class Command(gdb.Command):
    """One command; `run` does it. The class's doc string is its help."""

    name = ""
    prefix = False
    completion = gdb.COMPLETE_EXPRESSION

    def __init__(self) -> None:
        if self.prefix:
            super().__init__(self.name, gdb.COMMAND_DATA, prefix=True)
        else:
            super().__init__(self.name, gdb.COMMAND_DATA, self.completion)

    def run(self, args: list[str]) -> None:
        raise NotImplementedError

    def invoke(self, text: str, from_tty: bool) -> None:
        self.dont_repeat()
        try:
            arguments = gdb.string_to_argv(text)
            check_kernel()
            self.run(arguments)
        except Problem as problem:
            raise gdb.GdbError(f"{self.name}: {problem}") from None
        except (gdb.error, gdb.MemoryError) as error:
            raise gdb.GdbError(f"{self.name}: {error}") from None


def command(cls: type[Command]) -> type[Command]:
    """Decorator: make the command known to gdb."""
    cls()
    return cls
