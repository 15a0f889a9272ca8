"""Tests that run in Quire: a program as the first process, under --icount."""

import re
import secrets
import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from grading import sandbox
from grading.lab import TREE, Test
from grading.outcome import FLOODED, Outcome, drain, shorten
from grading.sandbox import BASE, KERNEL, BuildError, Sandbox, Unavailable

PLACE = b"THE-SECRET-WORD-OF-THIS-RUN-COMES-HERE"
BOOT_LIMIT = 200  # million instructions from power-on to the program, for each processor
SECONDS = 1800  # a machine that takes longer for a test's instructions has come to a halt
TIMED_OUT, PANICKED, UNAVAILABLE = 124, 125, 126


def put_word(program: Path, target: Path) -> str:
    """A copy of the program that knows the word of this run, and the word."""
    word = secrets.token_hex(len(PLACE))[:len(PLACE)]
    data = program.read_bytes()
    if data.count(PLACE) != 1:
        raise RuntimeError(f"{program} has {data.count(PLACE)} places for the word")
    target.write_bytes(data.replace(PLACE, word.encode()))
    target.chmod(0o755)
    return word


def run_words(test: Test, kernel: Path, program: Path, seed: int | None) -> list[str]:
    limit = BOOT_LIMIT * test.smp + test.limit
    words = [str(TREE / "scripts/run"), "--display", "none", "--icount", "--smp", str(test.smp),
             "--mem", test.mem, "--limit", str(limit), "--timeout", str(SECONDS), "--kernel",
             str(kernel), "--initrd", str(BASE / "build/initrd.cpio")]
    if test.append:
        words += ["--append", test.append]
    if seed is not None:
        words += ["--jitter", str(seed)]
    return words + ["--add", f"{program}:/bin/{test.id}", "--", f"/bin/{test.id}",
                    *map(str, test.args)]


def execute(words: list[str]) -> tuple[int, str, str]:
    """Its status, stdout and stderr."""
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    floods: list[str] = []

    def on_flood() -> None:
        floods.append(FLOODED)
        process.terminate()

    with ThreadPoolExecutor(2) as pool:
        streams = (process.stdout, process.stderr)
        out, err = pool.map(lambda stream: drain(stream, on_flood), streams)
    status = process.wait()
    return (TIMED_OUT if floods else status, out.decode(errors="replace"),
            "".join(floods) or err.decode(errors="replace"))


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def why_no_word(test: Test, status: int, out: str, err: str) -> str:
    """Why a program has not come to its end."""
    if status == PANICKED and "without a report" in err:
        return "the machine went down without a word (a triple fault?)"
    if status == PANICKED:
        report = err.partition("follows\n")[2]
        first = next((line for line in report.splitlines() if line.strip()), last_line(out))
        return f"the kernel panicked: {first.removeprefix('panic: ')}"
    if status == TIMED_OUT and err == FLOODED:
        return err
    if status == TIMED_OUT:
        return f"no end within {test.limit} million instructions: it hangs"
    said = f"; its last words: {last_line(out)}" if last_line(out) else ""
    if status > 128:
        return f"the program was killed by signal {status - 128}{said}"
    return (f"the machine stopped with status {status}, but the program has not come to its end: "
            f"what else was printed does not count{said}")


def judge(test: Test, word: str, status: int, out: str, err: str) -> tuple[str, str]:
    """Why it failed, or "", and the program's output."""
    match = re.search(rf"\n?^{word} (\d+) (\d+)\n?", out, re.M)
    text = out.replace(match[0], "", 1) if match else out
    if not match or status in (TIMED_OUT, PANICKED):
        return why_no_word(test, status, text, err), text
    own, spent = int(match[1]), int(match[2])
    if own != 0:
        return last_line(text) or f"exit status {own}", text
    if spent > test.limit * 1000000:
        return f"it took more than {test.limit} million instructions", text
    if status != 0:
        return f"the machine stopped with status {status} after the program's end", text
    wanted = (test.output or test.expect).strip()
    if test.kind == "output" and text.strip() != wanted:
        return f"it printed {text.strip()[:400]!r}, not {wanted!r}", text
    return "", text


def run_once(test: Test, kernel: Path, box: Sandbox, seed: int | None) -> tuple[str, str, str]:
    """Why it failed, or ""; its output; the command."""
    name = test.id if seed is None else f"{test.id}-{seed}"
    target = box.folder / name
    word = put_word(sandbox.program(test), target)
    words = run_words(test, kernel, target, seed)
    status, out, err = execute(words)
    if status == UNAVAILABLE and err.startswith("run: "):
        raise Unavailable(err.strip())
    reason, text = judge(test, word, status, out, err)
    report = err.partition("follows\n")[2] if status == PANICKED else ""
    return reason, shorten(text + report), shlex.join(words)


def run(test: Test, box: Sandbox) -> Outcome:
    start = time.monotonic()
    try:
        kernel = box.build(KERNEL)
    except BuildError as error:
        return Outcome(test, False, f"the kernel does not compile: {error}")
    for seed in test.jitter or (None,):
        reason, output, command = run_once(test, kernel, box, seed)
        if reason and seed is not None:
            reason += f" (with --jitter {seed})"
        if reason:
            break
    return Outcome(test, not reason, reason, output, time.monotonic() - start, command)
