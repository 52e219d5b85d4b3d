"""The load: perf_analyzer, wrk and h2load, each as one function that drives a server for some seconds.

They return the latency percentiles as the client saw them, in microseconds. All run pinned to a core of their own; wrk and h2load
send the recorded bodies of bodies.py, since perf_analyzer costs more than the servers do.
"""

import csv
import re
import resource
import subprocess
import time

from servers import MODEL, PEERS

INFER_PATH = f"/v2/models/{MODEL}/infer"
GRPC_PATH = "/inference.GRPCInferenceService/ModelInfer"
PATIENCE_S = 15
UNITS = {"us": 1, "ms": 1e3, "s": 1e6}


class Load:
    """How one run is to be driven."""

    def __init__(self, core, folder, seconds, body, size, concurrency):
        self.core, self.folder, self.seconds = core, folder, seconds
        self.body, self.size, self.concurrency = body, size, concurrency


class Outcome:
    def __init__(self, p50, p99, busy):
        self.p50, self.p99, self.busy = p50, p99, busy


def run(load, command, environment=None):
    """The program's output, and the part of its core that it used."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    try:
        done = subprocess.run(["taskset", "-c", str(load.core), *command], capture_output=True, text=True, env=environment,
                              timeout=PATIENCE_S + load.seconds)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{command[0]} does not end") from None
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - begun
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit {done.returncode}: {(done.stdout + done.stderr).strip()[-200:]}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, used / wall


def perf_analyzer(load, server, protocol, more=()):
    table = load.folder / "perf_analyzer.csv"
    window_ms = max(300, int(load.seconds * 1000 / 3))
    url = server.http if protocol == "http" else server.grpc
    command = [
        str(PEERS / "perf_analyzer"), "-m", MODEL, "-i", protocol, "-u", url, "--shape", f"INPUT0:{load.size // 4}",
        "--concurrency-range", str(load.concurrency), "-p", str(window_ms), "-s", "999", "-r", "3", "-f", str(table), *more,
    ]
    if load.concurrency > 1 and "--streaming" not in more:
        command.append("-a")
    _, busy = run(load, command, {"LD_LIBRARY_PATH": str(PEERS / "lib")})
    with open(table, newline="") as stream:
        row = next(csv.DictReader(stream))
    return Outcome(float(row["p50 latency"]), float(row["p99 latency"]), busy)


def wrk(load, server):
    script = load.folder / "body.lua"
    headers = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in load.body.headers.items())
    script.write_text(
        f'local file = io.open("{load.body.path}", "rb")\nwrk.body = file:read("*a")\nfile:close()\n'
        f'wrk.method = "POST"\n{headers}'
    )
    command = [
        "wrk", "-t", "1", "-c", str(load.concurrency), "-d", f"{load.seconds}s", "--latency", "-s", str(script),
        f"http://{server.http}{INFER_PATH}",
    ]
    text, busy = run(load, command)
    if "Non-2xx" in text:
        raise RuntimeError(f"wrk: {text}")
    found = {p: float(number) * UNITS[unit] for p, number, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", text)}
    return Outcome(found["50"], found["99"], busy)


def h2load(load, server, multiplexed):
    """One connection a client, or all of them as streams of one."""
    log = load.folder / "h2load.log"
    clients = ["-c", "1", "-m", str(load.concurrency)] if multiplexed else ["-c", str(load.concurrency), "-m", "1"]
    headers = [word for name, value in load.body.headers.items() for word in ("-H", f"{name}: {value}")]
    log.unlink(missing_ok=True)
    command = ["h2load", *clients, "-D", str(load.seconds), "-d", str(load.body.path), *headers, "--log-file", str(log),
               f"http://{server.grpc}{GRPC_PATH}"]
    _, busy = run(load, command)
    with open(log) as lines:
        times = sorted(int(line.rsplit("\t", 1)[1]) for line in lines)
    return Outcome(times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)], busy)
