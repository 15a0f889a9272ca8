"""Arguments of the calls on mappings: as Linux over a file; over the device but for the table of the docs."""

from pathlib import Path

from quire import TREE, Result, boot, on_host

# A larger mremap than there are addresses is EINVAL since Linux 6.17, ENOMEM before.
BY_VERSION = {"mremap to 2^47 bytes", "mremap to 2^63 bytes"}


def answers(result: Result) -> dict[str, str]:
    assert result.status == 0 and result.lines()[-1] == "done", result
    pairs = [line.rsplit(": ", 1) for line in result.lines()[:-1]]
    assert len(dict(pairs)) == len(pairs), "two cases have one name"
    return dict(pairs)


def documented() -> dict[str, dict[str, str]]:
    """The rows of the table in docs/device-mappings.md, by call."""
    lines = (TREE / "docs/device-mappings.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in lines if line.startswith("|")]
    header, _, *body = rows
    return {row[0]: dict(zip(header, row)) for row in body}


def test_arguments_over_a_file_are_as_on_linux(tmp_path: Path) -> None:
    here = answers(on_host("devargs", str(tmp_path / "file")))
    there = answers(boot("devargs", "/tmp/file"))
    differing = {name for name in here if here[name] != there.get(name)}
    assert differing - BY_VERSION == set()
    assert here.keys() == there.keys()


def test_arguments_over_the_device_are_as_documented(tmp_path: Path) -> None:
    table = documented()
    file = answers(on_host("devargs", str(tmp_path / "file")))
    device = answers(boot("devargs", "/dev/fb0"))
    expected = file | {name: row["Quire, device"] for name, row in table.items()}
    for name in BY_VERSION:
        expected[name] = "EINVAL"
    assert device == expected
    assert {name: file.get(name, "-") for name in table} == {
        name: row["a file"] for name, row in table.items()}
