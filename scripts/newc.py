#!/usr/bin/python3
"""Write a cpio archive in the "newc" format, which is what the kernel takes for an initrd.

usage: newc.py OUT [DIRECTORY/ | HOST:GUEST]...

A HOST file is put at GUEST with its mode; the folders above it are made as needed.
"""

import os
import stat
import sys
from pathlib import Path, PurePosixPath
from typing import BinaryIO


class Archive:
    """One archive, written member by member; close() ends it."""

    def __init__(self, out: BinaryIO) -> None:
        self.out = out
        self.ino = 0
        self.folders: set[str] = set()

    def _member(self, name: str, mode: int, mtime: int, data: bytes) -> None:
        self.ino += 1
        raw = os.fsencode(name) + b"\0"
        fields = (self.ino, mode, 0, 0, 1, mtime, len(data), 0, 0, 0, 0, len(raw), 0)
        header = b"070701" + b"".join(b"%08X" % (field & 0xFFFFFFFF) for field in fields)
        for part in (header + raw, data):
            self.out.write(part + bytes(-len(part) % 4))

    def folder(self, name: str) -> None:
        """Make folder name, and those above it, once."""
        name = name.strip("/")
        if not name or name in self.folders:
            return
        self.folder(str(PurePosixPath(name).parent).strip("."))
        self.folders.add(name)
        self._member(name, stat.S_IFDIR | 0o755, 0, b"")

    def file(self, host: Path, guest: str) -> None:
        """Put the host's file at guest, its mode kept."""
        with open(host, "rb") as src:
            status = os.fstat(src.fileno())
            data = src.read()
        if len(data) >> 32:
            raise ValueError(f"{host}: too big for an initrd")
        guest = guest.strip("/")
        self.folder(os.path.dirname(guest))
        self._member(guest, stat.S_IFREG | stat.S_IMODE(status.st_mode), int(status.st_mtime), data)

    def close(self) -> None:
        self._member("TRAILER!!!", 0, 0, b"")


def main(args: list[str]) -> int:
    if not args:
        print(__doc__, file=sys.stderr)
        return 2
    with open(args[0], "wb") as out:
        archive = Archive(out)
        for arg in args[1:]:
            if arg.endswith("/"):
                archive.folder(arg)
            else:
                host, _, guest = arg.rpartition(":")
                archive.file(Path(host), guest)
        archive.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
