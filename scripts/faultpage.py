"""What scripts/faultmap draws: the pictures of a mapping's faults, and the page they stand on."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Iterator

import pagestates

if TYPE_CHECKING:
    from faultmap import Fault, Mapping

COLUMNS, ROWS = 48, 64  # cells of a heat map, at most
PLOT = 256  # pixels of a picture's side
LEFT, TOP, BOTTOM = 64, 44, 50
WIDTH = LEFT + PLOT + 18
STATES = TOP + PLOT + BOTTOM  # where the lower picture begins
WORTH = 16  # pages or faults of an object that is worth a picture
PAGE_KIB = 4
STYLE = (Path(__file__).parent / "faultpage.css").read_text()
SCRIPT = (Path(__file__).parent / "faultpage.js").read_text()


def plural(n: int, what: str) -> str:
    return f"{n:,} {what}" + ("" if n == 1 else "s")


def time_text(us: float) -> str:
    if us >= 1e6:
        return f"{us / 1e6:.3g} s"
    if us >= 1000:
        return f"{us / 1000:.3g} ms"
    return f"{us:.3g} µs" if us >= 1 else f"{us * 1000:.3g} ns"


def size_text(pages: int) -> str:
    kib = pages * PAGE_KIB
    return f"{kib >> 10} MiB" if kib >= 1024 and kib % 1024 == 0 else f"{kib:,} KiB"


def steps(limit: float, about: int) -> list[float]:
    """Round numbers from 0 to the limit."""
    raw = limit / about
    unit = 10 ** math.floor(math.log10(raw))
    step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= raw)
    return [i * step for i in range(int(limit / step) + 1)]


class Facts:
    """The numbers of one mapping."""

    def __init__(self, m: Mapping) -> None:
        self.mapping = m
        self.begin = m.faults[0].begin
        end = max([f.end for f in m.faults] + [change[0] for change in m.changes])
        self.span = max(end - self.begin, 0.001)
        self.pages = len({page for f in m.faults for page in covered(f)})
        self.entries = sum(f.entries for f in m.faults)
        self.time = sum(f.end - f.begin for f in m.faults)
        self.failed = sum(1 for f in m.faults if f.result not in ("success", "cut off"))
        sizes = {is_super for f in m.faults for _, _, is_super in f.runs}
        self.size = "4K and 2M" if len(sizes) == 2 else "2M" if True in sizes else "4K"
        self.title = (m.label + ": " if m.label else "") + m.policy()

    def where(self) -> str:
        m = self.mapping
        return f"{m.name()}, {size_text(m.pages)} at {m.start:#x}"

    def sentence(self) -> str:
        text = (f"{self.title}: {plural(len(self.mapping.faults), 'fault')} brought in "
                f"{self.pages:,} of {plural(self.mapping.pages, 'page')} by "
                f"{plural(self.entries, 'page table entry').replace('entrys', 'entries')} of "
                f"{self.size}, within {time_text(self.span)}")
        return text + (f"; {plural(self.failed, 'fault')} failed" if self.failed else "")


def covered(fault: Fault) -> Iterator[int]:
    for first, count, _ in fault.runs:
        yield from range(first, first + count)


# --- a mapping's two pictures ---------------------------------------------------------------------


def text(x: float, y: float, words: str, anchor: str = "middle", kind: str = "") -> str:
    return (f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
            + (f' class="{kind}"' if kind else "") + f">{escape(words)}</text>")


def heat_cells(facts: Facts) -> tuple[int, dict[tuple[int, int], list[int]]]:
    """Rows, and by (column, row) the pages brought in and the faults."""
    m = facts.mapping
    per_row = max(1, math.ceil(m.pages / ROWS))
    cells: dict[tuple[int, int], list[int]] = {}
    for fault in m.faults:
        column = min(COLUMNS - 1, int((fault.begin - facts.begin) / facts.span * COLUMNS))
        cells.setdefault((column, fault.page // per_row), [0, 0])[1] += 1
        for page in covered(fault):
            cells.setdefault((column, page // per_row), [0, 0])[0] += 1
    return per_row, cells


def heat_map(facts: Facts) -> str:
    m = facts.mapping
    per_row, cells = heat_cells(facts)
    rows = math.ceil(m.pages / per_row)
    w, h = PLOT / COLUMNS, PLOT / rows
    out = [f'<rect class="plot" x="{LEFT}" y="{TOP}" width="{PLOT}" height="{PLOT}"/>']
    dots = []
    for (column, row), (pages, faults) in sorted(cells.items()):
        x, y = LEFT + column * w, TOP + row * h
        if pages:
            shade = min(4, math.ceil(4 * pages / per_row))
            out.append(f'<rect class="h{shade}" x="{x:.2f}" y="{y:.2f}" width="{w:.2f}" '
                       f'height="{h:.2f}"/>')
        if faults:
            radius = min(4.5, 1.6 + 0.4 * math.log2(faults))
            dots.append(f'<circle class="fault" cx="{x + w / 2:.2f}" cy="{y + h / 2:.2f}" '
                        f'r="{radius:.1f}"/>')
    data = ";".join(f"{c},{r},{p},{f}" for (c, r), (p, f) in sorted(cells.items()))
    return (f'<g class="heat" data-cells="{data}" data-rows="{rows}" data-per-row="{per_row}" '
            f'data-pages="{m.pages}" data-span="{facts.span}">' + "".join(out + dots)
            + f'<rect class="cursor" width="{w:.2f}" height="{h:.2f}" x="{LEFT}" y="{TOP}"/></g>'
            + time_axis(facts) + size_axis(m.pages, TOP, PLOT))


def time_axis(facts: Facts) -> str:
    scale, unit = (1e6, "s") if facts.span >= 1e6 else (1000, "ms") if facts.span >= 1000 \
        else (1, "µs")
    bottom = TOP + PLOT
    out = []
    for value in steps(facts.span / scale, 4):
        x = LEFT + value * scale / facts.span * PLOT
        out.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" '
                   f'y2="{bottom + 4}"/>' + text(x, bottom + 15, f"{value:g}"))
    return "".join(out) + text(LEFT + PLOT / 2, bottom + 28, f"time since the first fault ({unit})")


def size_axis(pages: int, top: float, height: float) -> str:
    unit, divisor = ("MiB", 256) if pages >= 512 else ("pages", 1)
    out = []
    for value in steps(pages / divisor, 4):
        y = top + value * divisor / pages * height
        out.append(f'<line class="axis" x1="{LEFT - 4}" x2="{LEFT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                   + text(LEFT - 7, y + 4, f"{value:g}", "end"))
    label = f'<g transform="translate(13 {top + height / 2:g}) rotate(-90)">'
    return "".join(out) + label + text(0, 0, f"offset ({unit})") + "</g>"


def grid_shape(pages: int) -> tuple[int, int]:
    """Columns and rows of about a square, the columns a power of two."""
    columns = 1 << math.ceil(math.log2(max(1, pages)) / 2)
    return columns, math.ceil(pages / columns)


def pieces(first: int, count: int, columns: int) -> Iterator[tuple[int, int, int, int]]:
    """(x, y, width, height) in pages of a run: what is left of a row, whole rows, the rest."""
    while count > 0:
        x, y = first % columns, first // columns
        if x == 0 and count >= columns:
            height = count // columns
            yield 0, y, columns, height
            taken = height * columns
        else:
            taken = min(count, columns - x)
            yield x, y, taken, 1
        first, count = first + taken, count - taken


def state_map(facts: Facts) -> str:
    """Each page of the mapping where it is, coloured by its state. What was so only for a while is
    there, too, but hidden until the slider comes to it."""
    m = facts.mapping
    columns, rows = grid_shape(m.pages)
    cell = PLOT / columns
    height = rows * cell
    out = [f'<rect class="plot" x="{LEFT}" y="{STATES}" width="{PLOT}" height="{height:.2f}"/>']

    def part(time: float) -> str:
        return f"{(time - facts.begin) / facts.span:.5g}"

    def rect(kind: str, x: float, y: float, w: float, h: float, rest: str) -> None:
        out.append(f'<rect class="{kind}" x="{LEFT + x * cell:.4g}" y="{STATES + y * cell:.5g}" '
                   f'width="{w * cell:.4g}" height="{h * cell:.4g}" {rest}/>')

    for state, first, count, since, until in pagestates.spans(m.pages, m.start, m.changes):
        times = f'data-t="{part(since)}"' + (f' data-u="{part(until)}"' if until else "")
        size = 512 if state in ("r2", "w2") else count
        skew = m.start // 4096 % size if size == 512 else 0
        at = first
        while at < first + count:  # a 2M page is one piece
            n = min(size - (at + skew) % size if size == 512 else size, first + count - at)
            for x, y, w, h in pieces(at, n, columns):
                rect(state, x, y, w, h, f'{times} data-n="{w * h}"')
            at += n
    size = 0.6 if 64 * len(m.faults) > m.pages else 1.6  # of a mark; the state shows around it
    for fault in m.faults:
        if 0 <= fault.page < m.pages:
            rect("own", fault.page % columns + (1 - size) / 2,
                 fault.page // columns + (1 - size) / 2, size, size,
                 f'data-t="{part(fault.begin)}" data-f="1"')
    return (f'<g class="state" data-span="{facts.span}" data-pages="{m.pages}">'
            + "".join(out) + "</g>"
            + text(LEFT + PLOT / 2, STATES + height + 15,
                   f"page states, {plural(columns, 'page')} ({size_text(columns)}) a row")
            + size_axis(rows * columns, STATES, height))


def panel_height(facts: Facts) -> int:
    columns, rows = grid_shape(facts.mapping.pages)
    return STATES + math.ceil(rows * PLOT / columns) + 24


def panel(facts: Facts, number: int, x: int = 0, y: int = 0) -> str:
    """One <svg> with both pictures."""
    height = panel_height(facts)
    place = f' x="{x}" y="{y}"' if x or y else ""
    return (f'<svg xmlns="http://www.w3.org/2000/svg"{place} width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img" tabindex="0" aria-labelledby="t{number}">'
            f'<title id="t{number}">{escape(facts.sentence())}.</title>'
            + text(LEFT, 15, facts.title, "start", "name")
            + text(LEFT, 32, f"{plural(len(facts.mapping.faults), 'fault')}, "
                   f"{plural(facts.pages, 'page')} of {facts.size}, {time_text(facts.span)}",
                   "start")
            + heat_map(facts) + state_map(facts) + "</svg>")


# --- the page -------------------------------------------------------------------------------------

HEAT = {"h1": "up to ¼ of the pages of a cell were brought in", "h2": "up to ½", "h3": "up to ¾",
        "h4": "up to all", "fault": "a fault (larger: more of them)"}
LEGEND = (("Above, when pages came in", HEAT),
          ("Below, what state each page is in",
           pagestates.STATES | {"own": "a page whose own access faulted", "plot": "not there"}))


def swatch(kind: str, x: int = 0, y: int = 0) -> str:
    if kind == "fault":
        return f'<circle class="fault" cx="{x + 7}" cy="{y + 7}" r="5"/>'
    if kind == "own":
        return f'<rect class="own" x="{x + 4}" y="{y + 4}" width="6" height="6"/>'
    return f'<rect class="{kind}" x="{x}" y="{y}" width="14" height="14"/>'


def legend() -> str:
    """As lists; the script takes its words from there."""
    out = []
    for title, items in LEGEND:
        words = "".join(f'<li data-kind="{kind}"><svg width="14" height="14" aria-hidden="true">'
                        f"{swatch(kind)}</svg> <span>{text}</span></li>"
                        for kind, text in items.items())
        out.append(f'<div class="legend"><h3>{title}</h3><ul>{words}</ul></div>')
    return "".join(out)


def table(all_facts: list[Facts], is_mixed: bool = False) -> str:
    heads = ("object" if is_mixed else "policy", "process", "faults", "pages", "entries stored",
             "page size", "time in faults", "time a page")
    rows = []
    for f in all_facts:
        values = (f"{len(f.mapping.faults):,}", f"{f.pages:,}", f"{f.entries:,}", f.size,
                  time_text(f.time), time_text(f.time / max(1, f.pages)))
        rows.append(f'<tr><th scope="row">'
                    f"{escape(f.where() if is_mixed else f.title)}</th>"
                    f"<td>{escape(f.mapping.process)}</td>"
                    + "".join(f"<td>{value}</td>" for value in values) + "</tr>")
    return ("<table><thead><tr>" + "".join(f'<th scope="col">{head}</th>' for head in heads)
            + "</tr></thead><tbody>" + "".join(rows) + "</tbody></table>")


def is_worth(maps: list[Facts]) -> bool:
    return any(max(f.pages, len(f.mapping.faults)) >= WORTH for f in maps)


class Page:
    """All objects: those with much to see as pictures, the rest as lines of a table."""

    def __init__(self, objects: list[tuple[str, list[Mapping]]], notes: list[str]) -> None:
        facts = [(name, [Facts(m) for m in maps]) for name, maps in objects]
        self.objects = [group for i, group in enumerate(facts) if i == 0 or is_worth(group[1])]
        self.rest = [f for group in facts if group not in self.objects for f in group[1]]
        self.notes = notes

    def title(self, name: str, maps: list[Facts]) -> str:
        if len(maps) == 1:
            return maps[0].where()
        return f"{name}, {size_text(max(f.mapping.pages for f in maps))}"

    def html(self) -> str:
        sections, number = [], 0
        for name, maps in self.objects:
            figures = []
            for facts in maps:
                number += 1
                figures.append(f"<figure>{panel(facts, number)}"
                               f'<figcaption><output aria-live="polite">'
                               f"</output></figcaption></figure>")
            title = escape(self.title(name, maps))
            sections.append(
                f"<section><h2>{title}</h2>"
                f'<label>Time, from the first fault to the last change: <input type="range" '
                f'min="0" max="1000" value="1000" aria-label="Time in {title}"></label>'
                f'<div class="panels">{"".join(figures)}</div>{table(maps)}</section>')
        if self.rest:
            sections.append(f"<section><h2>Smaller ones</h2>{table(self.rest, True)}</section>")
        return HTML.format(style=STYLE, script=SCRIPT, legend=legend(),
                           notes="".join(f'<p role="alert">{escape(n)}</p>' for n in self.notes),
                           sections="".join(sections))

    def svg(self) -> str:
        out, y, width, number = [], 10, 640, 0
        for name, maps in self.objects:
            out.append(text(12, y + 18, self.title(name, maps), "start", "name"))
            for i, facts in enumerate(maps):
                number += 1
                out.append(panel(facts, number, i * WIDTH, y + 30))
            y, width = y + 30 + max(map(panel_height, maps)), max(width, len(maps) * WIDTH)
        for i, (title, items) in enumerate(LEGEND):
            out.append(text(12 + i * WIDTH, y + 16, title, "start", "name"))
            for row, (kind, words) in enumerate(items.items(), 1):
                out.append(swatch(kind, 12 + i * WIDTH, y + 6 + 20 * row)
                           + text(34 + i * WIDTH, y + 17 + 20 * row, words, "start"))
        height = y + 20 * max(len(items) for _, items in LEGEND) + 40
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                f'viewBox="0 0 {width} {height}"><title>Faults of each object over time</title>'
                f'<style>{STYLE}</style><rect class="page" width="100%" height="100%"/>'
                + "".join(out) + "</svg>\n")


HTML = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Faults of each object over time</title><style>{style}</style></head><body>
<main><h1>Faults of each object over time</h1>{notes}
<p>For each mapping of an object: above, when and where faults fell and the pages that they brought
in; below, the state of each of its pages. Tab goes to a picture, the arrow keys go from cell to
cell of its upper half and say what is there; the slider takes the lower halves back in time, and
says how many pages are in which state. With damage tracking a page of the screen is writable when
it was drawn on. All numbers are in the tables, too. Each picture has its own scale of time.</p>
{legend}{sections}</main>
<script>{script}</script></body></html>
"""
