#!/usr/bin/python3
"""Write a cpio archive in the "newc" format, which is what the kernel takes for an initrd.

usage: newc.py OUT [DIRECTORY/ | HOST:GUEST | @TARGET:GUEST]...

A HOST file is put at GUEST with its mode; the folders above it are made as needed. DIRECTORY/ may
be followed by :MODE, in octal. @TARGET:GUEST is a symbolic link.
"""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import BinaryIO

ELF_MAGIC, PT_DYNAMIC = b"\x7fELF\x02\x01", 2


def is_dynamic(host: Path) -> bool:
    """A program or library of 64 bits that wants others to run."""
    with open(host, "rb") as src:
        head = src.read(64)
        if len(head) < 64 or not head.startswith(ELF_MAGIC):
            return False
        start = int.from_bytes(head[32:40], "little")
        if start >= os.fstat(src.fileno()).st_size:
            return False
        src.seek(start)
        size, count = (int.from_bytes(head[at:at + 2], "little") for at in (54, 56))
        headers = src.read(size * count)
    return any(headers[at:at + 4] == PT_DYNAMIC.to_bytes(4, "little")
               for at in range(0, len(headers), max(size, 4)))


def libraries(host: Path, all_needed: bool) -> list[str]:
    """Paths of the libraries, and of the loader, that a dynamic program or library needs.
    all_needed: one that is not there is an error."""
    if not is_dynamic(host):
        return []
    told = subprocess.run(["ldd", str(host)], capture_output=True, text=True).stdout
    missing = re.search(r"(\S+) => not found", told)
    if missing and all_needed:
        raise ValueError(f"{host}: its library {missing[1]} is not installed")
    paths = re.findall(r"^\s(?:.* => )?(/\S+) \(0x", told, re.M)
    return [os.path.normpath(path) for path in paths]  # $ORIGIN/../lib, say


class Archive:
    """One archive, written member by member; close() ends it."""

    def __init__(self, out: BinaryIO) -> None:
        self.out = out
        self.ino = 0
        self.folders: set[str] = set()
        self.shared: set[str] = set()  # libraries that are in it

    def _member(self, name: str, mode: int, mtime: float, data: bytes) -> None:
        self.ino += 1
        raw = os.fsencode(name) + b"\0"
        fields = (self.ino, mode, 0, 0, 1, int(mtime), len(data), 0, 0, 0, 0, len(raw), 0)
        header = b"070701" + b"".join(b"%08X" % (field & 0xFFFFFFFF) for field in fields)
        for part in (header + raw, data):
            self.out.write(part)
            self.out.write(bytes(-len(part) % 4))

    def folder(self, name: str, mode: int = 0o755, mtime: float = 0) -> None:
        """Make folder name, and those above it, once."""
        name = name.strip("/")
        if not name or name in self.folders:
            return
        self.folder(str(PurePosixPath(name).parent).strip("."))
        self.folders.add(name)
        self._member(name, stat.S_IFDIR | mode, mtime, b"")

    def file(self, host: Path, guest: str) -> None:
        """Put the host's file at guest, its mode kept."""
        with open(host, "rb") as src:
            status = os.fstat(src.fileno())
            data = src.read()
        if len(data) >> 32:
            raise ValueError(f"{host}: too big for an initrd")
        guest = guest.strip("/")
        self.folder(os.path.dirname(guest))
        self._member(guest, stat.S_IFREG | stat.S_IMODE(status.st_mode), status.st_mtime, data)

    def link(self, target: str, guest: str) -> None:
        """A symbolic link at guest."""
        guest = guest.strip("/")
        self.folder(os.path.dirname(guest))
        self._member(guest, stat.S_IFLNK | 0o777, 0, os.fsencode(target))

    def program(self, host: Path, guest: str, all_needed: bool = True) -> None:
        """A file, and what it needs to run, at the paths that its loader looks at."""
        self.file(host, guest)
        for path in libraries(host, all_needed):
            self._library(path)

    def _library(self, path: str) -> None:
        if path in self.shared:
            return
        self.shared.add(path)
        if not os.path.islink(path):
            self.file(Path(path), path)
            return
        target = os.readlink(path)
        self.link(target, path)
        self._library(os.path.normpath(os.path.join(os.path.dirname(path), target)))

    def tree(self, host: Path, guest: str) -> None:
        """A folder and all that is in it: files, folders and links, with their modes; and what its
        programs need, as far as it is installed."""
        status = host.stat()
        self.folder(guest, stat.S_IMODE(status.st_mode), status.st_mtime)
        for entry in sorted(os.scandir(host), key=lambda entry: entry.name):
            path, name = Path(entry.path), f"{guest}/{entry.name}"
            if entry.is_symlink():
                self.link(os.readlink(path), name)
            elif entry.is_dir():
                self.tree(path, name)
            elif entry.is_file():
                self.program(path, name, all_needed=False)

    def close(self) -> None:
        self._member("TRAILER!!!", 0, 0, b"")


def main(args: list[str]) -> int:
    if not args:
        print(__doc__, file=sys.stderr)
        return 2
    with open(args[0], "wb") as out:
        archive = Archive(out)
        for arg in args[1:]:
            host, _, guest = arg.rpartition(":")
            if arg.endswith("/"):
                archive.folder(arg)
            elif host.endswith("/"):
                archive.folder(host, int(guest, 8))
            elif host.startswith("@"):
                archive.link(host[1:], guest)
            else:
                archive.file(Path(host), guest)
        archive.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
