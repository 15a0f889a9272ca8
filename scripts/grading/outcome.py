"""What came of one test."""

from dataclasses import dataclass
from typing import BinaryIO, Callable

from grading.lab import Test

SHOWN = 16 << 10  # characters of output that a report keeps
FLOOD = 256 << 10  # bytes: who prints more is ended
FLOODED = f"it printed more than {FLOOD >> 10} KiB"


@dataclass
class Outcome:
    test: Test
    passed: bool
    reason: str = ""  # why not, in a line or a few
    output: str = ""
    seconds: float = 0.0
    command: str = ""  # what was run, for those who look closer

    @property
    def score(self) -> float:
        return self.test.points if self.passed else 0


def shorten(text: str) -> str:
    """Its beginning and its end."""
    if len(text) <= SHOWN:
        return text
    return f"{text[:SHOWN // 2]}\n… {len(text) - SHOWN} characters left out …\n{text[-SHOWN // 2:]}"


def drain(stream: BinaryIO, on_flood: Callable[[], None]) -> bytes:
    """All that comes until the end; on_flood is called when it becomes more than anyone reads."""
    data, size = b"", 0
    while part := stream.read1(65536):
        data = data + part if size < FLOOD else data
        if size < FLOOD <= size + len(part):
            on_flood()
        size += len(part)
    return data
