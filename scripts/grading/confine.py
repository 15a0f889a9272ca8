"""Commands for what is not to be trusted: the compiler while it reads a submission, and the
submission itself where it runs on the host.

With root's rights it runs as a user of its own that owns nothing but its scratch folder, and where
the system allows it without a network and with processes of its own. Without them the limits alone
hold.
"""

import functools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

FIRST_UID = 61000  # and as many above it as submissions are graded at once
NAMESPACES = ["unshare", "--net", "--pid", "--ipc", "--fork", "--kill-child", "--"]
SHOWN = 64 << 10  # bytes of output that are kept


@dataclass(frozen=True)
class Limits:
    cpu_seconds: int
    file_bytes: int
    memory_bytes: int | None  # of address space
    processes: int


COMPILER = Limits(300, 256 << 20, 4 << 30, 256)
# AddressSanitizer's shadow takes terabytes of address space; ASAN_OPTIONS limits what it uses.
NATIVE = Limits(300, 0, None, 64)


@functools.cache
def can_unshare() -> bool:
    try:
        return subprocess.run([*NAMESPACES, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def uid_of(slot: int) -> int | None:
    return FIRST_UID + slot if os.geteuid() == 0 else None


def give(path: Path, slot: int) -> None:
    """Let the confined user have the folder and all in it."""
    uid = uid_of(slot)
    if uid is not None:
        subprocess.run(["chown", "-R", f"{uid}:{uid}", path], check=True)


def command(words: list[str], limits: Limits, slot: int, alone: bool) -> list[str]:
    """words, confined. alone: without network and other processes, at the same addresses in each
    run."""
    prefix = [*NAMESPACES] if alone and can_unshare() else []
    prefix += ["prlimit", f"--cpu={limits.cpu_seconds}", f"--fsize={limits.file_bytes}", "--core=0"]
    if limits.memory_bytes is not None:
        prefix.append(f"--as={limits.memory_bytes}")
    uid = uid_of(slot)
    if uid is not None:
        prefix += [f"--nproc={limits.processes}", "--", "setpriv", f"--reuid={uid}",
                   f"--regid={uid}", "--clear-groups", "--no-new-privs", "--"]
    else:
        prefix.append("--")
    return prefix + (["setarch", "--addr-no-randomize", "--"] if alone else []) + words
