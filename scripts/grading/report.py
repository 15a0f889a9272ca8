"""The results in words for the student, as Gradescope's results.json, and as JUnit's XML."""

import json
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from grading.lab import Lab
from grading.outcome import Outcome

REASON_LINES = 12
# What XML 1.0 cannot hold.
NOT_XML = dict.fromkeys(set(range(32)) - {9, 10, 13} | {127, 0xfffe, 0xffff})


@dataclass
class Results:
    lab: Lab
    name: str  # of the submission
    outcomes: list[Outcome]
    notes: list[str] = field(default_factory=list)
    refused: str = ""  # why nothing was run
    seconds: float = 0.0

    @property
    def score(self) -> float:
        return sum(outcome.score for outcome in self.outcomes)


def printable(text: str) -> str:
    return text.translate(NOT_XML)


def clipped(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(lines[:REASON_LINES] + (["…"] if len(lines) > REASON_LINES else []))


def advice(results: Results, outcome: Outcome) -> str:
    if not outcome.test.is_given:
        return "this test is not given out; write one of your own that finds it"
    return f"scripts/grade {results.lab.number} . --only {outcome.test.id}"


def explain(results: Results, outcome: Outcome, told: str = "") -> str:
    """What was expected, what happened, how to see it. told: what the reader has just read."""
    reason = "the same as above" if outcome.reason == told else clipped(outcome.reason)
    parts = [("expected", outcome.test.expect), ("happened", reason),
             ("to see it", advice(results, outcome))]
    return "\n".join(f"{name + ':':<11}" + textwrap.indent(text, " " * 11).lstrip()
                     for name, text in parts)


def text(results: Results, with_output: bool = False) -> str:
    lines = [f"Lab {results.lab.number}, {results.lab.title}: "
             f"{results.score:g} of {results.lab.points:g} points"]
    lines += [f"  note: {note}" for note in results.notes]
    if results.refused:
        lines.append(f"  nothing could be tested: {results.refused}")
    told = ""
    for outcome in results.outcomes:
        word = "ok" if outcome.passed else "FAILED"
        lines.append(f"  {word:<6} {outcome.score:g}/{outcome.test.points:g}  {outcome.test.id}: "
                     f"{outcome.test.title}")
        if not outcome.passed and not results.refused:
            lines.append(textwrap.indent(explain(results, outcome, told), " " * 9))
            told = outcome.reason
        if with_output:
            lines += [f"         what ran: {outcome.command}",
                      textwrap.indent(outcome.output.rstrip(), " " * 9 + "| ", lambda _: True)]
    return printable("\n".join(lines)) + "\n"


def as_gradescope(results: Results) -> dict:
    tests = [{
        "score": outcome.score,
        "max_score": outcome.test.points,
        "status": "passed" if outcome.passed else "failed",
        "name": outcome.test.title,
        "number": outcome.test.id,
        "output": "" if outcome.passed else printable(
            results.refused or explain(results, outcome)),
        "output_format": "text",
        "visibility": outcome.test.visibility,
        "extra_data": {"time": round(outcome.seconds, 3)},
    } for outcome in results.outcomes]
    words = [f"nothing could be tested: {results.refused}"] if results.refused else []
    return {"score": results.score, "execution_time": max(1, round(results.seconds)),
            "output": printable("\n".join(words + results.notes)), "output_format": "text",
            "stdout_visibility": "hidden", "tests": tests}


def as_junit(results: Results) -> ElementTree.Element:
    failures = sum(not outcome.passed for outcome in results.outcomes)
    suite = ElementTree.Element("testsuite", name=f"lab {results.lab.number}: {results.lab.title}",
                                tests=str(len(results.outcomes)), failures=str(failures),
                                errors="0", skipped="0", time=f"{results.seconds:.3f}")
    for outcome in results.outcomes:
        case = ElementTree.SubElement(suite, "testcase", classname=results.lab.name,
                                      name=outcome.test.id, time=f"{outcome.seconds:.3f}")
        if not outcome.passed:
            why = results.refused or outcome.reason
            failure = ElementTree.SubElement(case, "failure", message=printable(why[:400]))
            failure.text = printable(results.refused or explain(results, outcome))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    return root


def write(results: Results, json_file: Path | None, junit_file: Path | None) -> None:
    if json_file:
        data = json.dumps(as_gradescope(results), indent=1, ensure_ascii=False)
        json_file.write_text(data + "\n")
    if junit_file:
        tree = ElementTree.ElementTree(as_junit(results))
        tree.write(junit_file, encoding="utf-8", xml_declaration=True)
