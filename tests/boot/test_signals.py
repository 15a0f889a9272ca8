"""Signals, process groups, sessions and timers: programs see what they see on Linux."""

import difflib

import pytest

from quire import Result, boot, on_host

QUIET = ["--append", "loglevel=3"]


def both(program: str, *words: str) -> None:
    here, there = on_host(program, *words), boot(program, *words, options=QUIET)
    assert there.out == here.out, "\n".join(difflib.unified_diff(here.lines(), there.lines()))
    assert here.out and there.status == here.status == 0, there


def test_groups_and_sessions() -> None:
    both("groups")


def test_signals() -> None:
    both("signals")


def test_timers() -> None:
    both("timers")


def test_costs_and_leaks() -> None:
    result = boot("sigcost", options=["--icount"])
    assert result.status == 0, result
    assert result.values()["handler"] <= 4300 and result.values()["own signal"] <= 3000, result
    assert not [line for line in result.lines() if line.startswith("lost")], result
