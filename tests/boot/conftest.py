"""The boot tests need what `make` and `make test-programs` build; they build nothing."""

import signal

import pytest

from quire import PROGRAMS, TREE


def pytest_configure() -> None:
    # What nohup or a shell's & has ignored would be ignored by the programs run here, too.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    for needed in (TREE / "build/quire.elf", TREE / "build/release/quire.elf",
                   TREE / "build/notrace/quire.elf", TREE / "build/initrd.cpio", PROGRAMS):
        if not needed.exists():
            pytest.exit(f"{needed} is not built; type: make test-boot", 1)
