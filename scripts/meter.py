"""How many instructions has a machine under --icount executed? For scripts/run --limit.

One instruction is one nanosecond of the machine's time, which its ACPI timer counts: 24 bits at
3.579545 MHz, read over QEMU's monitor now and then. While all processors sleep, time leaps to the
next alarm; the clock chip always has one set.
"""

import re
from typing import Callable, Optional

POLL_SECONDS = 0.25
TIMER = "i /w 0x608"  # the timer's port, where the firmware has put it
TIMER_HZ, TIMER_BITS = 3579545, 24


class Meter:
    """ask sends a line to QEMU's monitor; what it answers comes to on_answer."""

    def __init__(self, limit: int, ask: Callable[[str], None]) -> None:
        self.limit, self.ask = limit, ask  # in millions
        self.ticks = 0
        self.last: Optional[int] = None
        self.is_over = False

    def poll(self) -> None:
        self.ask(TIMER)

    def on_answer(self, text: str) -> None:
        match = re.search(r"= 0x([0-9a-f]+)", text)
        if not match:
            return
        now = int(match[1], 16)
        if self.last is not None:
            self.ticks += (now - self.last) % (1 << TIMER_BITS)
        self.last = now
        self.is_over = self.ticks * 1000 > self.limit * TIMER_HZ
