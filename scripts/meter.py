"""How many instructions has a machine under --icount executed? For scripts/run --limit.

One instruction is one nanosecond of the machine's time, which its ACPI timer counts: 24 bits at
3.579545 MHz, read over QEMU's monitor now and then. While all processors sleep, time leaps to the
next alarm. If there is none it stands still, and nothing will ever happen again.
"""

import re
from typing import Callable, Optional

POLL_SECONDS = 0.25
TIMER = "i /w 0x608"  # the timer's port, where the firmware has put it
REGISTERS = "info registers -a"
TIMER_HZ, TIMER_BITS = 3579545, 24
STILL_POLLS = 6  # asleep at the same moment as often as this: for ever


class Meter:
    """ask sends a line to QEMU's monitor; what it answers comes to on_answer."""

    def __init__(self, limit: int, ask: Callable[[str], None]) -> None:
        self.limit, self.ask = limit, ask  # in millions
        self.ticks = 0
        self.is_still = False
        self.last: Optional[int] = None
        self.still = 0  # polls without a change, all processors asleep
        self.verdict = ""  # why the run is to end

    def poll(self) -> None:
        self.ask(TIMER)
        self.ask(REGISTERS)

    def on_answer(self, text: str) -> None:
        if match := re.search(r"= 0x([0-9a-f]+)", text.splitlines()[0] if text else ""):
            self.on_timer(int(match[1], 16))
        elif halted := re.findall(r"\bHLT=([01])", text):
            self.still = self.still + 1 if set(halted) == {"1"} and self.is_still else 0
            if self.still == STILL_POLLS:
                self.verdict = "all sleeps, and no alarm is set"

    def on_timer(self, now: int) -> None:
        self.is_still = now == self.last
        if self.last is not None:
            self.ticks += (now - self.last) % (1 << TIMER_BITS)
        self.last = now
        if self.ticks * 1000 > self.limit * TIMER_HZ:
            self.verdict = f"no end after {self.limit} million instructions"
