"""One submission of one lab: from a folder to results."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from grading import boot, host, submission
from grading.lab import Lab, Test
from grading.outcome import Outcome
from grading.report import Results
from grading.sandbox import Sandbox


def run_test(test: Test, lab: Lab, box: Sandbox) -> Outcome:
    return host.run(test, lab, box) if test.kind == "host" else boot.run(test, box)


def refuse(lab: Lab, name: str, why: str) -> Results:
    return Results(lab, name, [Outcome(test, False, why) for test in lab.tests], refused=why)


def grade(lab: Lab, folder: Path, name: str, jobs: int, keep: bool = False) -> Results:
    """keep: leave the sandbox in build/grade/kept."""
    start = time.monotonic()
    try:
        taken = submission.collect(folder, lab)
    except submission.Refused as why:
        return refuse(lab, name, str(why))
    box = Sandbox(lab, taken.files)
    try:
        with ThreadPoolExecutor(jobs) as pool:
            outcomes = list(pool.map(lambda test: run_test(test, lab, box), lab.tests))
        if keep:
            kept = box.keep()
            for outcome in outcomes:
                outcome.command = outcome.command.replace(str(box.folder), str(kept))
    finally:
        box.close()
    return Results(lab, name, outcomes, taken.notes, seconds=time.monotonic() - start)
