"""A machine with a keyboard to press and a screen to look at."""

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Iterable

from quire import PROGRAMS, RUN, Picture, processors, read_png


class Keyboard:
    """QEMU with a second monitor, through which keys are pressed and the screen is looked at."""

    def __init__(self, tmp_path: Path, *command: str, options: Iterable[str] = ()) -> None:
        self.path = tmp_path
        path = str(tmp_path / "monitor")
        real = shutil.which("qemu-system-x86_64")
        qemu = tmp_path / "qemu-system-x86_64"
        qemu.write_text(f'#!/bin/sh\nexec {real} "$@" -qmp unix:{path},server=on,wait=off\n')
        qemu.chmod(0o755)
        words = [RUN, "--display", "none", "--timeout", "100", *processors(options), *options,
                 "--add", PROGRAMS / command[0], "--", f"/bin/{command[0]}", *command[1:]]
        self.input, write = os.pipe()
        self.never = os.fdopen(write, "wb")
        self.run = subprocess.Popen(words, stdin=self.input, stdout=subprocess.PIPE,
                                    env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
        self.expect("ready\n")
        self.monitor = socket.socket(socket.AF_UNIX)
        self.monitor.connect(path)
        self.answers = self.monitor.makefile("r")
        self.answers.readline()
        self.command("qmp_capabilities")

    def expect(self, end: str) -> str:
        assert self.run.stdout
        text = b""
        while not text.endswith(end.encode()):
            byte = self.run.stdout.read(1)
            assert byte, text
            text += byte
        return text.decode()

    def command(self, name: str, **arguments: object) -> None:
        message = {"execute": name, "arguments": arguments}
        try:
            self.monitor.sendall(json.dumps(message).encode() + b"\n")
            while line := self.answers.readline():
                answer = json.loads(line)
                assert "error" not in answer, answer
                if "return" in answer:
                    return
        except ConnectionError:
            pass  # the last key has ended the program, and the machine with it

    def press(self, *keys: str) -> None:
        codes = [{"type": "qcode", "data": key} for key in keys]
        self.command("send-key", keys=codes, **{"hold-time": 20})
        time.sleep(0.12)

    def screen(self) -> Picture:
        """What is to be seen now."""
        self.command("screendump", filename=str(self.path / "screen.png"), format="png")
        return read_png(self.path / "screen.png")

    def end(self) -> None:
        self.run.kill()
        self.run.wait()
        self.never.close()
        os.close(self.input)
