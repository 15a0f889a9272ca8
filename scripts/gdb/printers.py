"""How gdb prints the VM's types: a line that says what the thing is, its fields below."""

from __future__ import annotations

from typing import Callable, Iterator

import gdb
import gdb.printing

import machine
import vmcmds
from kmem import Problem


class Printer:
    """A summary line, and all fields as children."""

    def __init__(self, value: gdb.Value, summary: Callable[[gdb.Value], str]) -> None:
        self.value = value
        self.summary = summary

    def to_string(self) -> str:
        try:
            return self.summary(self.value)
        except (gdb.error, gdb.MemoryError, Problem) as error:
            return f"(unreadable: {error})"

    def children(self) -> Iterator[tuple[str, gdb.Value]]:
        for field in self.value.type.fields():
            if field.name:
                yield field.name, self.value[field]


SUMMARIES: dict[str, Callable[[gdb.Value], str]] = {
    "vm_page": lambda v: f"frame {int(v['phys_addr']):#x}: {vmcmds.page_state(v)}",
    "vm_map_entry": vmcmds.entry_line,
    "vm_object": vmcmds.object_title,
    "vm_map": lambda v: f"{int(v['nentries'])} entries, {int(v['size']) >> 10} KiB",
    "pmap": lambda v: f"top table {int(v['pm_cr3']):#x}, {int(v['pm_resident'])} resident",
    "mtx": machine.mtx_state,
    "rwlock": machine.rw_state,
    "thread": lambda v: machine.thread_name(int(v.address)) if v.address else "thread",
    "proc": lambda v: f"process {int(v['p_pid'])} ({v['p_comm'].string()})",
    "pv_entry": lambda v: f"{int(v['pv_va']) & 0xFFF} page(s) at {int(v['pv_va']) & ~0xFFF:#x}",
    "md_page": lambda v: "mapped" if v["pv_list"] else "not mapped",
    "vm_radix": lambda v: f"radix tree of height {int(v['rt_height'])}",
    "vmspace": lambda v: f"address space, {int(v['vm_map']['nentries'])} entries",
    "vm_map_lookup": lambda v: f"[{int(v['start']):#x}, {int(v['end']):#x}) "
                               f"{vmcmds.rights(v['prot'])}",
    "vm_phys_range": lambda v: f"[{int(v['start']):#x}, {int(v['start']) + int(v['size']):#x})",
    "vm_counters": lambda v: f"{int(v['v_free_count'])} of {int(v['v_page_count'])} pages free, "
                             f"{int(v['v_faults'])} faults",
    "faultstate": lambda v: f"fault at {int(v['vaddr']):#x}, {vmcmds.rights(v['fault_type'])}",
}


def register() -> None:
    collection = gdb.printing.RegexpCollectionPrettyPrinter("quire")
    for name, summary in SUMMARIES.items():
        collection.add_printer(name, f"^{name}$",
                               lambda value, summary=summary: Printer(value, summary))
    gdb.printing.register_pretty_printer(None, collection, replace=True)
