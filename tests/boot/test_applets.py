"""A script that calls some hundred applets of busybox, and stress-ng: programs nobody here wrote."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from quire import boot

SCRIPT = Path(__file__).parent / "scripts/applets.sh"


@pytest.mark.skipif(not shutil.which("busybox"), reason="busybox-static is not installed")
def test_applets_print_what_they_print_on_the_host(tmp_path: Path) -> None:
    host = subprocess.run(["busybox", "sh", str(SCRIPT), str(tmp_path)], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=120,
                          env={"PATH": os.environ["PATH"], "HOME": "/"})
    here = boot("/bin/busybox", "sh", "-c", "mkdir /tmp/w; busybox sh /applets.sh /tmp/w 2>/dev/null",
                add=[f"{SCRIPT}:/applets.sh"])
    assert here.status == host.returncode
    assert here.lines() == host.stdout.splitlines()
    assert len(here.lines()) > 90


@pytest.mark.skipif(not shutil.which("stress-ng"), reason="stress-ng is not installed")
def test_stress_ng_finds_no_fault() -> None:
    result = boot("/bin/stress-ng", "--mmap", "1", "--vm", "1", "--vm-bytes", "32M", "--fork", "1",
                  "--malloc", "1", "--verify", "-t", "10",
                  add=[shutil.which("stress-ng")], options=["--mem", "512M"], timeout=200)
    assert result.status == 0, result
    assert "successful run completed" in result.out
    assert "fail" not in result.out
