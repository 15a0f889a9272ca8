"""gdb commands for Quire: gdb -x scripts/gdb/quire.py build/quire.elf

`help quire' lists them. They only read memory, so they work on a running kernel, after a panic and
on a memory dump alike. Nothing of the kernel is called.
"""

import sys
from pathlib import Path

import gdb

sys.path.insert(0, str(Path(__file__).resolve().parent))
import faults  # noqa: E402,F401
import machine  # noqa: E402,F401
import pagetable  # noqa: E402,F401
import printers  # noqa: E402
import procs  # noqa: E402,F401
import vmcmds  # noqa: E402,F401



class Quire(gdb.Command):
    """The commands for Quire; `help NAME' has more.

vm map|entry|object|page|chain   the virtual memory's structures (vmmap: vm map)
pt ADDR, pt diff, pt watch ADDR  page tables; v2p, p2v, pagewalk
fault next|step|finish|log       a page fault, stage by stage
ps, bt PID, cpu, locks, dmesg    processes, a process's stacks, the processor, locks, the log"""

    def __init__(self) -> None:
        super().__init__("quire", gdb.COMMAND_DATA)

    def invoke(self, text: str, from_tty: bool) -> None:
        gdb.execute("help quire")


Quire()
gdb.execute("set pagination off")
gdb.execute("set print pretty on")
printers.register()
