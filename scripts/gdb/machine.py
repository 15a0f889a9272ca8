"""The machine and the kernel's own state: cpu, locks, dmesg."""

from __future__ import annotations

import gdb

import kmem
from kmem import Command, Problem, command, number

RW_WRITER, RW_WAITERS, RW_READER = 1, 2, 16


def pcpu() -> gdb.Value:
    cpu = gdb.selected_thread()
    return kmem.evaluate(f"pcpus[{cpu.num - 1 if cpu is not None else 0}]")


def curthread() -> gdb.Value:
    td = pcpu()["pc_curthread"]
    if number(td) == 0:
        raise Problem("the kernel is not set up yet: there is no thread")
    return td.dereference()


def mtx_state(mtx: gdb.Value) -> str:
    owner = number(mtx["mtx_owner"])
    return f"held by {thread_name(owner)}" if owner else "free"


def rw_state(rw: gdb.Value) -> str:
    word = number(rw["rw_word"])
    if word == 0:
        return "free"
    waiters = ", others wait" if word & RW_WAITERS else ""
    if word & RW_WRITER:
        return f"write-locked by {thread_name(word & ~15)}{waiters}"
    return f"{word // RW_READER} reader(s){waiters}"


def thread_name(addr: int) -> str:
    try:
        td = kmem.cast(addr, "struct thread")
        return f"thread {number(td['td_tid'])} ({kmem.cstring(td['td_name'])})"
    except (Problem, gdb.error):
        return f"{addr:#x}"


@command
class Cpu(Command):
    """cpu: what the processor does now: thread, mode, address space, control registers."""

    name = "cpu"

    def run(self, args: list[str]) -> None:
        import pagetable
        td = curthread()
        proc = td["td_proc"]
        print(f"thread {number(td['td_tid'])} ({kmem.cstring(td['td_name'])}), struct thread at "
              f"{number(td.address):#x}")
        if number(proc) != 0:
            print(f"process {number(proc['p_pid'])} ({proc['p_comm'].string()})")
        spin = number(td["td_spin"])
        print(f"spin locks held: {spin}{' (interrupts are off for them)' if spin else ''}")
        try:
            mode = "user mode" if number(kmem.evaluate("$cs")) & 3 else "kernel mode"
            print(f"{mode}, rip {kmem.symbol(number(kmem.evaluate('$rip')))}")
            print(f"cr3 {number(kmem.evaluate('$cr3')):#x}, cr2 (the last fault's address) "
                  f"{number(kmem.evaluate('$cr2')):#x}")
        except Problem:
            print(f"cr3 (by the kernel's own record) {pagetable.root():#x}")


@command
class Locks(Command):
    """locks: the locks that threads hold, by rank, and what sleeps on them.

The counts are those that INVARIANTS builds keep; a release build has none."""

    name = "locks"

    def run(self, args: list[str]) -> None:
        import procs
        ranks = {f.enumval: f.name for f in gdb.lookup_type("enum lock_rank").fields()}
        bits = number(kmem.evaluate("LR_BITS"))
        any_held = False
        for td in procs.threads():
            held = number(td["td_ranks"])
            names = []
            for rank, name in ranks.items():
                count = held >> (bits * rank) & ((1 << bits) - 1)
                if name == "LR_SCHED" and number(td["td_state"]) != procs.RUNNING:
                    continue  # it handed the scheduler's lock to who runs now
                if count and name != "LR_COUNT":
                    last = kmem.cstring(td["td_rank_name"][rank])
                    place = kmem.cstring(td["td_rank_place"][rank])
                    names.append(f"{count} × {name} (last: {last}, {place})")
            if names:
                any_held = True
                print(f"{thread_name(number(td.address))}: {', '.join(names)}")
            if number(td["td_wchan"]) != 0:
                print(f"{thread_name(number(td.address))} sleeps on "
                      f"{kmem.symbol(number(td['td_wchan']))}")
        if not any_held:
            print("no lock is held (or this is a release build, which does not count)")


@command
class Dmesg(Command):
    """dmesg [LINES]: the kernel's log, or its last LINES lines."""

    name = "dmesg"

    def run(self, args: list[str]) -> None:
        ring = kmem.evaluate("'kernel/kern/log.c'::ring")
        written = number(kmem.evaluate("'kernel/kern/log.c'::written"))
        size = ring.type.sizeof
        data = kmem.read(number(ring.address), size)
        text = data[:written] if written <= size else \
            data[written % size:] + data[:written % size]
        lines = text.decode(errors="replace").splitlines()
        count = kmem.address(args[0]) if args else len(lines)
        print("\n".join(lines[-count:] if count else []))
