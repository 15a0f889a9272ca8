"""What the README tells people to type works: a ```sh block below a line <!-- tested --> is run."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from quire import TREE

PAGES = [TREE / "README.md", *sorted((TREE / "docs").rglob("*.md"))]
BLOCK = re.compile(r"<!-- tested -->\n```sh\n(.*?)```", re.S)
BLOCKS = [(page.name, block) for page in PAGES for block in BLOCK.findall(page.read_text())]


@pytest.mark.parametrize("page,block", BLOCKS)
def test_commands(page: str, block: str, tmp_path: Path) -> None:
    """In the tree; what a block makes goes to a folder of its own, $TMPDIR."""
    done = subprocess.run(["sh", "-ec", block], cwd=TREE, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, env=os.environ | {"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, f"{page}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_line_counts() -> None:
    """The README's table of lengths is true to 5%."""
    heads, _, values = re.findall(r"^\|.*\|$", (TREE / "README.md").read_text(), re.M)[-3:]
    counts = zip(re.findall(r"`(\S+)/`", heads), re.findall(r"[\d,]+", values), strict=True)
    for folder, said in counts:
        files = [f for f in (TREE / folder).rglob("*") if f.suffix in (".c", ".h", ".S")]
        lines = sum(len(f.read_text().splitlines()) for f in files)
        assert lines == pytest.approx(int(said.replace(",", "")), rel=0.05), folder
