"""What a processor does not ask for: NMIs anywhere, interrupts that nobody expects, and processors
that are said to be there but never answer. gdb puts them where they hurt."""

import re
import subprocess

from gdbs import Debugged, Gdb, to_kmain

WORK = "for i in 1 2 3; do (seq 1 300 | wc -l) & done; wait; cat /proc/interrupts; nproc"
# The trampolines between a program and the kernel, where GS may be either's and RSP the program's.
EDGES = {"syscall_entry": 20, "trap_common": 4}
# A spin lock is held; a lock is waited for; page tables change; the scheduler switches; nothing runs.
PLACES = ["mtx_unlock", "rw_wlock_at", "tlb_shootdown", "cpu_switch", "switch_stack", "cpu_idle",
          "pmap_enter", "trap_ist", "user_return", "timer_interrupt"]


def machine(script: str, *options: str) -> Debugged:
    return Debugged("/bin/busybox", "sh", "-c", script, out=subprocess.PIPE,
                    options=["--smp", "2", "--append", "loglevel=4", *options])


def to_its_end(debugged: Debugged, gdb: Gdb) -> list[str]:
    gdb("delete")
    gdb.child.sendline("continue")
    out, _ = debugged.machine.communicate(timeout=120)
    assert debugged.machine.returncode == 0, out
    return out.decode().splitlines()


def counted(lines: list[str], name: str) -> list[int]:
    """The line of /proc/interrupts."""
    words = next(line.split() for line in lines if line.strip().startswith(name + ":"))
    return [int(words[1]), int(words[2])]


def instructions(gdb: Gdb, function: str, n: int) -> list[str]:
    return re.findall(r"^\s+(0x[0-9a-f]+)", gdb(f"x/{n}i {function}"), re.MULTILINE)


def nmi_at(gdb: Gdb, place: str) -> None:
    gdb(f"hbreak {place}")
    gdb("continue")
    gdb("delete")
    gdb("monitor nmi")  # on each processor


def test_an_nmi_anywhere_is_counted() -> None:
    """At each instruction of the ways in and out, with locks held, in the scheduler, in a program:
    on both processors, and all goes on."""
    debugged = machine(WORK, "--icount")
    with debugged as gdb:
        to_kmain(gdb)
        gdb("hbreak sys_getpid")
        gdb("continue")
        places = [f"*{at}" for name, n in EDGES.items() for at in instructions(gdb, name, n)]
        places += PLACES
        for place in places:
            gdb("delete")
            nmi_at(gdb, place)
        gdb("hbreak syscall_trap")
        gdb("continue")
        user = gdb("p/x ((struct trapframe *)$rdi)->tf_rip").split()[-1]
        gdb("delete")
        nmi_at(gdb, f"*{user}")
        lines = to_its_end(debugged, gdb)
    # Two that come before the first is dealt with are one.
    sent = len(places) + 1
    assert all(sent // 2 <= n <= sent for n in counted(lines, "NMI")), lines
    assert lines[:3] == ["300"] * 3 and lines[-1] == "2"


def send_instead(gdb: Gdb, vector: int) -> None:
    """A processor that interrupts another one sends that vector first."""
    gdb("hbreak apic_ipi")
    gdb("continue")
    gdb("delete")
    how, back = (gdb(f"p/x {what}").split()[-1] for what in ("$rsi", "*(long *)$rsp"))
    target = gdb("p/x $rdi").split()[-1]
    gdb(f"set $rsi = {vector}")
    gdb(f"hbreak *{back}")
    gdb("continue")
    gdb("delete")
    for command in ("$rsp = $rsp - 8", f"*(long *)$rsp = {back}", f"$rdi = {target}",
                    f"$rsi = {how}", "$rip = apic_ipi"):
        gdb(f"set {command}")


def test_an_interrupt_that_nobody_expects_is_over() -> None:
    """One that is in service keeps all others back until its end is told."""
    debugged = machine("sleep 1; " + WORK, "--icount")
    vectors = [0x50, 0xff, 0xfe, 0xe0]
    with debugged as gdb:
        to_kmain(gdb)
        gdb("hbreak sys_getpid")
        gdb("continue")
        gdb("delete")
        for vector in vectors:
            send_instead(gdb, vector)
        lines = to_its_end(debugged, gdb)
    assert sum(counted(lines, "SPU")) == len(vectors), lines
    assert lines[:3] == ["300"] * 3 and lines[-1] == "2"


def test_a_processor_that_does_not_answer_is_left_out() -> None:
    """The firmware lists one that is not there, before one that is: a line, and the others work."""
    debugged = machine(WORK)
    with debugged as gdb:
        to_kmain(gdb)
        for command in ("bootinfo.apic_ids[1] = 9", "bootinfo.apic_ids[2] = 1", "bootinfo.ncpus = 3"):
            gdb(f"set var {command}")
        lines = to_its_end(debugged, gdb)
    said = [line for line in lines if "does not answer" in line]
    assert len(said) == 1 and "the CPU with APIC number 9 does not answer" in said[0]
    assert lines[-1] == "2" and [line for line in lines if line == "300"] == ["300"] * 3
