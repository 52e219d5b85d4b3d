"""A running `inferd serve`: started on free ports, watched through its log, stopped by SIGTERM."""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("INFERD", str(ROOT / "build" / "inferd"))
if not os.path.isabs(BINARY):
    BINARY = str(Path.cwd() / BINARY)

# Libraries of NVIDIA's driver that cannot be opened.
NO_DRIVER = ROOT / "tests/fakes/none"

# Sanitized and valgrind builds are slow; nothing here should ever take this long otherwise.
PATIENCE_S = 60
SANITIZER_WORDS = ("Sanitizer", "runtime error:", "SUMMARY:")


def wait_until(condition):
    """Asks again and again until it is so."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"


def with_libraries(folder):
    """The environment of a program that looks for libraries in a folder first."""
    before = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": f"{folder}:{before}" if before else str(folder)}


def environment_of(given):
    """That of a program under test, which finds no driver of a GPU where it is not given one."""
    return {**os.environ, **with_libraries(NO_DRIVER), **(given or {})}


def processes_of(session):
    """Those of a session that still run, by /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


class Server:
    """The process, its ports and its log lines."""

    def __init__(self, repository, *flags, wait=True, environment=None):
        ports = ["--http-port=0", "--grpc-port=0", "--metrics-port=0"]
        addresses = ["--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--metrics-address=127.0.0.1"]
        given = {flag.split("=")[0] for flag in flags}
        defaults = [flag for flag in ports + addresses if flag.split("=")[0] not in given]
        command = [BINARY, "serve", f"--model-repository={repository}", *defaults, *flags]
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment_of(environment)
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if wait:
            self.wait_for(r"server (ready in|is not ready after)")
            self.http = self.port("HTTP") if "--allow-http=false" not in flags else None
            self.grpc = self.port("gRPC") if "--allow-grpc=false" not in flags else None
            self.metrics = self.port("metrics") if "--allow-metrics=false" not in flags else None

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append("")  # the end of the log wakes whoever waits for more
            self.changed.notify_all()

    @property
    def log(self):
        with self.changed:
            return "\n".join(self.lines)

    def wait_for(self, pattern):
        """Waits for a log line; returns its match."""
        end = time.monotonic() + PATIENCE_S
        with self.changed:
            while True:
                for line in self.lines:
                    found = re.search(pattern, line)
                    if found:
                        return found
                if not self.reader.is_alive() or not self.changed.wait(end - time.monotonic()):
                    raise AssertionError(f"no log line matches {pattern!r}:\n" + "\n".join(self.lines))

    def port(self, name):
        return int(self.wait_for(rf"\b{name} listening on \S*:(\d+)(?:$|\")").group(1))

    @property
    def http_url(self):
        return f"127.0.0.1:{self.http}"

    @property
    def grpc_url(self):
        return f"127.0.0.1:{self.grpc}"

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self):
        code = self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        return code

    def stop(self, expected=0):
        """SIGTERM, and a clean end: the exit code, and no sanitizer's report in the log."""
        if self.process.poll() is None:
            self.signal()
        code = self.wait()
        assert not any(word in self.log for word in SANITIZER_WORDS), self.log
        assert code == expected, f"exit code {code}, expected {expected}:\n{self.log}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.wait()


def threads_of(server, prefix=""):
    """Threads of the process whose name begins so."""
    folder = f"/proc/{server.process.pid}/task"
    names = []
    for thread in os.listdir(folder):
        try:
            with open(f"{folder}/{thread}/comm") as comm:
                names.append(comm.read())
        except OSError:  # it has ended
            pass
    return sum(name.startswith(prefix) for name in names)


def run(*arguments, timeout=PATIENCE_S, environment=None):
    """Runs inferd to its end; the finished process with its output as text."""
    return subprocess.run(
        [BINARY, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment_of(environment),
    )
