"""Processes and threads: ps, bt."""

from __future__ import annotations

from typing import Iterator

import gdb

import kmem
from kmem import Command, Problem, command, number

RUNNING = 2  # td_state
STATES = {0: "new", 1: "runnable", 2: "running", 3: "sleeping", 4: "dead"}


def procs() -> Iterator[gdb.Value]:
    for p in kmem.tailq(kmem.evaluate("'kernel/kern/proc.c'::allproc"), "p_list", "allproc"):
        yield p.dereference()


def proc_threads(p: gdb.Value) -> Iterator[gdb.Value]:
    for td in kmem.tailq(p["p_threads"], "td_plink", f"threads of {number(p['p_pid'])}"):
        yield td.dereference()


def threads() -> Iterator[gdb.Value]:
    for p in procs():
        yield from proc_threads(p)


def find(pid: int) -> gdb.Value:
    for p in procs():
        if number(p["p_pid"]) == pid:
            return p
    raise Problem(f"no process {pid} (ps lists them)")


def current() -> gdb.Value:
    """The one that runs; under a kernel thread the one whose page tables are in use."""
    import machine
    p = machine.curthread()["td_proc"]
    if number(p) != 0:
        return p.dereference()
    pmap = number(machine.pcpu()["pc_curpmap"])
    for p in procs():
        if number(p["p_vm"]) and number(p["p_vm"]["vm_pmap"].address) == pmap:
            return p
    raise Problem("a kernel thread runs, which has no process; name a PID (ps lists them)")


def from_args(args: list[str]) -> gdb.Value:
    """The process of an optional PID."""
    return find(kmem.address(args[0])) if args else current()


@command
class Ps(Command):
    """ps: the processes and their threads, what each does, and its resident pages."""

    name = "ps"

    def run(self, args: list[str]) -> None:
        print("  PID  PPID  TID   STATE     RESIDENT  NAME         SLEEPS ON")
        for p in procs():
            vm = p["p_vm"]
            pages = number(vm["vm_pmap"]["pm_resident"]) if number(vm) else 0
            any_thread = False
            for td in proc_threads(p):
                any_thread = True
                chan = number(td["td_wchan"])
                print(f"{number(p['p_pid']):5} {number(p['p_ppid']):5} {number(td['td_tid']):4}   "
                      f"{STATES.get(number(td['td_state']), '?'):9} {pages:7}p  "
                      f"{p['p_comm'].string():12} {kmem.symbol(chan) if chan else ''}".rstrip())
            if not any_thread:
                print(f"{number(p['p_pid']):5} {number(p['p_ppid']):5}    -   zombie    "
                      f"{0:7}p  {p['p_comm'].string()}")


def frames(rsp: int, low: int, high: int) -> Iterator[int]:
    """Return addresses by the chain of frame pointers of a thread that is switched out:
    switch_stack pushed RBP RBX R12..R15, the last at rsp."""
    rbp = kmem.words(kmem.read(rsp + 40, 8))[0]
    yield kmem.words(kmem.read(rsp + 48, 8))[0]
    for _ in range(64):
        if not low <= rbp < high - 16:
            return
        rbp, rip = kmem.words(kmem.read(rbp, 16))
        yield rip


def show_stacks(p: gdb.Value) -> None:
    for td in proc_threads(p):
        print(f"thread {number(td['td_tid'])}, {STATES.get(number(td['td_state']), '?')}:")
        if number(td["td_state"]) == RUNNING:
            print("  it runs now: `backtrace' (of its CPU: `thread N')")
            continue
        low = number(td["td_kstack"])
        for i, rip in enumerate(frames(number(td["td_md"]["md_rsp"]), low, low + (16 << 10))):
            print(f"  #{i:<2} {rip:#x} {kmem.symbol(rip)}")


@command
class Kbt(Command):
    """kbt PID: the kernel stacks of a process's threads. Without a PID it is `backtrace'."""

    name = "kbt"

    def run(self, args: list[str]) -> None:
        if not args:
            gdb.execute("backtrace")
        else:
            show_stacks(find(kmem.address(args[0])))


class Bt(gdb.Command):
    """bt PID: the kernel stacks of a process's threads.

Without a number, or with options, it is gdb's `backtrace'; so many frames only: `backtrace N'."""

    def __init__(self) -> None:
        super().__init__("bt", gdb.COMMAND_STACK)

    def invoke(self, text: str, from_tty: bool) -> None:
        command = f"kbt {text}" if text.strip().isdigit() else f"backtrace {text}"
        try:
            gdb.execute(command, from_tty)
        except gdb.error as error:
            raise gdb.GdbError(str(error)) from None


Bt()
