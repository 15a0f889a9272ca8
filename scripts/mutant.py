"""Files that change a source: FILE.mutant, for tests/mutants/run and for the labs.

The file begins with lines `key: value`; then come pairs of texts:

    --- old
    text that is in the file once; how its white space is laid out does not matter
    --- new
    what stands there instead (may be nothing)
"""

import re
from pathlib import Path


class Failed(Exception):
    """One mutant cannot be judged, or was not caught; the text says why."""


def parse_edits(text: str) -> tuple[tuple[str, str], ...]:
    parts = re.split(r"^--- (old|new)\n", text, flags=re.M)[1:]
    kinds, texts = parts[::2], parts[1::2]
    if not kinds or kinds != ["old", "new"] * (len(kinds) // 2):
        raise Failed("'--- old' and '--- new' do not alternate")
    return tuple(zip(texts[::2], texts[1::2], strict=True))


def read(path: Path) -> tuple[list[tuple[str, str]], tuple[tuple[str, str], ...]]:
    """The lines (key, value) at the file's head, and its edits."""
    head, _, rest = path.read_text().partition("--- old\n")
    lines = [line.split(":", 1) for line in head.splitlines() if line.strip()]
    if any(len(line) != 2 for line in lines):
        raise Failed("a line before '--- old' is not 'key: value'")
    return [(key, value.strip()) for key, value in lines], parse_edits("--- old\n" + rest)


def mutated(source: Path, edits: tuple[tuple[str, str], ...]) -> str:
    """The source with the edits made, each at the one place where its old text stands."""
    if source.suffix != ".c" or not source.is_file():
        raise Failed(f"{source} is not a C source")
    text = source.read_text()
    for old, new in edits:
        found = list(re.finditer(r"\s+".join(map(re.escape, old.split())), text))
        if not old.strip() or len(found) != 1:
            raise Failed(f"this is in {source.name} {len(found)} times, not once:\n{old}")
        text = text[:found[0].start()] + new.strip() + text[found[0].end():]
    return text
