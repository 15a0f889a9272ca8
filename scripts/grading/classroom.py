"""A class: each folder of a folder is a submission; many are graded at once."""

import csv
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Iterable

from grading import grader, report
from grading.lab import BadLab, Lab
from grading.report import Results


def grade_one(lab: Lab, folder: Path, out: Path) -> Results:
    """Nothing that one submission does may keep the others from their points."""
    try:
        results = grader.grade(lab, folder, folder.name, jobs=1)
    except (OSError, RuntimeError) as error:
        results = grader.refuse(lab, folder.name, f"the grader failed: {error}")
    report.write(results, out / f"{folder.name}.json", None)
    (out / f"{folder.name}.txt").write_text(report.text(results))
    return results


def progress(done: int, total: int, results: Results, seconds: float) -> None:
    left = seconds / done * (total - done)
    print(f"[{done}/{total}] {results.name}: {results.score:g} of {results.lab.points:g}"
          f"{'; ' + results.refused if results.refused else ''} ({left:.0f} s left)", flush=True)


def write_csv(target: Path, lab: Lab, all_results: Iterable[Results]) -> None:
    with open(target, "w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(["name", "points", *(test.id for test in lab.tests), "remark"])
        for one in all_results:
            table.writerow([one.name, f"{one.score:g}", *(f"{o.score:g}" for o in one.outcomes),
                            one.refused or "; ".join(one.notes)])


def grade_all(lab: Lab, folder: Path, out: Path, jobs: int) -> int:
    if not folder.is_dir():
        raise BadLab(f"{folder} is not a folder")
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    if not folders:
        raise BadLab(f"{folder} has no folders: one for each submission")
    out.mkdir(parents=True, exist_ok=True)
    start, all_results = time.monotonic(), {}
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(grade_one, lab, path, out) for path in folders]
        for future in as_completed(futures):
            results = future.result()
            all_results[results.name] = results
            progress(len(all_results), len(folders), results, time.monotonic() - start)
    write_csv(out / "class.csv", lab, [all_results[path.name] for path in folders])
    print(f"{len(folders)} submissions in {time.monotonic() - start:.0f} s: {out}/class.csv",
          file=sys.stderr)
    return 0
