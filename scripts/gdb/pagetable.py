"""Page tables: pt, pt diff, and v2p, p2v, pagewalk."""

from __future__ import annotations

from typing import Iterator, Optional

import gdb

import kmem
from kmem import Command, Problem, command, number

FRAME = 0x000FFFFFFFFFF000
BITS = {1: "present", 2: "write", 4: "user", 0x20: "accessed", 0x40: "dirty", 0x100: "global",
        0x200: "wired", 0x400: "managed", 1 << 63: "no-execute"}
CACHE = {0: "write-back", 1: "write-combining", 2: "PAT2", 3: "uncached"}
LEVELS = ("PTE", "PDE", "PDPTE", "PML4E")
SIZES = ("4K", "2M", "1G")


def present(entry: int) -> bool:
    return bool(entry & 1)


def large(entry: int, level: int) -> bool:
    return level in (1, 2) and bool(entry & 0x80)


def words(entry: int, level: int) -> str:
    """An entry's flags, in words."""
    if not present(entry):
        return "not present" + (f" ({entry:#x})" if entry else "")
    text = [name for bit, name in BITS.items() if entry & bit and bit != 1]
    if level == 0 or large(entry, level):
        text.append(SIZES[level])
        text.append(CACHE[entry >> 3 & 3])
    return " ".join(text)


def root() -> int:
    """Physical address of the top table that the CPU uses now."""
    try:
        return number(kmem.evaluate("$cr3")) & FRAME
    except Problem:
        pass  # a dump has no control registers: the kernel knows what it loaded
    pmap = current_pmap()
    return number(pmap["pm_cr3"]) & FRAME


def current_pmap() -> gdb.Value:
    import machine
    pmap = machine.pcpu()["pc_curpmap"]
    if number(pmap) == 0:
        raise Problem("no address space is active yet")
    return pmap.dereference()


def pmap_root(pmap: gdb.Value) -> int:
    return number(pmap["pm_pml4"]) - kmem.DMAP


def index(va: int, level: int) -> int:
    return va >> (12 + 9 * level) & 511


def walk(top: int, va: int) -> list[tuple[int, int, int]]:
    """(level, physical address of the entry, entry) from the top down to the leaf or the gap."""
    steps = []
    table = top
    for level in (3, 2, 1, 0):
        at = table + 8 * index(va, level)
        entry = kmem.words(kmem.read_phys(at, 8))[0]
        steps.append((level, at, entry))
        if not present(entry) or large(entry, level):
            break
        table = entry & FRAME
    return steps


def translate(top: int, va: int) -> Optional[tuple[int, int, int]]:
    """(physical address, leaf entry, level) of va, or None."""
    level, _, entry = walk(top, va)[-1]
    if not present(entry):
        return None
    size = 1 << (12 + 9 * level)
    return ((entry & FRAME & ~(size - 1)) | (va & (size - 1)), entry, level)


def show_walk(va: int) -> None:
    if not (va < 1 << 47 or va >= 0xFFFF800000000000):
        raise Problem(f"{va:#x} is not canonical: no page table can map it")
    top = root()
    print(f"{va:#x} ({'user' if va < 1 << 47 else 'kernel'}), top table at {top:#x}")
    for level, at, entry in walk(top, va):
        print(f"  {LEVELS[level]:5} [{index(va, level):3}] at {at:#x}: {entry:#018x}  "
              f"{words(entry, level)}")
    where = translate(top, va)
    print(f"  → frame {where[0] & ~0xFFF:#x}, byte {where[0]:#x}" if where
          else "  → not mapped: an access faults")


def watch_entry(va: int) -> None:
    """Stop at whatever stores into the last entry of va's walk, which may not be present."""
    level, at, entry = walk(root(), va)[-1]
    print(f"{LEVELS[level]} of {va:#x}: {words(entry, level)}")
    gdb.execute(f"watch -l *(unsigned long *){kmem.DMAP + at:#x}")


# --- what changed since the last stop ------------------------------------------------------------


def leaves(table: int, level: int, va: int, last: int) -> Iterator[tuple[int, int, int]]:
    """(va, level, entry) of what the table and those below map; of the top one up to entry last."""
    for i, entry in enumerate(kmem.words(kmem.read_phys(table, kmem.PAGE))[:last]):
        here = va | i << (12 + 9 * level)
        if not present(entry):
            continue
        if level == 0 or large(entry, level):
            yield here, level, entry
        else:
            yield from leaves(entry & FRAME, level - 1, here, 512)


def user_leaves(top: int) -> dict[tuple[int, int], int]:
    return {(va, level): entry for va, level, entry in leaves(top, 3, 0, 256)}


class Snapshot:
    """The user half's leaves when the machine last stopped."""

    top = 0
    entries: dict[tuple[int, int], int] = {}

    def take(self) -> None:
        self.top = root()
        self.entries = user_leaves(self.top)


snapshot = Snapshot()


def runs(changes: list[tuple[int, int, str]]) -> Iterator[tuple[int, int, int, str]]:
    """(va, level, count, what) of neighbours that changed alike."""
    start = None
    for va, level, what in changes:
        size = 1 << (12 + 9 * level)
        if start and start[1] == level and start[3] == what and va == start[0] + start[2] * size:
            start[2] += 1
            continue
        if start:
            yield tuple(start)  # type: ignore[misc]
        start = [va, level, 1, what]
    if start:
        yield tuple(start)  # type: ignore[misc]


def differences() -> list[str]:
    """A line for each run of user entries that is not what it was; the new state is kept."""
    top = root()
    old = snapshot.entries if top == snapshot.top else {}
    new = user_leaves(top)
    changes = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if before is None:
            what = "entered: " + words(after, key[1])
        elif after is None:
            what = "removed"
        elif before & FRAME != after & FRAME:
            what = f"another frame, {words(after, key[1])}"
        else:
            what = f"{words(before, key[1])} → {words(after, key[1])}"
        changes.append((*key, what))
    switched = snapshot.top not in (0, top)
    snapshot.top, snapshot.entries = top, new
    lines = [f"{va:#x}: {count} × {SIZES[level]} {what}"
             for va, level, count, what in runs(changes)]
    return (["(another address space than at the last stop)"] if switched else []) + lines


@command
class Pt(Command):
    """Page tables: pt ADDR, pt diff, pt watch ADDR.

pt ADDR   the four levels of tables that lead to ADDR in the current address space, each entry's
          flags in words, and the frame
pt diff   what changed in the user half since the last time (`fault' commands take note, too)
pt watch ADDR
          a watchpoint on the entry of ADDR: `continue', or in a replay `reverse-continue', goes to
          the instruction that writes it"""

    name = "pt"
    words = {(): ("diff", "watch")}

    def run(self, args: list[str]) -> None:
        if args == ["diff"]:
            print("\n".join(differences()) or "no user entry changed")
        elif args[:1] == ["watch"]:
            watch_entry(kmem.address(" ".join(args[1:])))
        else:
            show_walk(kmem.address(" ".join(args)))


@command
class Pagewalk(Command):
    """pagewalk ADDR: the same as `pt ADDR'."""

    name = "pagewalk"

    def run(self, args: list[str]) -> None:
        show_walk(kmem.address(" ".join(args)))


@command
class V2p(Command):
    """v2p ADDR: the physical address behind ADDR in the current address space."""

    name = "v2p"

    def run(self, args: list[str]) -> None:
        va = kmem.address(" ".join(args))
        where = translate(root(), va)
        if where is None:
            raise Problem(f"{va:#x} is not mapped (pt {va:#x} says where the walk ends)")
        print(f"{va:#x} → {where[0]:#x} ({SIZES[where[2]]}, {words(where[1], where[2])})")


@command
class P2v(Command):
    """p2v PA: where physical address PA is mapped: the direct map, and all user addresses."""

    name = "p2v"

    def run(self, args: list[str]) -> None:
        import vmcmds
        vmcmds.show_mappings(kmem.address(" ".join(args)))
