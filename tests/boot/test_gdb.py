"""scripts/gdb, driven as a person does: faults through their stages, each command in each state, on
what is broken, and docs/fault-walk.md, whose output is what gdb shows."""

import os
import re
import shutil
from pathlib import Path

import pytest
from gdbs import Debugged, Gdb, stages, to_kmain
from keyboard import Keyboard
from quire import PROGRAMS, TREE

pytestmark = pytest.mark.skipif(not shutil.which("gdb"), reason="gdb is not installed")

WALK = TREE / "docs/fault-walk.md"
WHOLE = ("/bin/faultbench", "whole")
FB = "0x7ffff6e00000"  # where faultbench has VRAM


# --- faults by stages ----------------------------------------------------------------------------

def test_framebuffer_fault_by_stages() -> None:
    with Debugged(*WHOLE) as gdb:
        to_kmain(gdb)
        shown = [gdb("fault next dev fb0")] + [gdb("fault step") for _ in range(7)]
        assert stages("\n".join(shown)) == ["trap", "lookup", "soft", "populate call",
                                            "populate return", "clip", "enter", "done"]
        assert all(text.count("next: ") == 1 for text in shown)
        assert "in 0x7ffff6e00000-0x7ffff7e00000 rw-" in shown[0]
        assert "changed: populate_calls +1" in shown[3]
        assert "populate_pages +4096, pte_writes +8, superpages +8" in shown[7]
        assert "writes" in shown[0] and "no entry maps the page" in shown[0]
        assert "populate returned [0, 4095], 4096 pages" in shown[4]
        assert re.search(r"8 × 2M entered: write user .*write-combining", shown[7])
        assert [line.split(":")[0] for line in gdb("fault log").splitlines()] == stages(
            "\n".join(shown))
        assert "no fault is followed" in gdb("fault step")


def test_five_commands_from_start_to_populate_return() -> None:
    with Debugged(*WHOLE) as gdb:  # 1 was `target remote'
        gdb("hbreak kmain")
        gdb("continue")
        gdb("fault next dev fb0")
        assert "populate returned [0, 4095], 4096 pages" in gdb("fault step populate return")
        assert "8 × 2M entered" in gdb("fault finish")
        chain = gdb(f"vm chain {FB}")
        assert re.search(r"entry.*shared device", chain) and re.search("PTE.*2M", chain)


def test_one_fault_of_two_cpus() -> None:
    """Two programs fault at once; one of the faults is followed, the other passes."""
    command = "faultbench whole & faultbench single; wait"
    with Debugged("/bin/sh", "-c", command, options=["--smp", "2"]) as gdb:
        to_kmain(gdb)
        shown = [gdb("fault next dev fb0")]
        pid = re.search(r"process (\d) \(faultbench\) writes", shown[0])[1]
        shown += [gdb("fault step") for _ in range(7)]
        assert stages("\n".join(shown))[-2:] == ["enter", "done"]
        assert f"map of process {pid}" in gdb("vm map")
        for cpu in (1, 2):
            gdb(f"thread {cpu}")
            assert "struct thread at" in gdb("cpu")
        try_all(gdb)


def test_other_faults() -> None:
    """A program's first: its data (a copy of the file's page), its stack (zeros), its text (the
    file's pages)."""
    with Debugged("/bin/hello") as gdb:
        to_kmain(gdb)
        faults = []
        for _ in range(6):
            shown = [gdb("fault next")]
            while stages(shown[-1])[-1:] not in (["done"], ["failed"]):
                shown.append(gdb("fault step"))
            faults.append("\n".join(shown))
        ways = [stages(fault) for fault in faults]
        assert all(way[0] == "trap" and way[1] == "lookup" and way[-1] == "done" for way in ways)
        assert any("it gets a copy of its own" in fault for fault in faults)
        copied = [way for way in ways if "copy" in way]  # of a page that was there, or by getpages
        assert copied and all(way[-4:] == ["search", "copy", "enter", "done"] for way in copied)
        got = ["trap", "lookup", "soft", "search"]  # by getpages; then once more from the top
        assert [*got, "lookup", "soft", "enter", "done"] in ways
        assert all("entered: " in fault for fault in faults)


def test_fault_that_fails() -> None:
    with Debugged("/bin/die", "null-read",
                  options=["--icount", "--add", f"{PROGRAMS}/die"]) as gdb:
        to_kmain(gdb)
        gdb(f"add-symbol-file {PROGRAMS}/die")
        gdb("hbreak main")
        gdb("continue")
        gdb("delete")
        for _ in range(20):
            gdb("fault next")
            text = gdb("fault finish")
            if stages(text) == ["failed"]:
                break
        assert "next: SIGSEGV, at 0x0" in text


# --- each command in each state ------------------------------------------------------------------

COMMANDS = ["vm map", "vm map 1", "vm entry $rsp", "vm object $rsp", "vm page 0x200000",
            "vm chain $rsp", "pt $rsp", "pt diff", "ps", "kbt", "bt", "bt 1", "bt -1", "cpu",
            "locks", "dmesg", "dmesg 2", "fault log", "vmmap", "pagewalk kmain", "v2p kmain",
            "p2v 0x200000", f"vm chain {FB}", "print vm_cnt", "print *pcpus[0].pc_curthread"]
GARBAGE = ["vm", "vm nonsense", "vm map 999", "vm map x y", "vm entry", "vm entry 0x1",
           "vm entry 0xffffffffffffffff", "vm object 0x1", "vm object kmain", "vm page nosuch",
           "vm page 0xfffffffffffffff8", "vm page panic()", "vm map (", "vm chain 0", "vm chain (",
           "pt", "pt 0x900000000000", "pt 'x", "pt watch", "pt watch (", "kbt 77", "kbt kmain", "bt 77", "fault",
           "fault sideways", "fault step", "fault step nowhere", "fault finish", "fault next pid",
           "fault next moon 3", "v2p 0", "v2p", "vm map 99999999999999999999"]
HARMLESS = ["dmesg -1", "p2v -1", "print *(struct vm_page *)0", "print *(struct vm_object *)1",
            "print *(struct vm_map_entry *)kmain", "print *(struct pmap *)-8"]


def try_all(gdb: Gdb) -> dict[str, str]:
    answers = {command: gdb(command) for command in COMMANDS + HARMLESS}
    for command in GARBAGE:
        answer = gdb(command)
        assert answer and len(answer.splitlines()) <= 2, (command, answer)
    return answers


def stop_in(gdb: Gdb, function: str, program: str = "") -> None:
    to_kmain(gdb)
    if program:
        gdb(f"add-symbol-file {program}")
    gdb(f"hbreak {function}")
    assert function in gdb("continue")
    gdb("delete")


def test_before_the_first_instruction() -> None:
    with Debugged("/bin/hello") as gdb:
        answers = try_all(gdb)
        assert "not set up yet" in answers["vm map"] and "not set up yet" in answers["ps"]
        to_kmain(gdb)  # gdb has come along to long mode
        assert "kmain" in gdb("bt")


def test_in_kmain() -> None:
    with Debugged("/bin/hello") as gdb:
        to_kmain(gdb)
        try_all(gdb)


def test_in_user_mode() -> None:
    with Debugged("/bin/hello") as gdb:
        stop_in(gdb, "main", f"{TREE}/build/user/hello")
        answers = try_all(gdb)
        assert "user mode" in answers["cpu"] and "hello" in answers["vm map"]
        assert "stack" in answers["vm entry $rsp"] and "PTE" in answers["vm chain $rsp"]


def test_in_the_middle_of_a_lock() -> None:
    """The map is read-locked, and the object, and a spin lock may be held."""
    with Debugged("/bin/hello") as gdb:
        stop_in(gdb, "vm_fault_soft")
        answers = try_all(gdb)
        assert "reader" in answers["vm map"] and "LR_MAP" in answers["locks"]
        gdb("hbreak pmap_enter")
        gdb("continue")
        gdb("delete")
        gdb("hbreak mtx_unlock")
        gdb("continue")
        answers = try_all(gdb)
        assert re.search("spin locks held: [1-9]", answers["cpu"])


def test_at_a_panic() -> None:
    with Debugged("/bin/testdev", "/dev/testdev", "map:4:8:rw", "set:breach=extra", "w:6",
                  options=["--icount", "--append", "testdev", "--add",
                           f"{PROGRAMS}/testdev"]) as gdb:
        stop_in(gdb, "panic")
        answers = try_all(gdb)
        assert "P20" in gdb("info args") or "populate" in answers["bt"]
        assert "testdev" in answers["vm map"]


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp = tmp_path_factory.mktemp("dump")
    machine = Keyboard(tmp, "fbhold")
    try:
        machine.press("ret")
        machine.expect("touched 0\n")
        machine.command("dump-guest-memory", paging=True, protocol=f"file:{tmp}/dump.elf")
    finally:
        machine.end()
    return tmp / "dump.elf"


def test_on_a_dump(dump: Path) -> None:
    gdb = Gdb("-c", dump)
    try:
        answers = try_all(gdb)
        assert "fbhold" in answers["ps"] and "fbhold" in answers["vm map"]
        assert "sleep" in answers["bt 1"]
        assert re.search("PTE.*2M", answers[f"vm chain {FB}"])
    finally:
        gdb.close()


def test_on_a_dump_of_another_kernel(dump: Path) -> None:
    gdb = Gdb("-c", dump, kernel=TREE / "build/release/quire.elf")
    try:
        assert "is not the kernel" in gdb("ps")
    finally:
        gdb.close()


def test_wrong_symbols_are_said_at_once() -> None:
    """When gdb connects, before anything ran."""
    other = Debugged("/bin/hello", options=["--release"])
    with other as gdb:
        assert "quire.elf is not the kernel that runs" in other.first
        assert "warning" not in gdb("info threads")  # once


def test_right_symbols_are_no_news() -> None:
    same = Debugged("/bin/hello")
    with same:
        assert "warning" not in same.first


def test_tab_completes() -> None:
    gdb = Gdb()
    try:
        assert gdb.complete("vm ") == {f"vm {what}" for what in
                                       ("map", "entry", "object", "page", "chain")}
        assert gdb.complete("fault n") == {"fault next"}
        assert gdb.complete("fault next ") == {"fault next pid", "fault next dev"}
        assert gdb.complete("fault step populate r") == {"fault step populate return"}
        assert gdb.complete("pt ") == {"pt diff", "pt watch"}
        assert "vm entry kmain" in gdb.complete("vm entry kmai")
        for name in ("vm", "fault", "pt", "ps", "bt", "kbt", "cpu", "locks", "dmesg", "v2p", "p2v",
                     "vmmap", "pagewalk"):
            assert "not documented" not in gdb(f"help {name}")
        assert "nothing to look at" in gdb("ps")
    finally:
        gdb.close()


# --- what is broken ------------------------------------------------------------------------------

ALLPROC = "('kernel/kern/proc.c'::allproc.tqh_first)"
ENTRY = f"{ALLPROC}->p_vm->vm_map.header.next"
BREAKS = {  # what is overwritten, with what, and which commands say so
    "allproc goes round": (f"{ALLPROC}->p_list.tqe_next", ALLPROC, ["ps", "locks"]),
    "allproc leads nowhere": (f"{ALLPROC}->p_list.tqe_next", "0x1234567", ["ps"]),
    "entries go round": (f"{ENTRY}->next", ENTRY, ["vm map 1"]),
    "entries lead out": (f"{ENTRY}->next", "0xdead000000000000", ["vm map 1"]),
    "the tree goes round": (f"{ALLPROC}->p_vm->vm_map.root->right",
                            f"{ALLPROC}->p_vm->vm_map.root", ["vm entry 0x7fffffff0000"]),
    "objects go round": (f"{ENTRY}->object->backing_object", f"{ENTRY}->object",
                         [f"vm object {ENTRY}->object"]),
    "an object's tree": (f"{ENTRY}->object->rtree.rt_root", "0x10",
                         [f"vm object {ENTRY}->object"]),
    "a tree's height": (f"{ENTRY}->object->rtree.rt_height", "77",
                        [f"vm object {ENTRY}->object"]),
}


@pytest.fixture(scope="module")
def in_main() -> Gdb:
    with Debugged("/bin/hello") as gdb:
        stop_in(gdb, "main", f"{TREE}/build/user/hello")
        yield gdb


@pytest.mark.parametrize("name", BREAKS)
def test_broken_lists_end(in_main: Gdb, name: str) -> None:
    place, value, commands = BREAKS[name]
    in_main(f"set $kept = {place}")
    in_main(f"set var {place} = {value}")
    try:
        for command in commands:
            answer = in_main(command)
            assert re.search("corrupted|cannot be read|no memory can be read|there is no",
                             answer), (command, answer)
        for command in COMMANDS:
            in_main(command)
    finally:
        in_main(f"set var {place} = $kept")


# --- docs/fault-walk.md --------------------------------------------------------------------------

def plain(output: str) -> str:
    """Without what another build changes: the kernel's addresses, and counters."""
    output = re.sub(r"0xffff[0-9a-f]{12}", "0xffff............", output)
    output = re.sub(r"rip 0x[0-9a-f]+", "rip 0x......", output)
    output = re.sub(r"top table at 0x[0-9a-f]+", "top table at 0x......", output)
    output = re.sub(r"at 0x[0-9a-f]+: 0x[0-9a-f]{13}", "at 0x......: 0x.............", output)
    return re.sub(r"timestamp \d+", "timestamp N", output)


def walk(commands: list[str]) -> list[str]:
    """A block of text for each command."""
    with Debugged(*WHOLE) as gdb:
        to_kmain(gdb)
        return [f"{command}\n{plain(gdb(command))}" for command in commands]


def test_fault_walk_shows_what_gdb_shows() -> None:
    """QUIRE_UPDATE=1 writes what gdb shows now into the page."""
    text = WALK.read_text()
    pattern = re.compile(r"```gdb\n\(gdb\) (.*?)```", re.S)
    shown = [block.strip() for block in pattern.findall(text)]
    commands = [block.splitlines()[0] for block in shown]
    assert len(commands) >= 8
    actual = walk(commands)
    if os.environ.get("QUIRE_UPDATE"):
        blocks = iter(actual)
        WALK.write_text(pattern.sub(lambda _: f"```gdb\n(gdb) {next(blocks)}\n```", text))
        return
    assert actual == shown
