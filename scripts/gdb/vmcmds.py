"""The virtual memory's structures: vm map, entry, object, page, chain."""

from __future__ import annotations

from typing import Iterator, Optional

import gdb

import kmem
import machine
import pagetable
import procs
from kmem import Command, Problem, command, number

PAGE = kmem.PAGE
EFLAGS = {0x1: "cow", 0x2: "needs-copy", 0x4: "stack", 0x8: "heap", 0x10: "no-merge",
          0x20: "in-transition", 0x40: "shared", 0x80: "no-superpages", 0x100: "wire-on-fault",
          0x200: "device",
          0x400: "grows-down", 0x800: "no-reserve", 0x1000: "charged", 0x2000: "random",
          0x4000: "sequential", 0x8000: "no-fork", 0x10000: "wipe-on-fork", 0x20000: "no-dump",
          0x40000: "superpages"}
OBJ_FLAGS = {0x1: "populate", 0x2: "dead", 0x4: "one-mapping", 0x8: "write-notify",
             0x10: "end-later", 0x20: "fault-around"}
PG_FLAGS = {0x1: "fictitious", 0x2: "unmanaged", 0x4: "free-on-unhold", 0x8: "reserved",
            0x10: "fake", 0x20: "block", 0x40: "page-table"}
TYPES = ("anonymous", "vnode", "device", "mgtdevice", "phys")
QUEUES = ("none", "inactive", "active")
RADIX_BITS, RADIX_MAX = 6, 11
SHOWN = 12  # runs of pages of an object


def rights(prot: gdb.Value | int) -> str:
    bits = number(prot)
    return "".join(c if bits & b else "-" for c, b in (("r", 1), ("w", 2), ("x", 4)))


def size_text(pages: int) -> str:
    return f"{pages} pages" if pages < 512 else f"{pages * 4 / 1024:g} MiB"


# --- maps ----------------------------------------------------------------------------------------


def vm_map_of(p: gdb.Value) -> gdb.Value:
    if number(p["p_vm"]) == 0:
        raise Problem(f"process {number(p['p_pid'])} is dead: it has no map")
    return p["p_vm"]["vm_map"]


def entries(vm_map: gdb.Value) -> Iterator[gdb.Value]:
    """By the list, whose end is the map's header."""
    end = number(vm_map["header"].address)
    for entry in kmem.chain(vm_map["header"]["next"], "next", "map entries"):
        if number(entry) == end:
            return
        yield entry.dereference()


def find_entry(vm_map: gdb.Value, addr: int) -> Optional[gdb.Value]:
    """By the tree, as the kernel does."""
    node = vm_map["root"]
    for _ in range(128):
        if number(node) == 0:
            return None
        if addr < number(node["start"]):
            node = node["left"]
        elif addr >= number(node["end"]):
            node = node["right"]
        else:
            return node.dereference()
    raise Problem("map entries: the tree is deeper than 128; it is corrupted")


def entry_line(e: gdb.Value) -> str:
    obj = number(e["object"])
    where = f"object {obj:#x} + {number(e['offset']):#x}" if obj else "no object yet"
    wired = f", wired {number(e['wired_count'])}" if number(e["wired_count"]) else ""
    return (f"{number(e['start']):#014x}-{number(e['end']):#014x} {rights(e['protection'])} "
            f"(max {rights(e['max_protection'])}) {where} "
            f"[{kmem.flags(number(e['eflags']), EFLAGS)}]{wired}")


def show_map(args: list[str]) -> None:
    p = procs.from_args(args)
    m = vm_map_of(p)
    print(f"map of process {number(p['p_pid'])} ({p['p_comm'].string()}): "
          f"{number(m['nentries'])} entries, {number(m['size']) >> 10} KiB mapped, timestamp "
          f"{number(m['timestamp'])}, lock {machine.rw_state(m['lock'])}")
    for e in entries(m):
        print("  " + entry_line(e))


def entry_at(addr: int) -> gdb.Value:
    m = vm_map_of(procs.current())
    e = find_entry(m, addr)
    if e is None:
        raise Problem(f"no entry contains {addr:#x}: an access is SIGSEGV (`vm map' lists them)")
    return e


def is_kernel_pointer(addr: int) -> bool:
    return addr >= kmem.DMAP


def show_entry(addr: int) -> None:
    e = kmem.cast(addr, "struct vm_map_entry") if is_kernel_pointer(addr) else entry_at(addr)
    if number(e["start"]) & 0xFFF or number(e["end"]) & 0xFFF:
        raise Problem(f"there is no vm_map_entry at {addr:#x}")
    print(f"struct vm_map_entry at {number(e.address):#x}")
    print("  " + entry_line(e))
    before = number(e["gap"])
    print(f"  {before >> 12} free pages before it; largest gap below it in the tree "
          f"{number(e['max_gap']) >> 12} pages")


# --- pages ---------------------------------------------------------------------------------------


def busy_text(m: gdb.Value) -> str:
    busy = number(m["busy"])
    if busy == 0:
        return "not busy"
    waiters = ", others wait" if busy & 2 else ""
    if busy & 4:
        return f"exclusively busied by {machine.thread_name(busy & ~15)}{waiters}"
    return f"shared-busied by {busy // 16}{waiters}"


def unit_of(m: gdb.Value) -> tuple[gdb.Value, int]:
    """The page that speaks for m, and how many it speaks for."""
    if not number(m["flags"]) & 0x20:
        return m, 1
    within = number(m["phys_addr"]) >> 12 & 511
    head = (m.address - within).dereference()
    if not number(head["block"]["whole"]):
        return m, 1
    first = (head.address - 512 * number(head["block"]["before"])).dereference()
    return first, 512 * number(first["block"]["run"])


def page_state(m: gdb.Value) -> str:
    unit, n = unit_of(m)
    words = [f"superpage of {n // 512} × 2M" if n > 1 else ""]
    words += [name for name in ("valid", "dirty") if number(unit[name])]
    words += ["tracked"] if number(m["tracked"]) else []
    words += [f"wired {number(m['wire_count'])}"] if number(m["wire_count"]) else []
    words += [f"held {number(m['hold_count'])}"] if number(m["hold_count"]) else []
    if number(unit["busy"]):
        words.append(busy_text(unit))
    queue = number(m["queue"])
    words += [QUEUES[queue] + " queue"] if 0 < queue < len(QUEUES) else []
    flags = kmem.flags(number(m["flags"]), PG_FLAGS)
    return " ".join(w for w in words + ([f"({flags})"] if flags != "-" else []) if w) or "no state"


def segments() -> Iterator[gdb.Value]:
    """The ranges of frames that have pages: RAM's, and those that drivers registered."""
    segs = kmem.evaluate("'kernel/vm/vm_phys.c'::seg_list")
    for seg in kmem.lists(segs, "link", "ranges of frames"):
        yield seg.dereference()


def page_of(pa: int) -> Optional[gdb.Value]:
    """The struct vm_page of a frame, or None."""
    for seg in segments():
        if number(seg["start"]) <= pa < number(seg["end"]):
            return (seg["pages"] + (pa - number(seg["start"])) // PAGE).dereference()
    return None


def page_by(addr: int) -> gdb.Value:
    if is_kernel_pointer(addr):
        return kmem.cast(addr, "struct vm_page")
    m = page_of(addr)
    if m is None:
        raise Problem(f"no vm_page for frame {addr:#x}: neither RAM nor registered by a driver")
    return m


def pv_entries(top: gdb.Value) -> Iterator[gdb.Value]:
    """A pv list, which is a tree, in order."""
    above: list[gdb.Value] = []
    for _ in range(2 * kmem.LIST_MAX):
        if number(top):
            kmem.read(number(top), top.type.target().sizeof)
            above.append(top)
            top = top["pv_child"][0]
        elif above:
            yield above[-1]
            top = above.pop()["pv_child"][1]
        else:
            return
    raise Problem("pv list: it is corrupted, or very long")


def mappers(m: gdb.Value) -> Iterator[tuple[int, int]]:
    """(pmap, user address) of each mapping of m, by its pv list."""
    in_block = bool(number(m["flags"]) & 0x20)
    within = number(m["phys_addr"]) >> 12 & 511 if in_block else 0
    head = (m.address - within).dereference()
    first = gdb.Value(number(head["md"]["pv_head"]) & ~1).cast(  # bit 0: locked
        gdb.lookup_type("struct pv_entry").pointer())
    for pv in pv_entries(first):
        chunk = kmem.cast(number(pv) & ~0xFFF, "struct pv_chunk")
        pmap = chunk["pc_pmap"]
        va = (number(pv["pv_va"]) & ~0xFFF) + within * PAGE
        leaf = pagetable.translate(pagetable.pmap_root(pmap.dereference()), va)
        if leaf and leaf[0] & ~0xFFF == number(m["phys_addr"]):
            yield number(pmap), va


def pmap_owner(pmap: int) -> str:
    for p in procs.procs():
        vm = p["p_vm"]
        if number(vm) and number(vm["vm_pmap"].address) == pmap:
            return f"process {number(p['p_pid'])} ({p['p_comm'].string()})"
    return f"pmap {pmap:#x}"


def show_page(addr: int) -> None:
    m = page_by(addr)
    unit, n = unit_of(m)
    obj = number(unit["object"])
    pindex = number(unit["pindex"]) + (number(m["phys_addr"]) - number(unit["phys_addr"])) // PAGE
    print(f"struct vm_page at {number(m.address):#x}, frame {number(m['phys_addr']):#x}")
    print(f"  {page_state(m)}")
    print(f"  index {pindex} of object {obj:#x}" if obj else "  in no object")
    for pmap, va in mappers(m):
        print(f"  mapped at {va:#x} by {pmap_owner(pmap)}")


def show_mappings(pa: int) -> None:
    print(f"{pa:#x} → {kmem.DMAP + pa:#x} (direct map, if it is RAM)")
    m = page_of(pa)
    if m is None:
        print("  no vm_page: neither RAM nor registered by a driver")
        return
    for pmap, va in mappers(m):
        print(f"{pa:#x} → {va | pa & 0xFFF:#x} in {pmap_owner(pmap)}")


# --- objects -------------------------------------------------------------------------------------


def radix(node: gdb.Value, height: int, base: int = 0) -> Iterator[tuple[int, int]]:
    """(index, pointer) of a radix tree."""
    if number(node) == 0 or height <= 0:
        return
    if height > RADIX_MAX:
        raise Problem(f"radix tree of height {height}: it is corrupted")
    slots = kmem.words(kmem.read(number(node["rn_slot"].address), 8 << RADIX_BITS))
    for i, slot in enumerate(slots):
        if slot == 0:
            continue
        at = base << RADIX_BITS | i
        if height == 1:
            yield at, slot
        else:
            below = gdb.Value(slot).cast(node.type)
            yield from radix(below, height - 1, at)


def radix_of(tree: gdb.Value) -> Iterator[tuple[int, int]]:
    return radix(tree["rt_root"], number(tree["rt_height"]))


def object_pages(obj: gdb.Value) -> Iterator[tuple[int, gdb.Value]]:
    """(pindex, page) of those resident; a superpage once."""
    found = [(at, kmem.cast(m, "struct vm_page")) for at, m in radix_of(obj["rtree"])]
    for at, m in radix_of(obj["supers"]):
        head = kmem.cast(m, "struct vm_page")
        if number(head["block"]["whole"]):
            if number(head["block"]["before"]) == 0:
                found.append((at * 512, head))
            continue
        for i in range(512):
            page = (head.address + i).dereference()
            if number(page["object"]) == number(obj.address):
                found.append((number(page["pindex"]), page))
    return iter(sorted(found, key=lambda pair: pair[0]))


def page_runs(obj: gdb.Value) -> Iterator[tuple[int, int, str]]:
    """(first, last, state) of neighbours whose state is the same."""
    run: Optional[list] = None
    for at, m in object_pages(obj):
        n = unit_of(m)[1]
        state = page_state(m)
        if run and run[1] + 1 == at and run[2] == state:
            run[1] += n
            continue
        if run:
            yield tuple(run)  # type: ignore[misc]
        run = [at, at + n - 1, state]
    if run:
        yield tuple(run)  # type: ignore[misc]


def object_title(obj: gdb.Value) -> str:
    kind = number(obj["type"])
    name = TYPES[kind] if kind < len(TYPES) else f"type {kind}"
    if kind in (2, 3):
        name += f" ({kmem.cstring(obj['un_pager']['devp']['name'])})"
    return (f"object {number(obj.address):#x} {name}, {size_text(number(obj['size']))}, "
            f"{number(obj['resident_page_count'])} resident, "
            f"{number(obj['ref_count'])} references, "
            f"{number(obj['shadow_count'])} shadows "
            f"[{kmem.flags(number(obj['flags']), OBJ_FLAGS)}]")


def show_object_body(obj: gdb.Value, indent: str) -> None:
    progress = number(obj["paging_in_progress"])
    print(f"{indent}generation {number(obj['generation'])}, lock {machine.rw_state(obj['lock'])}"
          + (f", {progress} pager call(s) in progress" if progress else ""))
    for i, (first, last, state) in enumerate(page_runs(obj)):
        if i == SHOWN:
            print(f"{indent}... more runs of pages")
            break
        print(f"{indent}pages [{first}, {last}] {state}")


def show_object(addr: int) -> None:
    if not is_kernel_pointer(addr):
        addr = number(entry_at(addr)["object"])
        if addr == 0:
            raise Problem("the entry has no object yet: nothing of it was touched")
    first = kmem.cast(addr, "struct vm_object").address
    if number(first["type"]) >= len(TYPES) or number(first["rtree"]["rt_height"]) > RADIX_MAX:
        raise Problem(f"there is no vm_object at {addr:#x}")
    for depth, obj in enumerate(kmem.chain(first, "backing_object", "shadow chain")):
        indent = "   " * depth
        arrow = "└─ behind it " if depth else ""
        print(indent + arrow + object_title(obj.dereference()))
        show_object_body(obj.dereference(), indent + "   ")
        if number(obj["backing_object"]) != 0:
            print(f"{indent}   shadows from byte {number(obj['backing_object_offset']):#x} on")


# --- the chain -----------------------------------------------------------------------------------


def show_chain(addr: int) -> None:
    """entry → object → page → PTE."""
    e = entry_at(addr)
    print(f"address {addr:#x}")
    print(f"  │ entry   {entry_line(e)}")
    pindex = (number(e["offset"]) + (addr & ~0xFFF) - number(e["start"])) // PAGE
    found = None
    if number(e["object"]) == 0:
        print("  │ object  none yet: the first touch makes an anonymous one")
    else:
        for obj in kmem.chain(e["object"], "backing_object", "shadow chain"):
            m = page_at(obj.dereference(), pindex)
            print(f"  │ {object_title(obj.dereference())}")
            print(f"  │    index {pindex}: {page_state(m) if m is not None else 'no page here'}")
            if m is not None:
                found = m
                break
            pindex += number(obj["backing_object_offset"]) // PAGE
    if found is not None:
        print(f"  │ page    {number(found.address):#x}, frame {number(found['phys_addr']):#x}")
    leaf = pagetable.translate(pagetable.root(), addr)
    if leaf is None:
        print("  └ PTE     none: the next access faults")
        return
    print(f"  └ PTE     {leaf[1]:#018x} {pagetable.words(leaf[1], leaf[2])}")
    if found is not None and leaf[0] & ~0xFFF != number(found["phys_addr"]):
        print("            it shows another frame than the page above")


def page_at(obj: gdb.Value, pindex: int) -> Optional[gdb.Value]:
    for at, m in object_pages(obj):
        n = unit_of(m)[1]
        if at <= pindex < at + n:
            return (m.address + (pindex - at)).dereference() if n > 1 else m
    return None


# --- commands ------------------------------------------------------------------------------------

WHAT = {
    "map": show_map,
    "entry": lambda args: show_entry(kmem.address(" ".join(args))),
    "object": lambda args: show_object(kmem.address(" ".join(args))),
    "page": lambda args: show_page(kmem.address(" ".join(args))),
    "chain": lambda args: show_chain(kmem.address(" ".join(args))),
}


@command
class Vm(Command):
    """The virtual memory's structures.

vm map [PID]     the entries of a process's map (the current one's)
vm entry ADDR    the entry that contains a user address, or at a kernel pointer
vm object ADDR   the object behind a user address, or at a kernel pointer; with the chain of objects
                 that it shadows, and their pages by index and state
vm page ADDR     the page of a physical address, or at a kernel pointer; who maps it
vm chain ADDR    entry → object → page → PTE of a user address, in one picture"""

    name = "vm"
    words = {(): tuple(WHAT)}

    def run(self, args: list[str]) -> None:
        if not args or args[0] not in WHAT:
            raise Problem(f"one of {', '.join(WHAT)} is wanted (help vm)")
        WHAT[args[0]](args[1:])


@command
class Vmmap(Command):
    """vmmap [PID]: the same as `vm map'."""

    name = "vmmap"

    def run(self, args: list[str]) -> None:
        show_map(args)
