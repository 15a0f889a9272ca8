"""scripts/faultmap: the picture has the numbers of the run; what is no trace is one line."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from quire import PROGRAMS, TREE, processors

sys.path.insert(0, str(TREE / "scripts"))
import pagestates  # noqa: E402

POLICIES = {"single": (4096, 4096, "4K"), "window:16": (256, 4096, "4K"),
            "window:512": (8, 8, "2M"), "whole": (1, 8, "2M")}  # faults, entries, page size
SVG = "{http://www.w3.org/2000/svg}"


def faultmap(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(TREE / "scripts/faultmap"), *map(str, words)], capture_output=True,
                          text=True)


def traced(target: Path, *words: object) -> Path:
    result = subprocess.run([str(TREE / "scripts/run"), "--display", "none", *processors(),
                             "--trace", str(target), *map(str, words)], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL)
    assert result.returncode == 0, result.stderr
    return target


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return traced(tmp_path_factory.mktemp("faultmap") / "t.json", "--", "/bin/faultbench",
                  *POLICIES)


@pytest.fixture(scope="module")
def page(trace: Path) -> str:
    target = trace.with_suffix(".html")
    result = faultmap(trace, "-o", target)
    assert result.returncode == 0, result.stderr
    return target.read_text()


def test_policies_stand_side_by_side_with_their_numbers(page: str) -> None:
    section = page.split("<section>")[1]
    assert "<h2>fb0, 16 MiB</h2>" in section
    assert re.findall(r'class="name">(.*?)<', section) == list(POLICIES)
    for policy, (faults, entries, size) in POLICIES.items():
        assert re.search(f'<th scope="row">{policy}</th><td>faultbench \\(1\\)</td>'
                         f"<td>{faults:,}</td><td>4,096</td><td>{entries:,}</td><td>{size}</td>",
                         section), policy


def test_cells_and_pages_add_up(page: str) -> None:
    figures = page.split("<section>")[1].split("<figure>")[1:]
    for figure, (faults, _, size) in zip(figures, POLICIES.values(), strict=True):
        cells = [list(map(int, cell.split(",")))
                 for cell in re.search(r'data-cells="(.*?)"', figure)[1].split(";")]
        assert sum(cell[2] for cell in cells) == 4096
        assert sum(cell[3] for cell in cells) == faults
        assert at_the_end(figure) == {"w2" if size == "2M" else "w4": 4096}
        assert meanwhile(figure) == {"busy": 4096}
        assert figure.count('data-f="1"') == faults


def pages_by_state(figure: str, rest: str) -> dict[str, int]:
    """How many pages are shown, of rectangles whose end is as `rest'."""
    found: dict[str, int] = {}
    shown = rf'<rect class="(\w+)"[^>]*data-t="[^"]*"{rest} data-n="(\d+)"'
    for state, n in re.findall(shown, figure):
        found[state] = found.get(state, 0) + int(n)
    return found


def at_the_end(figure: str) -> dict[str, int]:
    return pages_by_state(figure, "")


def meanwhile(figure: str) -> dict[str, int]:
    return pages_by_state(figure, ' data-u="[^"]*"')


def drawn(target: Path, program: str, *words: str) -> list[str]:
    """The figures of what the program did with VRAM."""
    trace = traced(target, "--add", PROGRAMS / program, "--", f"/bin/{program}", *words)
    page = target.with_suffix(".html")
    assert faultmap(trace, "-o", page).returncode == 0
    return page.read_text().split("<section>")[1].split("<figure>")[1:]


def test_states_with_damage_tracking(tmp_path: Path) -> None:
    """Read-only until they are written; taking the damage makes them read-only again. Of the last
    window that was written nothing was taken before the end."""
    figure, = drawn(tmp_path / "t.json", "fbdamage", "window:16")
    assert at_the_end(figure) == {"r4": 4096 - 16, "w4": 16}
    assert meanwhile(figure)["w4"] >= 3 * 16 and meanwhile(figure)["busy"] >= 4096


def test_states_of_pages_taken_back(tmp_path: Path) -> None:
    """A mode change takes all; 64 pages that are locked come back one by one, the rest does not."""
    whole, part, *_ = drawn(tmp_path / "t.json", "fbmodes")
    assert at_the_end(whole) == {"gone": 4096 - 64, "w4": 64}
    assert meanwhile(whole)["w2"] >= 2 * 4096 and meanwhile(whole)["gone"] >= 4096
    assert at_the_end(part) == {"r4": 64}


def test_a_part_of_a_large_page_breaks_it_up() -> None:
    whole = (1.0, 0, 1024, pagestates.enter(True, True))
    spans = pagestates.spans(1024, 0, [whole, (2.0, 5, 1, pagestates.READ_ONLY)])
    assert [span[:3] for span in spans if span[4] is None] == [
        ("w4", 0, 5), ("r4", 5, 1), ("w4", 6, 506), ("w2", 512, 512)]
    spans = pagestates.spans(1024, 0, [whole, (2.0, 512, 512, pagestates.REVOKE)])
    assert [span[:3] for span in spans if span[4] is None] == [("w2", 0, 512), ("gone", 512, 512)]


def test_the_demo_counts_as_its_trace_does(tmp_path: Path) -> None:
    """It maps two pieces of the screen, slowly, and again at full speed, and prints getrusage's count
    of each policy."""
    target = tmp_path / "t.json"
    result = subprocess.run([str(TREE / "scripts/run"), "--display", "none", *processors(),
                             "--trace", str(target), "--", "/bin/fbdemo"], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL)
    counted = re.findall(r"^(single|whole) +([\d,]+) +([\d,]+) ", result.stdout, re.M)
    assert [policy for policy, _, _ in counted] == ["single", "whole"]
    assert faultmap(target, "-o", tmp_path / "t.html").returncode == 0
    section = (tmp_path / "t.html").read_text().split("<section>")[1]
    drawn = re.findall(r'<th scope="row">(\w+)</th><td>fbdemo \(1\)</td><td>([\d,]+)</td>'
                       r"<td>([\d,]+)</td>", section)
    assert drawn == counted * 2


def test_one_file_for_everyone(page: str) -> None:
    """It asks for nothing else, has both schemes of colours, and names each picture and axis."""
    assert not re.search(r"(src|href)=|url\(|@import|fetch\(", page)
    assert set(re.findall(r"https?://[^\s\"'<]*", page)) == {"http://www.w3.org/2000/svg"}
    assert "prefers-color-scheme: dark" in page
    pictures = re.findall(r"<svg xmlns.*?</svg>", page, re.S)
    assert len(pictures) >= 4
    for picture in pictures:
        root = ElementTree.fromstring(picture)
        assert root.get("role") == "img" and root.get("tabindex") == "0"
        assert root.find(f"{SVG}title").get("id") == root.get("aria-labelledby")
        labels = {text.text for text in root.iter(f"{SVG}text")}
        assert any(re.match(r"time since the first fault \((s|ms|µs)\)$", t) for t in labels)
        assert {"offset (MiB)", "offset (pages)"} & labels


def test_labelled_traces_and_svg(trace: Path, tmp_path: Path) -> None:
    target = tmp_path / "both.svg"
    assert faultmap(f"before={trace}", f"after={trace}", "-o", target).returncode == 0
    root = ElementTree.parse(target).getroot()
    names = [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "name"]
    assert names[:9] == ["fb0, 16 MiB"] + [f"{when}: {policy}" for when in ("before", "after")
                                           for policy in POLICIES]


def test_cut_trace_is_drawn_as_far_as_it_goes(trace: Path, tmp_path: Path) -> None:
    text = trace.read_text()
    for part in (0.3, 0.5, 0.999):
        cut, target = tmp_path / "cut.json", tmp_path / "cut.html"
        cut.write_text(text[:int(len(text) * part)])
        result = faultmap(cut, "-o", target)
        assert result.returncode == 0, result.stderr
        assert "is cut" in result.stderr and "is cut" in target.read_text()


@pytest.mark.parametrize("content", [
    "", "{", "[]", "7", '{"traceEvents": 3}', '{"traceEvents": [3]}', '{"traceEvents": []}',
    '{"traceEvents": [{"ph": "B", "name": "f", "ts": 1, "pid": 1, "tid": 1, "cat": "fault"}]}',
    "\0\xff" * 100])
def test_what_is_no_trace_is_one_line(content: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(content)
    result = faultmap(bad, "-o", tmp_path / "out.html")
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out.html").exists()


def test_bad_arguments(tmp_path: Path) -> None:
    assert faultmap(tmp_path / "none.json", "-o", tmp_path / "out.html").returncode == 1
    assert faultmap("-o", tmp_path / "out.html").returncode == 2
    assert faultmap("t.json", "-o", tmp_path / "out.png").returncode == 2


@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no Chromium")
def test_keys_and_slider_in_a_browser(page: str, tmp_path: Path) -> None:
    """The arrow keys say what a cell holds; the slider goes back in time."""
    target = tmp_path / "driven.html"
    target.write_text(page.replace("</body>", """<script>
const figure = document.querySelectorAll("figure")[3], svg = figure.querySelector("svg");
const said = [], note = () => said.push(figure.querySelector("output").textContent);
svg.focus(); note();
svg.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"})); note();
const slider = document.querySelector("input");
for (const value of [1000, 0]) { slider.value = value; slider.dispatchEvent(new Event("input"));
  note(); }
document.body.textContent = said.join("\\n");
</script></body>"""))
    done = subprocess.run(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                           f"--user-data-dir={tmp_path}/profile", "--dump-dom", f"file://{target}"],
                          capture_output=True, text=True, timeout=120)
    said = re.search(r"<body>(.*)</body>", done.stdout, re.S)[1].splitlines()
    assert "pages 0 to 63: 1 fault, 64 pages brought in" in said[0]
    assert "pages 0 to 63: 0 faults, 0 pages brought in" in said[1]
    assert "1 fault; of 4,096 pages: 4,096 pages mapped writable, 2M" in said[2]
    assert "1 fault; of 4,096 pages: no page is there" in said[3]
