"""Tests that run on this machine: a lab's host.c and the submission's kernel/vm, under sanitizers,
against the fakes of tests/host. The submission is native code here: grading.confine."""

import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from grading import confine
from grading.lab import Lab, Test
from grading.outcome import FLOOD, FLOODED, Outcome, drain, shorten
from grading.sandbox import BuildError, Sandbox, host_target

SECONDS = 1800  # of the clock on the wall; the limit that counts is in steps
WORD_BYTES = 16
ASAN = "hard_rss_limit_mb=1024:symbolize=1:abort_on_error=0:handle_abort=0"
NOISE = re.compile(r"^(\[ +(RUN|OK|FAILED|PASSED|ERROR) +\]|\[=+\]| *\d+ FAILED TEST).*\n?", re.M)


def environment(test: Test, fd: int) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "ASAN_OPTIONS": ASAN,
            "HOST_TEST_SECONDS": str(SECONDS), "HOST_TEST_STEPS": str(test.limit * 1000000),
            "HOST_TEST_FD": str(fd)}


def execute(words: list[str], test: Test, cwd: Path) -> tuple[bool, str]:
    """Has it sent the secret word back, and what it printed. The word goes to the program over a
    socket of which the submission's part of it knows nothing."""
    ours, theirs = socket.socketpair()
    word = secrets.token_bytes(WORD_BYTES)
    with ours:
        with theirs:
            process = subprocess.Popen(words, cwd=cwd, env=environment(test, theirs.fileno()),
                                       pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       start_new_session=True)
        ours.sendall(word)

        def end() -> None:
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(SECONDS, end)
        timer.start()
        out = drain(process.stdout, end)
        process.wait()
        timer.cancel()
        ours.setblocking(False)
        try:
            answer = ours.recv(64)
        except OSError:
            answer = b""
    text = out.decode(errors="replace")
    return answer == word, text if len(out) < FLOOD else f"{FLOODED}\n{text}"


def reason_of(text: str) -> str:
    """The line that says it best."""
    sanitizer = re.search(r"^.*(?:ERROR: AddressSanitizer: |runtime error: ).*$", text, re.M)
    where = re.search(r"^SUMMARY: .*$", text, re.M)
    if sanitizer:
        return sanitizer[0].strip() + (f"\n{where[0]}" if where else "")
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0].strip() if lines else "it ended without a word, before the test's end"


def tidy(text: str, box: Sandbox) -> str:
    """Without what differs from run to run, and without cmocka's frame."""
    text = re.sub(r"==\d+==", "", text).replace(f"{box.tree}/", "").replace("../../", "")
    text = re.sub(r"\btest_lab\d+_[0-9a-f]{8}(\w*)\.c", r"host\1.c", text)
    return NOISE.sub("", text)


def run(test: Test, lab: Lab, box: Sandbox) -> Outcome:
    start = time.monotonic()
    try:
        program = box.build(host_target(lab, test))
    except BuildError as error:
        return Outcome(test, False, f"the host tests do not compile: {error}")
    words = box.user.command([str(program), test.id], confine.NATIVE, alone=True)
    passed, out = execute(words, test, box.scratch)
    text = tidy(out, box)
    return Outcome(test, passed, "" if passed else reason_of(text), shorten(text),
                   time.monotonic() - start,
                   f"ASAN_OPTIONS={ASAN} " + shlex.join([str(program), test.id]))
