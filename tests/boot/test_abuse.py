"""A program that takes all there is of something: the shell still answers, and a kill gives it all
back."""

from pathlib import Path

import pytest
from quire import PROGRAMS, boot

SCRIPT = Path(__file__).parent / "scripts/abuse.sh"
KINDS = "forks crowd files mappings pipe signals memory".split()


@pytest.mark.parametrize("memory", ["256M"])
def test_the_shell_still_answers(memory: str) -> None:
    """Memory ends about where the number of processes does. The shell is not the first
    process, which would be spared."""
    result = boot("/bin/sh", "-c", f"/bin/sh /abuse.sh {' '.join(KINDS)}; exit $?", timeout=400,
                  add=[f"{SCRIPT}:/abuse.sh", PROGRAMS / "abuse"],
                  options=["--append", "loglevel=3", "--mem", memory])
    expected = []
    for kind in KINDS:
        answers = [f"{kind}: {i * 7} /etc/passwd" for i in (1, 2, 3)]
        program = [f"{kind}: 42"] if kind not in ("forks", "crowd") else []
        expected += [*answers, *program, f"{kind}: 0 left"]
    assert result.lines() == expected and result.status == 0, result
