"""The states that a mapping's pages go through, as a trace tells them (scripts/faultmap)."""

from __future__ import annotations

from typing import Iterator, Optional

SUPER = 512  # pages

# In the order of the legend, with the words for it; "" is a page that is not there.
STATES = {
    "busy": "installed by the pager and busy, not mapped yet",
    "r4": "mapped read-only, 4K",
    "w4": "mapped writable, 4K",
    "r2": "mapped read-only, 2M",
    "w2": "mapped writable, 2M",
    "idle": "in the object, not mapped here",
    "gone": "taken back by the device",
}

# What becomes of a page: from its state to the next; a state that is not named stays.
Rule = dict[str, str]
INSTALL: Rule = {"": "busy", "idle": "busy", "gone": "busy"}
GIVE_UP: Rule = {"busy": "idle"}
READ_ONLY: Rule = {"w4": "r4", "w2": "r2"}
UNMAP: Rule = dict.fromkeys(("r4", "w4", "r2", "w2"), "idle")
FREE: Rule = dict.fromkeys(STATES, "")
REVOKE: Rule = dict.fromkeys(STATES, "gone")
BREAK_UP: Rule = {"r2": "r4", "w2": "w4"}  # a 2M page, a part of which changes

Change = tuple[float, int, int, Rule]  # when, first page, pages
Span = tuple[str, int, int, float, Optional[float]]  # state, first page, pages, from, until


def enter(is_writable: bool, is_super: bool) -> Rule:
    return dict.fromkeys(["", *STATES], ("w" if is_writable else "r") + ("2" if is_super else "4"))


class Pages:
    """A mapping's pages as time goes by."""

    def __init__(self, pages: int, start: int) -> None:
        self.now: list[tuple[str, float]] = [("", 0.0)] * pages  # state, since
        self.skew = start // 4096 % SUPER  # 2M pages begin at such indices

    def runs(self, first: int, end: int) -> Iterator[tuple[int, int, str, float]]:
        """(first, pages, state, since) of neighbours that are alike."""
        while first < end:
            stop = first + 1
            while stop < end and self.now[stop] == self.now[first]:
                stop += 1
            yield first, stop - first, *self.now[first]
            first = stop

    def apply(self, time: float, first: int, count: int, rule: Rule) -> Iterator[Span]:
        """Make a change; what ends by it."""
        for edge in (first, first + count):
            begin = edge - (edge + self.skew) % SUPER
            inside = range(max(begin, first), min(begin + SUPER, first + count))
            if begin != edge and rule is not BREAK_UP and self.breaks(inside, rule):
                begin, end = max(0, begin), min(len(self.now), begin + SUPER)
                yield from self.apply(time, begin, end - begin, BREAK_UP)
        for at, n, state, since in list(self.runs(first, first + count)):
            if rule.get(state, state) == state:
                continue
            if state and since < time:
                yield state, at, n, since, time
            self.now[at:at + n] = [(rule[state], time)] * n

    def breaks(self, inside: range, rule: Rule) -> bool:
        """Is it these pages of a 2M page that change, and no others of it?"""
        states = {self.now[page][0] for page in inside}
        return any(state.endswith("2") and rule.get(state, state) != state for state in states)


def spans(pages: int, start: int, changes: list[Change]) -> list[Span]:
    """How long which pages of a mapping at `start' were in which state."""
    all_pages = Pages(pages, start)
    found = [span for change in changes for span in all_pages.apply(*change)]
    return found + [(state, at, n, since, None)
                    for at, n, state, since in all_pages.runs(0, pages) if state]
