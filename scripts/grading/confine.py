"""Commands for what is not to be trusted: the compiler while it reads a submission, and the
submission itself where it runs on the host.

With root's rights it runs as a user of its own that owns nothing but its scratch folder, and where
the system allows it without a network and with processes of its own. Without them the limits alone
hold.
"""

import functools
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

UIDS = range(61000, 61184)  # neither Debian nor systemd gives these to anybody
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


class User:
    """Who one submission runs as: nobody else on this machine does until it is closed. Without
    root's rights there is no such user, and uid is None."""

    def __init__(self) -> None:
        self.uid: int | None = None
        if os.geteuid() != 0:
            return
        for uid in UIDS:
            self.holder = socket.socket(socket.AF_UNIX)
            try:
                self.holder.bind(f"\0quire-grade-{uid}")  # the name is free again when we die
            except OSError:
                self.holder.close()
            else:
                self.uid = uid
                return
        raise RuntimeError(f"{len(UIDS)} submissions are being graded already")

    def close(self) -> None:
        if self.uid is not None:
            self.holder.close()

    def give(self, path: Path) -> None:
        """Let the user have the folder and all in it."""
        if self.uid is not None:
            subprocess.run(["chown", "-R", f"{self.uid}:{self.uid}", path], check=True)

    def command(self, words: list[str], limits: Limits, alone: bool) -> list[str]:
        """words, confined. alone: without network and other processes, at the same addresses in
        each run."""
        prefix = [*NAMESPACES] if alone and can_unshare() else []
        prefix += ["prlimit", f"--cpu={limits.cpu_seconds}", f"--fsize={limits.file_bytes}",
                   "--core=0"]
        if limits.memory_bytes is not None:
            prefix.append(f"--as={limits.memory_bytes}")
        if self.uid is not None:
            prefix += [f"--nproc={limits.processes}", "--", "setpriv", f"--reuid={self.uid}",
                       f"--regid={self.uid}", "--clear-groups", "--no-new-privs", "--"]
        else:
            prefix.append("--")
        return prefix + (["setarch", "--addr-no-randomize", "--"] if alone else []) + words
