"""What all the commands need: the kernel's memory by type, lists that may be broken, and commands
that answer with one line when something is wrong."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Iterator, Optional

import gdb

DMAP = 0xFFFF800000000000
KERNBASE = 0xFFFFFFFF80000000
PAGE = 4096
LIST_MAX = 200_000  # elements followed in one list before it is called endless


class Problem(Exception):
    """Said in one line; the command ends."""


def number(value: gdb.Value | int) -> int:
    return int(value) & 0xFFFFFFFFFFFFFFFF


def evaluate(text: str) -> gdb.Value:
    try:
        value = gdb.parse_and_eval(text)
    except gdb.error as error:
        raise Problem(f"{text}: {error}") from None
    if value.type.code == gdb.TYPE_CODE_VOID:
        raise Problem(f"{text}: there is no such value here")
    return value


def counts() -> dict[str, int]:
    """The counts of vm/vm_counters.h: each CPU has a copy, which are added up."""
    copies = [evaluate("vm_cnt")] + [evaluate(f"pcpus[{i}].pc_cnt")
                                     for i in range(int(evaluate("cpus_running")))]
    columns = zip(*(words(read(number(copy.address), copy.type.sizeof)) for copy in copies))
    names = [field.name.removeprefix("v_") for field in copies[0].type.fields()]
    return {name: sum(column) % 2**64 for name, column in zip(names, columns)}


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
        try:
            read(number(here), here.type.target().sizeof)
        except Problem:
            raise Problem(f"{what}: the list leads to {number(here):#x}, which cannot be read; it "
                          "is corrupted") from None
        seen.add(number(here))
        yield here
        here = here.dereference()
        for name in follow.split("."):
            here = here[name]


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


# --- is this the kernel that gdb has the symbols of? ---------------------------------------------

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


def kernel_text(where: int) -> bytes:
    """What is at address `where' of the kernel's image: by the direct map, or before paging is on,
    where the loader put it."""
    try:
        return read(where, 64)
    except Problem:
        if number(evaluate("(unsigned long)$cr0")) >> 31 & 1:
            raise
        return read(where - KERNBASE, 64)


def foreign_kernel() -> Optional[str]:
    """The file whose symbols gdb has, when another kernel is in memory. Zeros: none is yet."""
    where = number(evaluate("(unsigned long)&kmain"))
    there = kernel_text(where)
    for objfile in gdb.objfiles():
        wanted = objfile.filename and elf_bytes(objfile.filename, where, 64)
        if wanted is not None and wanted != there and any(there):
            return objfile.filename
    return None


def foreign_text(name: str) -> str:
    return (f"{name} is not the kernel that runs (kmain differs): give gdb the ELF file that was "
            "booted")


def check_kernel() -> None:
    """Before any command: something runs, it has paging on, and it is this kernel."""
    global _checked
    inferior = gdb.selected_inferior()
    if not inferior.threads():
        raise Problem("nothing to look at: `target remote :1234' first (scripts/run --gdb)")
    try:
        read(number(evaluate("(unsigned long)&kmain")), 64)
    except Problem:
        raise Problem("the kernel is not set up yet: `hbreak kmain', `continue' first") from None
    if _checked == inferior.pid:
        return
    name = foreign_kernel()
    if name is not None:
        raise Problem(foreign_text(name))
    _checked = inferior.pid


_warned: Optional[int] = None  # the process whose symbols were looked at when gdb stopped


def on_prompt() -> None:
    """Symbols that do not match are said at once, not when a breakpoint was missed."""
    global _warned
    inferior = gdb.selected_inferior()
    if not inferior.threads() or _warned == inferior.pid:
        return
    try:
        name = foreign_kernel()
    except (Problem, gdb.error):
        return
    _warned = inferior.pid
    if name is not None:
        print(f"warning: {foreign_text(name)}")


gdb.events.before_prompt.connect(on_prompt)


class Command(gdb.Command):
    """One command; `run` does it. The class's doc string is its help."""

    name = ""
    words: dict[tuple[str, ...], tuple[str, ...]] = {}  # what may follow what, for the Tab key

    def __init__(self) -> None:
        super().__init__(self.name, gdb.COMMAND_DATA)

    def run(self, args: list[str]) -> None:
        raise NotImplementedError

    def complete(self, text: str, word: str | None) -> list[str] | int:
        """The words that may come here; elsewhere an expression."""
        text = text.lstrip()
        for before in sorted(self.words, key=len, reverse=True):
            start = "".join(f"{name} " for name in before)
            if text.startswith(start):
                rest = text[len(start):]
                skip = len(rest) - len(word or "")  # gdb's word is the last one of several
                found = [name[skip:] for name in self.words[before] if name.startswith(rest)]
                if found or before:
                    return found
        return gdb.COMPLETE_EXPRESSION

    def invoke(self, text: str, from_tty: bool) -> None:
        self.dont_repeat()
        try:
            with gdb.with_parameter("may-call-functions", False):  # not by an argument either
                check_kernel()
                self.run(text.split())
        except Problem as problem:
            raise gdb.GdbError(f"{self.name}: {problem}") from None
        except (gdb.error, gdb.MemoryError) as error:
            raise gdb.GdbError(f"{self.name}: {error}") from None


def command(cls: type[Command]) -> type[Command]:
    """Decorator: make the command known to gdb."""
    cls()
    return cls
