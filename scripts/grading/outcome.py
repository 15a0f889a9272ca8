"""What came of one test."""

from dataclasses import dataclass

from grading.lab import Test

SHOWN = 16 << 10  # characters of output that a report keeps


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


def drain(stream, limit: int) -> bytes:
    """All that comes, of which the first and the last bytes are kept: output without end fills
    nothing."""
    head = tail = b""
    while data := stream.read1(65536):
        room = limit - len(head)
        head += data[:room]
        tail = (tail + data[room:])[-limit:]
    return head + tail
