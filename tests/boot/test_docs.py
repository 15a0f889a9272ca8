"""docs/populate.md and docs/man/ speak of what is there: every function and test that they name."""

import re
from functools import cache
from pathlib import Path

import pytest

from quire import TREE

CONTRACT = TREE / "docs/populate.md"
MAN_PAGES = sorted((TREE / "docs/man").glob("*.md"))
CLAUSES = [*(f"P{n}" for n in range(1, 25)), "W1", *(f"S{n}" for n in range(1, 7)), "A1",
           *(f"R{n}" for n in range(1, 5)), "U1", "U2", "O1", "Y1"]
PENDING = ("- Not built yet.", "- Built; its tests are not here yet.")
MAN_SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "LOCKS", "RETURN VALUES", "ERRORS", "SEE ALSO"]


@cache
def sources(*folders: str) -> str:
    files = (path for folder in folders for path in sorted((TREE / folder).rglob("*.[ch]")))
    return "\n".join(path.read_text() for path in files)


@cache
def all_tests() -> frozenset[str]:
    """Every test by its name: in the host programs' tables, and of pytest."""
    host = sources("tests/host")
    table = set(re.findall(r"\bTEST\((test_\w+)\)", host))
    for name in re.findall(r"\bTEST2\((test_\w+)\)", host):
        table |= {f"{name}_managed", f"{name}_unmanaged"}
    for path in (TREE / "tests/boot").glob("test_*.py"):
        table |= set(re.findall(r"^def (test_\w+)", path.read_text(), re.M))
    return frozenset(table)


def sections() -> dict[str, str]:
    """The contract's sections by clause."""
    parts = re.split(r"^### (\S+) .*\n", CONTRACT.read_text(), flags=re.M)[1:]
    return {clause: re.split(r"^## ", text, flags=re.M)[0]
            for clause, text in zip(parts[::2], parts[1::2], strict=True)}


def is_pending(text: str) -> bool:
    return any(line in PENDING for line in text.splitlines())


def test_each_clause_has_one_section() -> None:
    assert list(sections()) == CLAUSES


@pytest.mark.parametrize("clause", CLAUSES)
def test_clause(clause: str) -> None:
    """Carried by functions and shown by tests that exist, one of them named by the clause; or
    pending, and then no test has its name."""
    text = sections()[clause]
    items = dict(re.findall(r"^- (Carried by|Shown by): ((?:.|\n(?!- |\n))*)", text, re.M))
    if is_pending(text):
        assert not items and not [test for test in all_tests() if f"_{clause}_" in test]
        return
    functions = re.findall(r"`(\w+)`", items["Carried by"])
    assert functions
    for function in functions:
        assert re.search(rf"^{function}\(", sources("kernel", "drivers"), re.M), function
    shown = re.findall(r"`(\w+)`", items["Shown by"])
    assert set(shown) <= all_tests(), set(shown) - all_tests()
    assert [test for test in shown if f"_{clause}_" in test], f"no test is named by {clause}"


def test_each_clause_that_has_tests_has_a_mutant() -> None:
    built = {clause for clause, text in sections().items() if not is_pending(text)}
    mutants = {path.stem.split("-")[0] for path in (TREE / "tests/mutants").glob("*.mutant")}
    assert built == mutants


def normal(code: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", code, flags=re.S)).strip()


@pytest.mark.parametrize("page", MAN_PAGES, ids=lambda page: page.stem)
def test_man_page(page: Path) -> None:
    """It has the sections of section 9, and its SYNOPSIS is what the header says."""
    text = page.read_text()
    assert re.findall(r"^## (.*)$", text, re.M) == MAN_SECTIONS
    synopsis = re.search(r"^## SYNOPSIS\n+```c\n(.*?)```", text, re.M | re.S)
    assert synopsis
    header, code = re.fullmatch(r'#include "(\S+)"\n(.*)', synopsis[1], re.S).groups()
    declared = normal((TREE / "kernel" / header).read_text())
    parts = re.findall(r"(struct \w+ \{.*?\n\}|[^;{]+?\));", code, re.S)
    prototypes = [normal(part) for part in parts]
    assert prototypes and normal("".join(f"{p}; " for p in prototypes)) == normal(code)
    for prototype in prototypes:
        assert f"{prototype};" in declared or f"{prototype} {{" in declared, prototype
    for name in re.findall(r"`(\w+)`", re.search(r"^## NAME\n+(.*?)^##", text, re.M | re.S)[1]):
        assert re.search(rf"\b{name}\(", code), name
