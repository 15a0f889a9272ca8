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

gdb.execute("set pagination off")
gdb.execute("set print pretty on")
printers.register()
