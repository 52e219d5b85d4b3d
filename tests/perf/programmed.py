"""A running programmed_server.py, and its account."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from serving import PATIENCE_S

PROGRAM = Path(__file__).resolve().parent / "programmed_server.py"


def raise_priority():
    """Of a process that measures time, or whose time is measured: others on the machine shall not be in it, where the system lets us."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    except PermissionError:
        pass


class Programmed:
    """The process and its addresses."""

    def __init__(self, log, delays_ms, **options):
        flags = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        command = [sys.executable, PROGRAM, "--log", log, "--delays-ms", ",".join(map(str, delays_ms)), *flags]
        self.log = log
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=raise_priority)
        _, http, _, grpc = self.process.stdout.readline().split()
        self.urls = {"http": f"127.0.0.1:{http}", "grpc": f"127.0.0.1:{grpc}"}

    def stop(self):
        """Ends it; what it has seen, in order of arrival."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
