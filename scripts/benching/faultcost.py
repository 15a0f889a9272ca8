"""Where the instructions of an anonymous write fault go, for docs/benchmarks.md."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Optional

from benching.kernels import TREE, fail, number, say

ROW, PAGES = "anon-write", 4 * 256  # vmbench's rounds by its units
SHARE = 0.95  # what the table accounts for
# What no kernel can do without, by who does it: a page zeroed 32 bytes at a time, an entry stored.
FLOORS = {"zero_page_avx": 128, "pmap_enter": 1}


def measure(svg: Optional[Path] = None) -> dict:
    """scripts/profile's JSON of the faults alone."""
    say(f"profile of {ROW} ...")
    with tempfile.TemporaryDirectory(prefix="bench-") as tmp:
        out = Path(tmp) / "profile.json"
        command = [str(TREE / "scripts/profile"), "--release", "--in", "touch_write",
                   "--per", str(PAGES), "--json", str(out)]
        command += ["--svg", str(svg)] if svg else []
        done = subprocess.run(command + ["--", "/bin/vmbench", ROW], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        if done.returncode:
            fail(done.returncode, f"scripts/profile failed: {done.stderr.strip()}")
        return json.loads(out.read_text())


def markdown(profile: dict) -> str:
    """A line a function, the dearest first, until they are SHARE of all; the rest in one."""
    counted, per = profile["counted"], profile["per"]
    lines = ["| function | its own | % | sum % | floor |", "|---|---:|---:|---:|---:|"]
    so_far = 0
    for i, f in enumerate(profile["functions"]):
        if so_far >= SHARE * counted:
            rest = counted - so_far
            lines.append(f"| {len(profile['functions']) - i} others | {number(rest / per)} "
                         f"| {100 * rest / counted:.1f} | 100.0 | - |")
            break
        so_far += f["self"]
        lines.append(f"| `{f['function']}` | {number(f['self'] / per)} "
                     f"| {100 * f['self'] / counted:.1f} | {100 * so_far / counted:.1f} "
                     f"| {FLOORS.get(f['function'], '-')} |")
    lines.append(f"| **all** | {number(counted / per)} | 100.0 | | {sum(FLOORS.values())} |")
    return "\n".join(lines)
