"""The populate contract seen from user space: a pager that misbehaves on request (drivers/testdev.c), what
it was passed, what a program gets, and that every count comes back. The steps are those of
programs/testdev.c; `same` prints a line for each count that is not as it was. Names are the clauses."""

import re

import pytest

from quire import PANICKED, Result, boot, killed_by

DEVICES = ["testdev", "testraw"]  # managed, unmanaged (U1)
BUS, SEGV, KILL = killed_by("SIGBUS"), killed_by("SIGSEGV"), killed_by("SIGKILL")
END = " unmap:4:8 same"


def run(device: str, steps: str, *options: str) -> Result:
    return boot("testdev", f"/dev/{device}", *steps.split(), timeout=60,
                options=["--append", "testdev", *options])


def check(device: str, steps: str, *expected: str) -> None:
    result = run(device, steps)
    assert (result.status, result.lines()) == (0, list(expected)), result


def state(index: int, words: str = "", wired: int = 0) -> str:
    """The line of `page`; a page that a write fault of populate entered is dirty and mapped."""
    return f"page {index}: resident valid{words} wired {wired} held 0"


def mapped(device: str, index: int, wired: int = 0) -> str:
    """An unmanaged page does not know who maps it."""
    return state(index, " dirty mapped" if device == "testdev" else " dirty", wired)


# --- a pager that behaves ------------------------------------------------------------------------

@pytest.mark.parametrize("device", DEVICES)
def test_P5_arguments(device: str) -> None:
    check(device, "map:4:8:rw w:6 call map:20:2:r r:21 call calls unmap:20:2" + END,
          "call: pidx 6 hint 4-11 fault 2 max 7 action ok", "r 21: 0",
          "call: pidx 21 hint 20-21 fault 1 max 7 action ok", "calls: 2 0 1 0")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("first,last", [(4, 11), (5, 9), (6, 6), (0, 15), (0, 6), (6, 15),
                                        (3, 6), (6, 12), (0, 1023)])
def test_P13_clip(device: str, first: int, last: int) -> None:
    """A range equal to, inside, larger than and offset from the entry [4, 11]; the fault is at 6."""
    size = 1024 if device == "testdev" else 64
    low, high, count = max(first, 4), min(last, 11), min(last, size - 1) - first + 1
    result = run(device, f"map:4:8:rw set:first={first}:last={last} w:6 page:{low} page:{high} "
                 f"page:{low - 1} page:{high + 1} count:populate_pages count:populate_clipped "
                 "count:pages_busied calls fill:4:8 dev:4 dev:11" + END)
    assert result.status == 0, result
    lines = result.lines()
    assert lines[:2] == [mapped(device, low), mapped(device, high)]
    # P15: what is cut off stays, unbusied and not entered.
    for line, index in zip(lines[2:4], (low - 1, high + 1)):
        inside = first <= index <= last
        assert line == (state(index) if inside else f"page {index}: none")
    kept = high - low + 1
    assert lines[4:] == [f"populate_pages +{kept}", f"populate_clipped +{count - kept}",
                         "pages_busied +0", "calls: 1 0 1 0", "dev 4: 5", "dev 11: 12"]


@pytest.mark.parametrize("device", DEVICES)
def test_P14_frames_in_another_order(device: str) -> None:
    """Neighbours in the object that are not neighbours in memory."""
    size = 1024 if device == "testdev" else 64
    check(device, f"map:4:8:rw set:reverse fill:4:8 calls dev:{size - 5} dev:{size - 12} r:4 r:11"
          + END, "calls: 1 0 1 0", f"dev {size - 5}: 5", f"dev {size - 12}: 12", "r 4: 5",
          "r 11: 12")


@pytest.mark.parametrize("device", DEVICES)
def test_P9_memory_ends_before_the_page(device: str) -> None:
    """The pager gives up what it took and says AGAIN."""
    check(device, "map:4:8:rw set:short:at=5 w:6 calls count:fault_restarts page:5 page:6" + END,
          "calls: 2 0 1 0", "fault_restarts +1", mapped(device, 5), mapped(device, 6))


@pytest.mark.parametrize("device", DEVICES)
def test_P7_memory_ends_after_the_page(device: str) -> None:
    """The range is shorter then."""
    check(device, "map:4:8:rw set:short:at=9 w:6 calls page:8 page:9 fill:4:8 calls" + END,
          "calls: 1 0 1 0", mapped(device, 8), "page 9: none", "calls: 2 0 1 0")


@pytest.mark.parametrize("device", DEVICES)
def test_P23_write_after_read(device: str) -> None:
    check(device, "map:4:8:r r:6 call protect:4:8:rw fill:4:8 calls dev:11" + END,
          "r 6: 0", "call: pidx 6 hint 4-11 fault 1 max 7 action ok", "calls: 1 0 1 0", "dev 11: 12")


# --- other answers ---------------------------------------------------------------------------------

@pytest.mark.parametrize("device", DEVICES)
def test_P8_BAD_takes_getpages(device: str) -> None:
    check(device, "map:4:8:rw set:answer=bad w:6 calls page:6 page:7 dev:6" + END,
          "calls: 1 1 1 0", mapped(device, 6), "page 7: none", "dev 6: 7")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("how", ["nogetpages:answer=bad", "answer=fail", "answer=error"],
                         ids=["P8-BAD-without-getpages", "P9-FAIL", "P9-ERROR"])
def test_declined(device: str, how: str) -> None:
    """A system call fails with EFAULT and the next one works; the program itself dies of SIGBUS."""
    prepare = f"set:nogetpages map:4:8:rw set:{how} "
    check(device, prepare + "in:6:1 count:pages_busied page:6 in:6:1 calls" + END,
          "in: Bad address", "pages_busied +0", "page 6: none", "in: 4096", "calls: 2 0 1 0")
    result = run(device, prepare + "w:6")
    assert result.status == BUS, result
    line, = result.lines()
    assert re.search(r"testdev\[1\]: SIGBUS: write to 0x200000006000 at rip .*no page", line)


@pytest.mark.parametrize("device", DEVICES)
def test_P9_AGAIN_starts_over(device: str) -> None:
    check(device, "map:4:8:rw set:answer=again:times=3 w:6 calls count:fault_restarts" + END,
          "calls: 4 0 1 0", "fault_restarts +3")


# --- breaches ----------------------------------------------------------------------------------------

# The request, and what the report says. The fault is at 6, the mapping is [4, 11].
PAGE_BREACHES = {
    "P7-missing": ("breach=missing:at=8", "a page of the range is missing"),
    "P7-first-missing": ("breach=missing:at=4", "a page of the range is missing"),
    "P7-last-missing": ("breach=missing:at=11", "a page of the range is missing"),
    "P7-invalid": ("breach=invalid:at=8", "a page is not valid"),
    "P7-unbusied": ("breach=unbusied:at=8", "a page is not exclusively busied"),
    "P7-shared-busied": ("breach=sbusied:at=8", "a page is not exclusively busied"),
    "P7-other-object": ("breach=elsewhere:at=8", "a page of the range is missing"),
    "P7-kind": ("breach=kind:at=8", "a page is of a kind"),
    "P15-cut-off-and-invalid": ("first=0:last=15:breach=invalid:at=14", "a page is not valid"),
}
RANGE_BREACHES = {
    "P7-first-above-last": ("claim=7:claim_last=6", "the range does not contain pidx"),
    "P7-pidx-below": ("claim=7:claim_last=11", "the range does not contain pidx"),
    "P7-pidx-above": ("claim=4:claim_last=5", "the range does not contain pidx"),
    "P7-last-is-size": ("claim=4:claim_last=SIZE", "the range ends past the object"),
    "P7-last-is-huge": ("claim=4:claim_last=0xffffffffffffffff", "the range ends past the object"),
    "P7-wider-than-installed": ("claim=0:claim_last=15", "a page of the range is missing"),
}
BUSY_BREACHES = {
    "P7-more-than-claimed": ("claim=5:claim_last=6", "left 6 pages busied"),
    "P8-BAD": ("answer=bad:leave", "left 8 pages busied"),
    "P9-FAIL": ("answer=fail:leave", "left 8 pages busied"),
    "P9-ERROR": ("answer=error:leave", "left 8 pages busied"),
    "P9-AGAIN": ("answer=again:leave", "left 8 pages busied"),
}
LOCK_BREACHES = {
    "P20-unlocked": ("breach=unlocked", "populate returned without the object lock"),
    "P20-extra-lock": ("breach=extra", "populate returned holding another lock"),
}
BREACHES = PAGE_BREACHES | RANGE_BREACHES | BUSY_BREACHES | LOCK_BREACHES


def request(device: str, name: str) -> str:
    what = BREACHES[name][0].replace("SIZE", "1024" if device == "testdev" else "64")
    return f"map:4:8:rw set:{what} "


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", BREACHES)
def test_breach_panics(name: str, device: str) -> None:
    """P10: the kernel with assertions stops, and its report names clause, driver and breach."""
    result = run(device, request(device, name) + "w:6")
    assert result.status == PANICKED, result
    clause, words = name.split("-")[0].replace("P15", "P7"), BREACHES[name][1]
    assert re.search(rf"^panic: {clause}: {device}: .*{words}", result.err, re.M), result.err
    if name in PAGE_BREACHES | RANGE_BREACHES:
        assert re.search(r"object 0x[0-9a-f]+ pidx 6 range \[\d+, \d+\] of \d+", result.err)


def test_lock_order_shows_both_places() -> None:
    """The stack on which the one was taken, and where on it the other was."""
    result = run("testdev", "map:4:8:rw set:breach=order w:6")
    assert result.status == PANICKED, result
    assert re.search(r"^panic: lock order: .* taken while holding vm object", result.err, re.M)
    here, there = result.err.split("backtrace:")[1].split("vm object was taken")
    assert re.search(r"rw_\w+\+.*testdev_populate.*vm_fault", here, re.S), result.err
    assert re.match(r" at kernel/vm/\w+\.[ch]:\d+\n", there), result.err
    released = run("testdev", "map:4:8:rw set:breach=order w:6", "--release")
    assert released.status == 0, released


def breach_released(device: str, name: str, steps: str) -> tuple[int, str, list[str]]:
    """Status, the one line that names the breach, the lines after it."""
    result = run(device, request(device, name) + steps, "--release")
    line, *rest = result.lines()
    clause, words = name.split("-")[0].replace("P15", "P7"), BREACHES[name][1]
    assert re.search(rf"\] {clause}: {device}: .*{words}", line), result
    assert not [other for other in rest if re.search(r"\] P\d+: ", other)], "one line says it"
    return result.status, line, rest


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", PAGE_BREACHES | RANGE_BREACHES)
def test_P10_release_goes_on(name: str, device: str) -> None:
    """P22: the fault fails, nothing stays busied, and once the driver has taken back (or never made)
    the bad page the same access works."""
    mend = " take:0:1023" if device == "testdev" else END
    remap = "" if device == "testdev" else " map:4:8:rw"
    status, _, rest = breach_released(device, name, "in:6:1 set count:pages_busied" + mend + remap
                                      + " in:4:8 out:4:8" + END)
    data = " ".join(str(1000 + i) for i in range(4, 12))
    assert (status, rest) == (0, ["in: Bad address", "pages_busied +0", "in: 32768",
                                  f"out: 32768 {data}"])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["P7-missing", "P7-shared-busied", "P7-kind", "P7-last-is-huge"])
def test_P10_release_is_SIGBUS(name: str, device: str) -> None:
    """The program ends, also when a page was left busied."""
    status, _, rest = breach_released(device, name, "w:6")
    assert status == BUS and len(rest) == 1
    assert re.search(r"testdev\[1\]: SIGBUS: write to 0x200000006000 ", rest[0])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", BUSY_BREACHES)
def test_P7_P8_P9_release_unbusies(name: str, device: str) -> None:
    """What works still does, FAIL and ERROR still fail; and no page stays busied."""
    works = name not in ("P9-FAIL", "P9-ERROR")
    status, _, rest = breach_released(device, name,
                                      "in:6:1 count:pages_busied in:4:8 page:7" + END)
    assert status == 0
    assert rest[:3] == ["in: 4096" if works else "in: Bad address", "pages_busied +0", "in: 32768"]
    assert rest[3:] == [mapped(device, 7)]


@pytest.mark.parametrize("device", DEVICES)
def test_P20_release_locks_again(device: str) -> None:
    """The lock is taken again, then the checks of P7 see to the rest."""
    status, _, rest = breach_released(device, "P20-unlocked",
                                      "in:6:1 count:pages_busied in:4:8 page:7" + END)
    assert (status, rest) == (0, ["in: 4096", "pages_busied +0", "in: 32768", mapped(device, 7)])


# --- P12: the map changes during the call --------------------------------------------------------------

ALL = "from=4:pages=8"


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("steps,expected", [
    pytest.param(f"set:action=unmap:{ALL} in:6:1 count:populate_restarts page:6 settle calls same",
                 ["in: Bad address", "populate_restarts +1", "page 6: none", "calls: 1 0 1 1"],
                 id="unmapped"),
    pytest.param("set:action=unmap:from=9:pages=3 w:6 count:populate_restarts page:6 page:10 in:10:1"
                 " calls" + END,
                 ["populate_restarts +1", "MAPPED 6", state(10), "in: Bad address",
                  "calls: 1 0 1 0"], id="unmapped-a-part"),
    pytest.param(f"set:action=remap:{ALL} in:6:1 r:6 dev:6 count:populate_restarts page:6 settle "
                 "calls"
                 + END,
                 ["in: 4096", "r 6: 1006", "dev 6: 0", "populate_restarts +1", "page 6: none",
                  "calls: 1 0 1 1"], id="remapped"),
    pytest.param(f"set:action=protect:{ALL}:prot=r in:6:1 out:6:1 dev:6 count:populate_restarts "
                 "calls" + END,
                 ["in: Bad address", "out: 4096 0", "dev 6: 0", "populate_restarts +1",
                  "calls: 1 0 1 0"], id="protected-down"),
    pytest.param(f"set:action=protect:{ALL}:prot= out:6:1 count:populate_restarts calls" + END,
                 ["out: Bad address", "populate_restarts +1", "calls: 1 0 1 0"],
                 id="protected-from-all"),
    pytest.param(f"protect:4:8:r set:action=protect:{ALL}:prot=rw r:6 fill:4:8 dev:11 "
                 "count:populate_restarts calls" + END,
                 ["r 6: 0", "dev 11: 12", "populate_restarts +1", "calls: 1 0 1 0"],
                 id="protected-up"),
    pytest.param("set:action=protect:from=8:pages=2:prot=r w:6 w:11 in:8:1 r:8 "
                 "count:populate_restarts count:map_entries calls" + END,
                 ["in: Bad address", "r 8: 0", "populate_restarts +1", "map_entries +3",
                  "calls: 1 0 1 0"], id="split"),
    pytest.param("set:action=grow:from=12:pages=4 w:6 call count:populate_restarts count:map_entries"
                 " in:12:1 unmap:12:4 calls" + END,
                 ["call: pidx 6 hint 4-11 fault 2 max 7 action ok", "populate_restarts +1",
                  "map_entries +2", "in: 4096", "calls: 1 0 1 0"], id="grown"),
    pytest.param(f"set:action=wire:{ALL} w:6 count:populate_restarts page:4 page:6 page:11 calls "
                 "unlock:4:8 page:6" + END,
                 ["populate_restarts +1", "WIRED 4", "WIRED 6", "WIRED 11", "calls: 2 0 1 0",
                  "MAPPED 6"], id="wired"),
])
def test_P12(device: str, steps: str, expected: list[str]) -> None:
    """Nothing of what the map was is entered, and the pages of the call are let go (P15)."""
    words = {"MAPPED": 0, "WIRED": 1}
    lines = [line.split() for line in expected]
    check(device, "map:4:8:rw " + steps,
          *(mapped(device, int(at), words[word]) if word in words else " ".join([word, at, *more])
            for word, at, *more in lines))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("action,why", [("unmap", "no mapping"), ("protect:prot=r", "not writable")])
def test_P12_SIGSEGV(device: str, action: str, why: str) -> None:
    result = run(device, f"map:4:8:rw set:action={action}:{ALL} w:6")
    assert result.status == SEGV, result
    line, = result.lines()
    assert re.search(rf"SIGSEGV: write to 0x200000006000 at rip .*{why}", line)


@pytest.mark.parametrize("device", DEVICES)
def test_P11_sleep_without_a_change(device: str) -> None:
    """The object was unlocked, the map is as it was: no restart. Who is told before it sleeps does not."""
    check(device, "map:4:8:rw set:sleep=30 w:6 count:populate_restarts calls unmap:4:8 same "
          "mark map:4:8:rw set:sleep wake w:6 calls" + END,
          "populate_restarts +0", "calls: 1 0 1 0", "calls: 1 0 1 0")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("touch", ["w:6", "in:6:1", "out:6:1", "lock:6:1", "unmap:20:1 fill:4:8"])
def test_P9_killed_while_it_sleeps(device: str, touch: str) -> None:
    """EINTR ends the sleep, SIGKILL the process; no other signal is spoken of."""
    result = run(device, f"map:4:8:rw set:sleep:kill=30 {touch} calls")
    assert (result.status, result.out, result.err) == (KILL, "", ""), result


@pytest.mark.parametrize("device", DEVICES)
def test_P12_killed_after_the_range_is_gone(device: str) -> None:
    """The last mapping goes while the call sleeps: the object outlives the call (R2)."""
    result = run(device, f"map:4:8:rw set:action=unmap:{ALL}:sleep:kill=30 w:6")
    assert (result.status, result.out, result.err) == (KILL, "", ""), result


# --- wiring, copies, private mappings ------------------------------------------------------------------

@pytest.mark.parametrize("device", DEVICES)
def test_P14_one_wiring_each(device: str) -> None:
    """mlock, MAP_LOCKED, munlock and munmap of what is locked."""
    check(device, "map:4:8:rw lock:4:8 lock:4:8 page:4 page:6 page:11 calls unlock:4:8 page:6 lock:6:1"
          " page:5 page:6 unmap:4:8 same map:4:8:rwl page:4 page:11 unlock:4:4 page:4 page:11" + END,
          mapped(device, 4, 1), mapped(device, 6, 1), mapped(device, 11, 1), "calls: 1 0 1 0",
          mapped(device, 6), mapped(device, 5), mapped(device, 6, 1), mapped(device, 4, 1),
          mapped(device, 11, 1), mapped(device, 4), mapped(device, 11, 1))


@pytest.mark.parametrize("device", DEVICES)
def test_P14_wiring_with_a_larger_range(device: str) -> None:
    check(device, "map:4:8:rw set:first=0:last=15 lock:6:2 page:6 page:7 page:5 page:8" + END,
          mapped(device, 6, 1), mapped(device, 7, 1), state(5), state(8))


@pytest.mark.parametrize("device", DEVICES)
def test_P14_wiring_that_fails(device: str) -> None:
    """mlock of pages that the pager cannot give: ENOMEM as in Linux, and no wiring is left."""
    check(device, "map:4:8:rw set:first=4:last=5 lock:4:2 unlock:4:2 set:answer=fail lock:4:8 "
          "page:4 page:6 in:4:8" + END,
          "lock: Out of memory", mapped(device, 4), "page 6: none", "in: 32768")


@pytest.mark.parametrize("device", DEVICES)
def test_copies_from_and_to_absent_pages(device: str) -> None:
    """read(2) of a file into the device's memory and write(2) from it, by one populate each (P16)."""
    data = " ".join(str(1000 + i) for i in range(4, 12))
    check(device, "map:4:8:rw in:4:8 calls dev:4 dev:11 unmap:4:8 same mark map:4:8:rw out:4:8 calls"
          + END, "in: 32768", "calls: 1 0 1 0", "dev 4: 1004", "dev 11: 1011",
          f"out: 32768 {data}", "calls: 1 0 1 0")


@pytest.mark.parametrize("device", DEVICES)
def test_P4_private_writes_stay_private(device: str) -> None:
    check(device, "map:4:8:rwp in:4:8 r:11 dev:4 dev:11 calls" + END,
          "in: 32768", "r 11: 1011", "dev 4: 0", "dev 11: 0", "calls: 0 8 1 0")


@pytest.mark.parametrize("device", DEVICES)
def test_P3_private_without_getpages(device: str) -> None:
    check(device, "set:nogetpages map:4:8:rwp in:6:1 out:6:1 calls page:6" + END,
          "in: Bad address", "out: Bad address", "calls: 0 0 1 0", "page 6: none")
    assert run(device, "set:nogetpages map:4:8:rwp w:6").status == BUS


@pytest.mark.parametrize("device", DEVICES)
def test_read_only_mapping(device: str) -> None:
    assert run(device, "map:4:8:r set w:6").status == SEGV
    check(device, "map:4:8:r in:6:1 calls" + END, "in: Bad address", "calls: 0 0 1 0")


# --- revocation, the end of the device, aliases ----------------------------------------------------------

def test_R1_revoked_pages_populate_again() -> None:
    """Gone from the page tables and the object when the call returns; the data are the device's."""
    check("testdev", "map:4:8:rw fill:4:8 take:6:7 page:5 page:6 page:7 page:8 r:7 calls page:6 "
          "take:0:1023 page:4 r:4 calls" + END,
          mapped("testdev", 5), "page 6: none", "page 7: none", mapped("testdev", 8), "r 7: 8",
          "calls: 2 0 1 0", mapped("testdev", 6), "page 4: none", "r 4: 5", "calls: 3 0 1 0")


def test_R1_revoked_while_wired() -> None:
    check("testdev", "map:4:8:rwl fill:4:8 take:5:6 page:4 page:5 r:5 calls page:6 unlock:4:8 page:4 "
          "page:6 lock:4:8 page:4 page:6" + END,
          mapped("testdev", 4, 1), "page 5: none", "r 5: 6", "calls: 2 0 1 0", mapped("testdev", 6),
          mapped("testdev", 4), mapped("testdev", 6), mapped("testdev", 4, 1),
          mapped("testdev", 6, 1))


def test_R1_revoked_in_two_maps() -> None:
    check("testdev", "map:4:8:rw fill:4:8 map:20:8:rwp r:20 take:0:1023 page:4 page:20 r:4 r:20 calls "
          "unmap:20:8" + END,
          "r 20: 0", "page 4: none", "page 20: none", "r 4: 5", "r 20: 0", "calls: 4 0 1 0")


def test_R3_revoked_during_the_call() -> None:
    """Pages are revoked while the call sleeps: what it installed is dropped and it is asked again."""
    check("testdev", "map:4:8:rw set:first=4:last=5 w:4 set:action=revoke:from=0:pages=16:sleep=20 "
          "w:8 call calls r:4 page:4 page:5" + END,
          "call: pidx 8 hint 4-11 fault 2 max 7 action ok", "calls: 3 0 1 0", "r 4: 5",
          mapped("testdev", 4), mapped("testdev", 5))


def test_R3_revoked_during_the_call_of_a_wiring_fault() -> None:
    check("testdev", "map:4:8:rw set:action=revoke:from=0:pages=1024 lock:4:8 call page:4 page:11"
          + END, "call: pidx 4 hint 4-11 fault 2 max 7 action ok", mapped("testdev", 4, 1),
          mapped("testdev", 11, 1))


@pytest.mark.parametrize("device", DEVICES)
def test_R2_descriptor_closed_while_mapped(device: str) -> None:
    """Constructor and destructor once for each object, which lives until the last mapping goes."""
    check(device, f"map:4:8:rw map:20:2:rw w:6 close w:7 unmap:4:8 w:20 r:20 open:/dev/{device} calls "
          f"unmap:20:2 calls same map:4:8:rw w:6 calls" + END + " calls",
          "r 20: 21", "calls: 2 0 1 0", "calls: 2 0 1 1", "calls: 3 0 2 1", "calls: 3 0 2 2")


def test_R2_device_destroyed_while_mapped() -> None:
    check("testdev", "map:4:8:rw fill:4:8 destroy:1 page:6 in:6:1 map:20:1:rw open:/dev/testdev "
          "calls destroy:0 r:6 calls" + END + " calls",
          "page 6: none", "in: Bad address", "map: No such device or address",
          "/dev/testdev: No such device or address", "calls: 2 0 1 0", "r 6: 7", "calls: 3 0 1 0",
          "calls: 3 0 1 1")
    assert run("testdev", "map:4:8:rw w:6 destroy:1 w:6").status == BUS


def test_U2_one_frame_at_many_indexes_and_in_two_objects() -> None:
    check("testraw", "map:0:64:rw w:5 r:21 r:37 r:53 dev:53 calls open:/dev/testraw2 mark dev:5 "
          "map:64:0:rw unmap:0:64 map:0:16:rw r:5 w:6 calls open:/dev/testraw dev:54 map:20:4:rw r:22 "
          "unmap:0:24",
          "r 21: 6", "r 37: 6", "r 53: 6", "dev 53: 6", "calls: 1 0 1 0", "dev 5: 6",
          "map: Invalid argument", "r 5: 6", "calls: 1 0 1 0", "dev 54: 7", "r 22: 7")


# --- bad input -----------------------------------------------------------------------------------------

KERNEL = 0xffffffff80200000


@pytest.mark.parametrize("device", DEVICES)
def test_bad_input(device: str) -> None:
    size = 1024 if device == "testdev" else 64
    ioctls = " ".join(f"ioctl:{command}:{at}" for command in range(0x5100, 0x5104)
                      for at in (0, 8, KERNEL, 2**64 - 8))
    bad = ["answer=5", "breach=10", "action=7", "action=unmap", "action=unmap:from=4:pages=0",
           "action=unmap:from=0x7ffffffffff:pages=1", "action=grow:from=4:pages=0x80000000000"]
    sets = " ".join("set:" + request for request in bad)
    maps = [f"map:{size}:1:rw", f"map:{size - 1}:2:rw", f"map:0:{size + 1}:rw", "map:4:0:rw"]
    takes = "take:5:4 take:0:1024 take:0xffffffffffffffff:0"
    result = run(device, f"{ioctls} ioctl:0x51ff:0 {sets} {' '.join(maps)} {takes} "
                 "map:4:8:rw fill:4:8" + END)
    assert result.status == 0, result
    taken = "Invalid argument" if device == "testdev" else "Not supported"
    assert result.lines() == (16 * ["ioctl: Bad address"] + ["ioctl: Not a tty"]
                              + len(bad) * ["set: Invalid argument"]
                              + len(maps) * ["map: Invalid argument"] + 3 * [f"take: {taken}"])


def test_absent_without_the_option() -> None:
    result = boot("testdev", "/dev/testdev")
    assert (result.status, result.out) == (1, "/dev/testdev: No such file or directory\n")
