"""Which functions lie where in the kernel and in programs, for counter.c to read."""

import re
import subprocess
from pathlib import Path

PIE_BASE = 0x555555554000  # where the kernel loads a program that may be loaded anywhere


def output_of(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


class Program:
    """An ELF file: where it is loaded, its code, its functions by address."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        head = output_of("readelf", "-hlW", str(path))
        self.is_elf = "ELF Header" in head
        self.load = PIE_BASE if re.search(r"Type: +DYN", head) else 0
        # Type Offset VirtAddr PhysAddr FileSiz MemSiz Flags Align
        loads = re.findall(r"LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+) 0x\w+ (R?W? ?E)", head)
        self.texts = [(address, offset, size) for offset, address, size, _ in loads]
        lines = output_of("nm", "-n", str(path)).splitlines() if self.is_elf else []
        functions = [re.match(r"([0-9a-f]+) [tTwWi] (\S+)$", line) for line in lines]
        self.functions = [(match[1], match[2]) for match in functions if match]

    def names(self) -> set[str]:
        return {name for _, name in self.functions}

    def describe(self) -> str:
        return (f"elf {self.load:x} {self.path}\n"
                + "".join(f"text {a} {offset} {size}\n" for a, offset, size in self.texts)
                + "".join(f"sym {address} {name}\n" for address, name in self.functions))
