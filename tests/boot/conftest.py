"""The boot tests need what `make` and `make test-programs` build; they build nothing."""

import pytest

from quire import PROGRAMS, TREE


def pytest_configure() -> None:
    for needed in (TREE / "build/quire.elf", TREE / "build/release/quire.elf",
                   TREE / "build/initrd.cpio", PROGRAMS):
        if not needed.exists():
            pytest.exit(f"{needed} is not built; type: make test-boot", 1)
