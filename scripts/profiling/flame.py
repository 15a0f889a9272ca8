"""A tree of calls as a flame graph: one SVG file that asks for nothing else."""

import zlib
from html import escape

from profiling.calls import Node

WIDTH, ROW, TOP, LEFT = 1200, 18, 46, 8  # pixels
CHARACTER = 6.6  # width of one
NARROWEST = 0.3  # what is less is not drawn

# A click on a box makes it as wide as the picture, with all above it; one on the lowest undoes it.
SCRIPT = """
var boxes = document.querySelectorAll('g'), width = %d, left = %d;
function zoom(box) {
  var x = +box.dataset.x, w = +box.dataset.w, row = +box.dataset.row;
  boxes.forEach(function (g) {
    var gx = +g.dataset.x, gw = +g.dataset.w, below = +g.dataset.row < row;
    var over = below && gx <= x + 1e-6 && gx + gw >= x + w - 1e-6;
    var seen = over || (gx >= x - 1e-6 && gx + gw <= x + w + 1e-6 && !below);
    g.style.display = seen ? '' : 'none';
    if (!seen) return;
    var to = over ? left : left + (gx - x) / w * width, size = over ? width : gw / w * width;
    g.firstElementChild.setAttribute('x', to);
    g.firstElementChild.setAttribute('width', size);
    var text = g.querySelector('text'), room = Math.floor((size - 6) / %g);
    text.setAttribute('x', to + 3);
    text.textContent = room < 3 ? '' : g.dataset.name.length <= room ? g.dataset.name
      : g.dataset.name.slice(0, room - 1) + '\\u2026';
  });
}
boxes.forEach(function (g) { g.addEventListener('click', function () { zoom(g); }); });
"""


def colour(name: str, is_kernel: bool) -> str:
    """Warm for the kernel, cold for programs; a function's is the same in each picture."""
    shade = zlib.crc32(name.encode())
    hue = 12 + shade % 40 if is_kernel else 185 + shade % 40
    return f"hsl({hue},{60 + shade // 64 % 20}%,{68 + shade // 2048 % 10}%)"


def clip(name: str, width: float) -> str:
    room = int((width - 6) / CHARACTER)
    return "" if room < 3 else name if len(name) <= room else name[:room - 1] + "…"


def depth(node: Node, scale: float) -> int:
    below = [depth(c, scale) for c in node.children.values() if c.total * scale >= NARROWEST]
    return 1 + max(below, default=0)


def svg(root: Node, title: str, kernel: set[str], per: float) -> str:
    """per: by what counts are divided to be shown."""
    width = WIDTH - 2 * LEFT
    scale = width / max(root.total, 1)
    rows = depth(root, scale)
    height = TOP + rows * ROW + 10
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
             f'width="{WIDTH}" height="{height}" font-family="monospace" font-size="11">\n'
             f'<title>{escape(title)}</title>\n<rect width="100%" height="100%" fill="#fff"/>\n'
             f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>\n'
             f'<text x="{LEFT}" y="36" fill="#555">width: instructions; each box was called by the '
             'one below it; warm: the kernel; a click zooms</text>\n']

    def draw(node: Node, x: float, row: int) -> None:
        w = node.total * scale
        if w < NARROWEST:
            return
        y = height - 10 - (row + 1) * ROW
        name = escape(node.name, quote=True)
        told = (f"{name}: {node.total / per:,.1f} ({node.total / root.total:.1%}), its own "
                f"{node.self / per:,.1f}, calls {node.calls / per:,.2f}")
        parts.append(
            f'<g data-x="{x:.3f}" data-w="{w:.3f}" data-row="{row}" data-name="{name}">'
            f'<rect x="{LEFT + x:.2f}" y="{y}" width="{w:.2f}" height="{ROW - 1}" '
            f'fill="{colour(node.name, node.name in kernel)}"><title>{told}</title></rect>'
            f'<text x="{LEFT + x + 3:.2f}" y="{y + 13}" pointer-events="none">'
            f'{escape(clip(node.name, w))}</text></g>\n')
        for child in sorted(node.children.values(), key=lambda c: c.name):
            draw(child, x, row + 1)
            x += child.total * scale

    draw(root, 0.0, 0)
    script = SCRIPT % (width, LEFT, CHARACTER)
    return "".join(parts) + f"<script><![CDATA[{script}]]></script>\n</svg>\n"
