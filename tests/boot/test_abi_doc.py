"""docs/linux-abi.md has every system call of Linux once, and with the state that it has. Run as a
program this brings its lists up to date with kernel/linux/syscall_table.c."""

import re
import textwrap
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
DOC = TREE / "docs/linux-abi.md"
TABLE = TREE / "kernel/linux/syscall_table.c"
HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
LAST = 450
WIDTH = 110


def of_linux() -> list[str]:
    pairs = re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text())
    return [name for name, number in sorted(pairs, key=lambda pair: int(pair[1]))
            if int(number) <= LAST]


def in_table() -> list[str]:
    return re.findall(r"\bX\(\d+, (\w+)\)", TABLE.read_text())


def section(text: str, title: str) -> str:
    return text.partition(f"### {title}\n")[2].partition("\n### ")[0].partition("\n## ")[0]


def names(text: str) -> list[str]:
    return re.findall(r"`(\w+)`", text)


def partial(text: str) -> list[str]:
    rows = re.findall(r"^\| (`.*?) \|", section(text, "In part"), re.M)
    return [name for row in rows for name in names(row)]


def listed(calls: list[str], start: str = "", indent: str = "") -> str:
    words = start + ", ".join(f"`{name}`" for name in calls) + "."
    return textwrap.fill(words, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def without(match: re.Match, there: list[str]) -> str:
    """An item of "Not there" without the calls that have come; nothing if none is left."""
    reason, _, _ = match[0].partition("`")
    left = [name for name in names(match[0]) if name not in there]
    return listed(left, " ".join(reason.split()) + " ", "  ") + "\n" if left else ""


def updated(text: str) -> str:
    there = in_table()
    whole = [name for name in of_linux() if name in there and name not in partial(text)]
    text = re.sub(r"(<!-- there -->\n).*?(<!-- end -->)",
                  lambda m: f"{m[1]}{listed(whole)}\n{m[2]}", text, flags=re.S)
    head, title, rest = text.partition("### Not there\n")
    items = re.sub(r"^- .*\n(?:  .*\n)*", lambda m: without(m, there), rest, flags=re.M)
    return head + title + items


def test_each_call_is_listed_once() -> None:
    text = DOC.read_text()
    calls = names(section(text, "There")) + partial(text) + names(
        "\n".join(re.findall(r"^- (?:.|\n  )*", section(text, "Not there"), re.M)))
    calls = [call for call in calls if call in of_linux()]
    assert len(calls) == len(set(calls)), "listed twice"
    assert set(of_linux()) - set(calls) == set(), "not listed"


def test_the_lists_say_what_the_table_says() -> None:
    text = DOC.read_text()
    assert set(partial(text)) <= set(in_table())
    assert text == updated(text), "run python3 tests/boot/test_abi_doc.py"


def test_numbers() -> None:
    pairs = re.findall(r"\bX\((\d+), (\w+)\)", TABLE.read_text())
    numbers = dict((name, number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)",
                                                                 HEADER.read_text()))
    assert [pair for pair in pairs if numbers.get(pair[1]) != pair[0]] == []


if __name__ == "__main__":
    DOC.write_text(updated(DOC.read_text()))
