"""Stepping through a page fault by its stages: fault next, step, finish, log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Optional

import gdb

import kmem
import machine
import pagetable
import vmcmds
from kmem import Command, Problem, command, number

PAGE_FAULT = 14  # the exception's vector (SDM volume 3, 6.3.1)


@dataclass
class Stage:
    """A named place on the way of a fault: where the kernel comes by, and what to say there."""

    name: str
    functions: tuple[str, ...]
    says: Callable[["Fault"], list[str]]


@dataclass
class Fault:
    """The fault that is being followed, and what is known of it."""

    thread: int = 0
    va: int = 0
    fs: int = 0  # its struct faultstate
    counts: dict[str, int] = field(default_factory=dict)  # at the last stop
    log: list[str] = field(default_factory=list)

    def state(self) -> gdb.Value:
        return kmem.cast(self.fs, "struct faultstate")


current = Fault()


# --- reading where we are ------------------------------------------------------------------------


def variable(name: str) -> Optional[gdb.Value]:
    """A local of this frame or one further out, inlined ones included."""
    frame = gdb.selected_frame()
    for _ in range(12):
        if frame is None:
            return None
        try:
            value = frame.read_var(name)
            if not value.is_optimized_out:
                return value
        except (ValueError, gdb.error):
            pass
        frame = frame.older()
    return None


def find_state() -> int:
    """The address of the struct faultstate that the stages pass on."""
    frame = gdb.newest_frame()
    for _ in range(12):
        if frame is None:
            break
        try:
            value = frame.read_var("fs")
        except (ValueError, gdb.error):
            frame = frame.older()
            continue
        if not value.is_optimized_out:
            pointer = value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR
            return number(value if pointer else value.address)
        frame = frame.older()
    return 0


def function_argument(name: str) -> Optional[int]:
    value = variable(name)
    return None if value is None else number(value)


# --- what each stage says ------------------------------------------------------------------------


def trap_frame() -> gdb.Value:
    """Where the trap's first instruction finds its argument (System V ABI)."""
    return kmem.cast(number(kmem.evaluate("$rdi")), "struct trapframe")


def say_trap(fault: Fault) -> list[str]:
    frame = trap_frame()
    error = number(frame["tf_err"])
    kind = "execute" if error & 16 else "write" if error & 2 else "read"
    p = machine.curthread()["td_proc"]
    who = f"process {number(p['p_pid'])} ({p['p_comm'].string()})"
    if not number(frame["tf_cs"]) & 3:
        who = f"the kernel, for {who},"
    why = "the page's rights forbid it" if error & 1 else "no entry maps the page"
    e = vmcmds.find_entry(vmcmds.vm_map_of(p.dereference()), fault.va)
    return [f"{who} {kind}s {fault.va:#x} at rip {number(frame['tf_rip']):#x}: {why}",
            f"in {vmcmds.entry_line(e)}" if e is not None else "in no entry of its map",
            "next: vm_fault looks the address up in the map"]


def say_lookup(fault: Fault) -> list[str]:
    fs = fault.state()
    e = vmcmds.find_entry(fs["map"].dereference(), number(fs["vaddr"]))
    if e is None:
        return ["no entry contains it", "next: the fault fails, SIGSEGV (SEGV_MAPERR)"]
    wanted = number(fs["fault_type"])
    allowed = number(e["protection"]) & wanted == wanted
    return [f"entry {vmcmds.entry_line(e)}",
            "next: the soft path looks whether the page is resident" if allowed else
            "next: the fault fails, SIGSEGV (SEGV_ACCERR): the entry does not allow it"]


def say_soft(fault: Fault) -> list[str]:
    fs = fault.state()
    obj, pindex = fs["at"]["object"], number(fs["at"]["pindex"])
    m = vmcmds.page_at(obj.dereference(), pindex)
    lines = [vmcmds.object_title(obj.dereference()), f"index {pindex}: "
             + (vmcmds.page_state(m) if m is not None else "no page here")]
    populate = number(obj["flags"]) & 1
    return lines + ["next: enter it, done" if m is not None and number(m["valid"]) else
                    "next: the pager is asked to populate" if populate else
                    "next: search the chain of objects"]


def say_call(fault: Fault) -> list[str]:
    first, last = variable("first"), variable("last")
    pidx = function_argument("pidx")
    lines = []
    if first is not None and last is not None:
        lo, hi = number(first.dereference()), number(last.dereference())
        lines.append(f"populate(pidx {pidx}, hint [{lo}, {hi}]): the range that the entry maps")
    return lines + ["the map is unlocked, the object write-locked",
                    "next: the pager installs pages, busied, and answers with their range"]


def populate_answer() -> Optional[tuple[int, int]]:
    first, last = variable("first"), variable("last")
    if first is None or last is None:
        return None
    pointer = first.type.strip_typedefs().code == gdb.TYPE_CODE_PTR
    values = (first.dereference(), last.dereference()) if pointer else (first, last)
    return number(values[0]), number(values[1])


def say_return(fault: Fault) -> list[str]:
    answer = populate_answer()
    obj = fault.state()["at"]["object"].dereference()
    lines = [f"populate returned [{answer[0]}, {answer[1]}], "
             f"{answer[1] - answer[0] + 1} pages" if answer else "populate returned"]
    lines += [f"pages [{a}, {b}] {state}" for a, b, state in list(vmcmds.page_runs(obj))[:4]]
    return lines + ["next: each page is checked, the map locked again and compared"]


def say_declined(fault: Fault) -> list[str]:
    return [f"populate answered {function_argument('rv')} and installed nothing",
            "next: the fault goes another way, or fails"]


def say_clip(fault: Fault) -> list[str]:
    fs = fault.state()
    first = number(fs["at"]["offset"]) // kmem.PAGE
    last = first + (number(fs["at"]["end"]) - number(fs["at"]["start"])) // kmem.PAGE - 1
    return [f"the map is as it was; the entry maps [{first}, {last}]",
            "next: what lies outside is released, the rest entered"]


def say_search(fault: Fault) -> list[str]:
    fs = fault.state()
    depth = sum(1 for _ in kmem.chain(fs["at"]["object"], "backing_object", "shadow chain"))
    return [f"a chain of {depth} object(s)",
            "next: the first that has the page, or its pager; else a page of zeros"]


def say_getpages(fault: Fault) -> list[str]:
    return ["the pager is asked for one page", "next: it fills the page; the fault starts over"]


def say_enter(fault: Fault) -> list[str]:
    return ["into the page tables",
            "next: done (`pt diff' then shows the entries)"]


def say_copy(fault: Fault) -> list[str]:
    fs = fault.state()
    if number(fs["object"]) == number(fs["at"]["object"]):
        says = "the page is in the first object: nothing to copy"
    elif not number(fs["fault_type"]) & 2:
        says = "a read: the page behind can be shared, read-only"
    else:
        says = "a write to a page behind the first object: it gets a copy of its own"
    return [says, "next: enter it"]


def say_done(fault: Fault) -> list[str]:
    lines = pagetable.differences()
    return ["resolved"] + (lines or ["no entry of this address space changed"]) + [
        "next: IRET, and the instruction runs again"]


def say_failed(fault: Fault) -> list[str]:
    names = {7: "SIGBUS", 11: "SIGSEGV"}
    sig = number(kmem.evaluate("$rdi"))  # trapsignal's first argument
    return ["not resolved", f"next: {names.get(sig, f'signal {sig}')}, at {fault.va:#x}"]


STAGES = [
    Stage("trap", ("*trap",), say_trap),
    Stage("lookup", ("vm_map_lookup_locked",), say_lookup),
    Stage("soft", ("vm_fault_soft",), say_soft),
    Stage("populate call", ("vm_pager_populate",), say_call),
    Stage("populate return", ("populate_check",), say_return),
    Stage("populate declined", ("populate_declined",), say_declined),
    Stage("clip", ("populate_clip",), say_clip),
    Stage("search", ("vm_fault_search",), say_search),
    Stage("getpages", ("vm_fault_getpages",), say_getpages),
    Stage("copy", ("vm_fault_copy",), say_copy),
    Stage("enter", ("pmap_enter",), say_enter),
    Stage("done", ("vm_fault_count",), say_done),
    Stage("failed", ("*trapsignal",), say_failed),
]


# --- running to a stage --------------------------------------------------------------------------


class StageStop(gdb.Breakpoint):
    """Stops the thread that is followed when it comes by; other threads pass."""

    def __init__(self, stage: Stage, function: str, accept: Callable[[Stage], bool]) -> None:
        super().__init__(function, internal=True)
        self.silent = True
        self.stage = stage
        self.accept = accept
        self.hit = False

    def stop(self) -> bool:
        try:
            self.hit = self.accept(self.stage)
        except (Problem, gdb.error, gdb.MemoryError):
            self.hit = False
        return self.hit


def run_to(stages: list[Stage], accept: Callable[[Stage], bool]) -> Optional[Stage]:
    """Continue until one of the stages is met; None: something else stopped the machine."""
    stops = [StageStop(stage, function, accept) for stage in stages for function in stage.functions]
    try:
        gdb.execute("continue", to_string=True)
        return next((stop.stage for stop in stops if stop.hit), None)
    finally:
        for stop in stops:
            if stop.is_valid():
                stop.delete()


def same_fault(stage: Stage) -> bool:
    """A run of pages may be entered piece by piece: that is one stage."""
    return (number(machine.pcpu()["pc_curthread"]) == current.thread
            and not (stage.name == "enter" and current.log[-1].startswith("enter:")))


def changes() -> list[str]:
    """Which counts of the VM are not what they were at the last stop."""
    before, current.counts = current.counts, kmem.counts()
    moved = [f"{name} {(now - before[name] + 2**63) % 2**64 - 2**63:+}"
             for name, now in current.counts.items() if now != before[name]]
    return [f"changed: {', '.join(moved)}"] if moved else []


def report(stage: Stage) -> None:
    if stage.name not in ("trap", "done", "failed"):
        current.fs = find_state() or current.fs
    lines = stage.says(current)
    lines[-1:-1] = changes()
    current.log.append(f"{stage.name}: {lines[0]}")
    print(f"── {stage.name} " + "─" * max(3, 60 - len(stage.name)))
    for line in lines:
        print(f"   {line}")


def wanted(args: list[str]) -> Callable[[Stage], bool]:
    """What `fault next' is to stop at."""
    pid: Optional[int] = None
    device: Optional[str] = None
    words = list(args)
    while words:
        word = words.pop(0)
        if word not in ("pid", "dev") or not words:
            raise Problem("usage: fault next [pid N] [dev NAME]")
        if word == "pid":
            pid = kmem.address(words.pop(0))
        else:
            device = words.pop(0)

    def accept(_: Stage) -> bool:
        if number(trap_frame()["tf_trapno"]) != PAGE_FAULT:
            return False
        p = machine.curthread()["td_proc"]
        if number(p) == 0 or (pid is not None and number(p["p_pid"]) != pid):
            return False
        if device is None:
            return True
        va = fault_address()
        e = vmcmds.find_entry(vmcmds.vm_map_of(p.dereference()), va)
        if e is None or number(e["object"]) == 0 or number(e["object"]["type"]) not in (2, 3):
            return False
        name = kmem.cstring(e["object"]["un_pager"]["devp"]["name"])
        return name.startswith(device)

    return accept


def fault_address() -> int:
    return number(kmem.evaluate("$cr2"))


def fault_next(args: list[str]) -> None:
    accept = wanted(args)
    stage = run_to(STAGES[:1], accept)
    if stage is None:
        print("the machine stopped elsewhere: no such fault came (`backtrace')")
        return
    current.thread = number(machine.pcpu()["pc_curthread"])
    current.va = fault_address()
    current.fs = 0
    current.log = []
    current.counts = kmem.counts()
    pagetable.snapshot.take()
    report(stage)


def fault_step(args: list[str]) -> None:
    if current.thread == 0:
        raise Problem("no fault is followed: `fault next' first")
    name = " ".join(args)
    stages = [s for s in STAGES[1:] if name in ("", s.name) or s.name in ("done", "failed")]
    if name and name not in (s.name for s in stages):
        raise Problem(f"no stage `{name}': one of {', '.join(s.name for s in STAGES[1:])}")
    stage = run_to(stages, same_fault)
    if stage is None:
        print("the machine stopped elsewhere (`backtrace')")
        return
    report(stage)
    if stage.name in ("done", "failed"):
        current.thread = 0


def fault_finish(args: list[str]) -> None:
    if current.thread == 0:
        raise Problem("no fault is followed: `fault next' first")
    stage = run_to([s for s in STAGES if s.name in ("done", "failed")], same_fault)
    if stage is None:
        print("the machine stopped elsewhere (`backtrace')")
        return
    report(stage)
    current.thread = 0


def fault_log(args: list[str]) -> None:
    print("\n".join(current.log) or "no fault was followed yet")


ACTIONS = {"next": fault_next, "step": fault_step, "finish": fault_finish, "log": fault_log}


@command
class FaultCommand(Command):
    """Step through a page fault by its named stages.

fault next [pid N] [dev NAME]   run to the next fault (of process N, on device NAME's memory)
fault step [STAGE]              run to its next stage, or to that one: trap, lookup, soft, populate
                                call, populate return, clip, search, getpages, copy, enter, done
fault finish                    run to its end, and show what changed in the page tables
fault log                       the stages of this fault so far, a line each"""

    name = "fault"
    words = {(): tuple(ACTIONS), ("next",): ("pid", "dev"), ("next", "dev"): ("fb0",),
             ("step",): tuple(stage.name for stage in STAGES[1:])}

    def run(self, args: list[str]) -> None:
        if not args or args[0] not in ACTIONS:
            raise Problem(f"one of {', '.join(ACTIONS)} is wanted (help fault)")
        ACTIONS[args[0]](args[1:])
