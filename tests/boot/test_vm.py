"""The calls on memory are as on Linux; limits, overcommit, memory pressure; many mappings and generations."""

from pathlib import Path

import pytest

from quire import Result, boot, on_host

QUIET = ["--append", "loglevel=3"]
SECTIONS = ("madvise_errors madvise_kinds madvise_file madvise_fork madvise_free growsdown stack mmap_flags "
            "split mremap_errors mremap_moves limits process_vm files brk").split()


@pytest.fixture(scope="module")
def here() -> Result:
    return on_host("vmabi")


@pytest.fixture(scope="module")
def there() -> Result:
    return boot("vmabi", options=QUIET)


@pytest.mark.parametrize("section", SECTIONS)
def test_the_same_as_on_the_host(section: str, here: Result, there: Result) -> None:
    def part(text: str) -> str:
        return text.partition(f"--- {section}\n")[2].partition("\n---")[0].strip()

    assert part(here.out) and part(there.out) == part(here.out)
    assert there.status == 0, there


def pressure(what: str, mem: str, *add: str) -> list[str]:
    options = ["--mem", mem, *QUIET]
    for word in add:
        options += ["--add", word]
    result = boot("vmpressure", what, options=options)
    assert result.status == 0, result
    return result.lines()


def test_overcommit_policies() -> None:
    assert pressure("overcommit", "64M") == [
        "0: more than there is ENOMEM", "0: unreserved ok", "0: read-only ok", "0: shared ENOMEM",
        "1: more than there is ok", "2: limit as told 1", "2: past the limit ENOMEM",
        "2: unreserved ENOMEM", "2: read-only ok", "2: half, read-only 1", "2: made writable 0",
        "2: accounted 1", "2: another half ENOMEM", "2: fork ENOMEM", "2: fork of less 7",
        "2: by kbytes 1", "back 1"]


def test_clean_pages_of_the_initrd_are_dropped_and_read_again(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"".join(i.to_bytes(4, "little") for i in range(5_000_000)))
    assert pressure("file", "96M", f"{big}:/big") == ["dropped 1", "read again 1", "and again 1"]


def test_lazily_freed_pages_go_first_but_not_those_written_since() -> None:
    assert pressure("lazy", "64M") == ["written ones lost 0, others dropped 1, wrong 0"]


def test_the_one_with_the_higher_score_is_killed() -> None:
    lines = pressure("score", "64M")
    assert lines[0].endswith("small killed")  # after what it wrote into the pipe
    assert lines[-1] == "/proc/self/oom_score_adj: cannot write 1001: errno 22"


def scale(what: str, n: int, options: list[str]) -> dict[str, int]:
    result = boot("vmscale", what, str(n), options=["--mem", "256M", *QUIET, *options], timeout=300)
    assert result.status == 0 and "wrong 0" in result.lines(), result
    return result.values()


@pytest.mark.parametrize("what,n", [("mappings", 10_000), ("deep", 200)])
def test_time_is_linear(what: str, n: int) -> None:
    once, twice = (scale(what, k * n, ["--icount"]) for k in (1, 2))
    print(once, twice)
    for name in once.keys() - {"wrong", "raised"}:
        assert twice[name] <= 2.3 * once[name], name


@pytest.mark.parametrize("what,n", [("mappings", 100_000), ("sparse", 4), ("deep", 1000)])
def test_large_ones_are_right(what: str, n: int) -> None:
    scale(what, n, [])
