"""How costs grow with size, on both kernels: vmgrowth, slopes, a table and a picture.

A figure is about all of a size (populate a mapping of so many MiB, end so many processes) or about
one of so many (a fault among so many mappings). Nothing may be worse than n log n for all, which is
log n for one.
"""

import json
import math
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from benching.kernels import LINUX_BARE, clean, linux, number, quire, say

PROGRAM = "vmgrowth"
LINE = re.compile(r"^([a-z-]+)\t([0-9]+)\t([0-9]+)$")
# What is asked of vmgrowth. Each size is a power of the step; `short' goes as far as that.
KINDS = {"mapping": ("MiB", 4, 4096, 64), "entries": ("mappings", 10, 100000, 10000),
         "processes": ("processes", 10, 1000, 100), "cpus": ("processors", 2, 8, 2)}
MEMORY, SHORT_MEMORY, TIMEOUT = "6G", "512M", 600  # 4 GiB are populated
LINUX_MAPPING = 1024  # MiB: what is more takes Linux minutes
SLACK = 1.25  # a figure may grow so much faster than n log n between two sizes: caches, tables


@dataclass(frozen=True)
class Figure:
    kind: str
    is_all: bool
    what: str


FIGURES = {
    "map-unmap": Figure("mapping", False, "mmap and munmap, untouched"),
    "fault-in": Figure("mapping", False, "a write fault, spread over it"),
    "populate": Figure("mapping", True, "MAP_POPULATE"),
    "protect": Figure("mapping", True, "mprotect, touched"),
    "fork-touched": Figure("mapping", True, "fork, exit and wait, touched"),
    "unmap-touched": Figure("mapping", True, "munmap, touched"),
    "make-entries": Figure("entries", True, "make them"),
    "map-among": Figure("entries", False, "mmap and munmap of a page"),
    "fault-among": Figure("entries", False, "a write fault"),
    "protect-among": Figure("entries", False, "mprotect of a page and back"),
    "fork-entries": Figure("entries", True, "fork, exit and wait"),
    "unmap-entries": Figure("entries", True, "munmap of all"),
    "make-processes": Figure("processes", True, "fork them"),
    "pass-on": Figure("processes", True, "hand a byte round through pipes"),
    "write-shared": Figure("processes", False, "a write to a page that all share"),
    "fork-among": Figure("processes", False, "fork, exit and wait of one more"),
    "truncate-shared": Figure("processes", True, "take a page from all of them"),
    "end-processes": Figure("processes", True, "end and wait for all"),
    "fault-processes": Figure("cpus", False, "a fault, a process on each"),
    "fault-threads": Figure("cpus", False, "a fault, a thread of one process on each"),
}
Points = dict[int, int]  # ticks by size
Results = dict[str, Points]  # by figure


def sizes(kind: str, short: bool, limit: int = 1 << 60) -> list[int]:
    _, step, top, short_top = KINDS[kind]
    top = min(short_top if short else top, limit)
    return [step ** i for i in range(64) if step ** i <= top]


def words(kinds: list[str], short: bool, limit: int = 1 << 60) -> list[str]:
    return [
        f"{kind}=" + ",".join(map(str, sizes(kind, short, limit if kind == "mapping" else 1 << 60)))
        for kind in kinds]


def parse(console: str, into: Results) -> None:
    for line in console.splitlines():
        match = LINE.match(line)
        if match:
            into.setdefault(match[1], {})[int(match[2])] = int(match[3])


def measure(kernel: Optional[Path], short: bool) -> dict[str, Results]:
    """Quire, and that Linux but for many processors, which takes it minutes under -icount."""
    memory = SHORT_MEMORY if short else MEMORY
    kinds = ["mapping", "entries", "processes"]
    found: dict[str, Results] = {"Quire": {}}
    parse(quire(words(kinds, short), LINE, PROGRAM, memory=memory, timeout=TIMEOUT), found["Quire"])
    for cpus in sizes("cpus", short):
        parse(quire([f"cpus={cpus}"], LINE, PROGRAM, cpus=cpus), found["Quire"])
    if kernel:
        found["Linux"] = {}
        parse(linux(kernel, LINUX_BARE, words(kinds, short, LINUX_MAPPING), LINE, PROGRAM,
                    memory, TIMEOUT), found["Linux"])
    return found


# --- what it says ----------------------------------------------------------------------------------


def slope(points: Points) -> float:
    """The exponent over the largest sizes: from a tenth or less of the largest on."""
    top = max(points)
    low = max((size for size in points if size * 10 <= top), default=min(points))
    if low == top:
        return 0.0
    return math.log(points[top] / points[low]) / math.log(top / low)


def is_too_steep(name: str, points: Points) -> bool:
    """Does it grow faster than n log n (all), or log n (one), between the two largest sizes?"""
    low, top = sorted(points)[-2:]
    allowed = math.log(max(top, 3)) / math.log(max(low, 3))
    if FIGURES[name].is_all:
        allowed *= top / low
    return points[top] / points[low] > allowed * SLACK


def too_steep(found: Results) -> list[str]:
    return [name for name, points in found.items() if is_too_steep(name, points)]


def table(found: dict[str, Results]) -> list[list[str]]:
    lines = [["", "of", "from", "to", *(f"{title}, {end}" for title in found
                                         for end in ("least", "most", "slope"))]]
    for name, figure in FIGURES.items():
        points = found["Quire"].get(name)
        if not points:
            continue
        unit = KINDS[figure.kind][0]
        line = [figure.what, "all" if figure.is_all else "one", f"{min(points):,}",
                f"{max(points):,} {unit}"]
        for results in found.values():
            at = results.get(name)
            line += ([number(at[min(at)]), number(at[max(at)]), f"{slope(at):.2f}"] if at
                     else ["-"] * 3)
        lines.append(line)
    return lines


def as_json(found: dict[str, Results], facts: dict[str, str]) -> str:
    return json.dumps({"about": facts, "ticks": found}, indent=1) + "\n"


def plot(found: dict[str, Results], kind: str) -> str:
    """Commands of gnuplot's for one panel: a line a figure, Linux's dashed."""
    commands, blocks, number_of = [], [], 0
    for title, results in found.items():
        for i, (name, figure) in enumerate(FIGURES.items()):
            points = results.get(name)
            if figure.kind != kind or not points:
                continue
            number_of += 1
            data = "".join(f"{size} {ticks}\n" for size, ticks in sorted(points.items()))
            blocks.append(f"$d{number_of} << EOD\n{data}EOD\n")
            dash, mark = ("dt 1 lw 2", "pt 7 ps 0.5") if title == "Quire" else ("dt 3 lw 1.5",
                                                                              "pt 6 ps 0.5")
            key = f'title "{name}"' if title == "Quire" else "notitle"
            commands.append(f"$d{number_of} using 1:2 with linespoints {dash} {mark} "
                            f"lc {i % 6 + 1} {key}")
    unit = KINDS[kind][0]
    return ("".join(blocks) + f'set xlabel "{unit}"\nset title "{kind}"\n'
            + "plot " + ", \\\n  ".join(commands) + "\n")


def picture(found: dict[str, Results], terminal: str) -> Optional[bytes]:
    """As gnuplot's terminal (svg, pngcairo) draws it; None, and a line that says so, without."""
    script = f"""
set terminal {terminal} size 1200,960 font "sans-serif,11" background "#ffffff"
set multiplot layout 2,2 title "Instructions by size: Quire, and Linux (dashed)"
set logscale xy
set format x "10^{{%L}}"
set format y "10^{{%L}}"
set grid lc "#cccccc"
set key outside right top samplen 2
set linetype 1 lc "#4477aa"
set linetype 2 lc "#ee6677"
set linetype 3 lc "#228833"
set linetype 4 lc "#ccbb44"
set linetype 5 lc "#66ccee"
set linetype 6 lc "#aa3377"
"""
    for kind in ("mapping", "entries", "processes"):
        script += plot(found, kind)
    script += 'set format x "%g"\nset yrange [100:10000]\nset xtics (1, 2, 4, 8)\n'
    script += plot(found, "cpus") + "unset multiplot\n"
    try:
        done = subprocess.run(["gnuplot"], input=script.encode(), capture_output=True)
    except FileNotFoundError:
        say("no picture: gnuplot is not installed; type: apt-get install gnuplot-nox")
        return None
    if done.returncode or not done.stdout:
        say(f"no picture: {clean(done.stderr).strip()}")
        return None
    return done.stdout
