"""bench/serving: requests per second, server CPU per request and latency of inferd and Triton, on an identity model.

Each round drives every case against one server and then the other; the order alternates. The figure of a case is the median over
the rounds, and its ratio the median of the ratios of the rounds. Where wrk or h2load drives, the floor is measured as well: the CPU
time and the latency of a program that takes the same bytes and gives as many back. Of inferd's own time, the part in the kernel is told.
"""

import argparse
import contextlib
import json
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import bodies
import generators
from servers import MODEL, ROOT, Floor, Inferd, Triton

KIB, MIB = 1 << 10, 1 << 20
SMALL, LARGE = 64, MIB
# Of an answer, about, beside the tensor: header fields and JSON over HTTP; over gRPC the rest of the message.
ANSWER_HEAD_BYTES = {"wrk": 250, "h2load": 50}

# name, body that is sent (None: the generator makes its own), how it is driven
WAYS = {
    "HTTP binary, perf_analyzer": (None, lambda load, server: generators.perf_analyzer(load, server, "http")),
    "HTTP binary, wrk": (bodies.http_binary, generators.wrk),
    "HTTP JSON, wrk": (bodies.http_json, generators.wrk),
    "gRPC unary, perf_analyzer": (None, lambda load, server: generators.perf_analyzer(load, server, "grpc")),
    "gRPC unary, h2load": (bodies.grpc, lambda load, server: generators.h2load(load, server, False)),
    "gRPC unary, h2load, 1 connection": (bodies.grpc, lambda load, server: generators.h2load(load, server, True)),
    "gRPC stream, perf_analyzer": (
        None, lambda load, server: generators.perf_analyzer(load, server, "grpc", ["--streaming", "-a"])),
    "shared memory HTTP, wrk": (bodies.http_shared, generators.wrk),
    "shared memory gRPC, h2load": (bodies.grpc_shared, lambda load, server: generators.h2load(load, server, False)),
    "shared memory HTTP, perf_analyzer": (
        None, lambda load, server: generators.perf_analyzer(load, server, "http", shared(load))),
    "shared memory gRPC, perf_analyzer": (
        None, lambda load, server: generators.perf_analyzer(load, server, "grpc", shared(load))),
}
# way -> sizes -> concurrencies
SMALL_CONCURRENCIES, LARGE_CONCURRENCIES = (1, 4, 16, 64), (4,)


def shared(load):
    return ["--shared-memory", "system", "--output-shared-memory-size", str(load.size)]


def plan(options):
    for size, concurrencies in ((SMALL, SMALL_CONCURRENCIES), (LARGE, LARGE_CONCURRENCIES)):
        for way in WAYS:
            if size == LARGE and "JSON" in way:
                continue
            for concurrency in concurrencies:
                clients = f"{concurrency} client{'s' if concurrency > 1 else ''}"
                name = f"{'64 B' if size == SMALL else '1 MiB'}, {way}, {clients}"
                if all(word in name for word in options.only):
                    yield name, way, size, concurrency


def measure(options, folder, server, way, size, concurrency):
    """One run. None when the generator fails, as where the server does not offer what the case needs."""
    make_body, drive = WAYS[way]
    recorded_regions = make_body in (bodies.http_shared, bodies.grpc_shared)
    body = make_body(folder, size) if make_body else None
    load = generators.Load(options.load_core, folder, options.seconds, body, size, concurrency)
    if server.has_died():  # behind the case before
        server.start()
    (good, bad), before, begun = server.counts(), server.user_and_system_seconds(), time.monotonic()
    try:
        with server.shared_memory(size) if recorded_regions else contextlib.nullcontext():
            outcome = drive(load, server)
        wall, after = time.monotonic() - begun, server.user_and_system_seconds()
        good, bad = server.counts()[0] - good, server.counts()[1] - bad
    except (RuntimeError, OSError) as error:
        if options.verbose:
            print(f"    {server.name}: {way}: {error}")
        if server.has_died():  # Triton 2.51 does, now and then, when a stream is given up
            print(f"    {server.name} died: {way}; it is started again")
            server.start()
        return None
    if bad > concurrency or not good:  # a generator that stops leaves what is under way
        raise SystemExit(f"bench: {server.name}: {way}: {bad} requests failed, {good} succeeded")
    system = after[1] - before[1]
    cpu = after[0] - before[0] + system
    return {"requests": good, "cpu_us": cpu / good * 1e6, "system_us": system / good * 1e6, "per_second": good / wall,
            "p50": outcome.p50, "p99": outcome.p99, "server_busy": cpu / wall, "load_busy": outcome.busy}


def measure_floor(options, folder, way, size, concurrency):
    """The same run against the floor; None where it does not understand the generator."""
    heads = [head for generator, head in ANSWER_HEAD_BYTES.items() if generator in way]
    if not heads or ("1 connection" in way and concurrency > 1):
        return None
    floor = Floor(options.server_core, folder, heads[0] + (0 if "shared memory" in way else size))
    try:
        return measure(options, folder, floor, way, size, concurrency)
    finally:
        floor.stop()


def idle(server, seconds):
    """CPU milliseconds a second of a server that has nothing to do, with what the load has left behind."""
    before = server.cpu_seconds()
    time.sleep(seconds)
    return (server.cpu_seconds() - before) * 1e3 / seconds


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def who_saturates(rows):
    server, load = median(rows, "server_busy"), median(rows, "load_busy")
    return "server" if server > 0.9 and server >= load else "load" if load > 0.9 else "neither"


FIGURES = ("per_second", "cpu_us", "system_us", "p50", "p99", "server_busy", "load_busy")


def summarise(name, rounds):
    """One row of the table, from the runs of both servers, and of the floor, in each round."""
    full = [run for run in rounds if run["inferd"] and run["Triton"]]
    if not full:
        return None
    ratios = sorted(run["Triton"]["cpu_us"] / run["inferd"]["cpu_us"] for run in full)
    row = {"case": name, "cpu_ratio": statistics.median(ratios), "cpu_ratio_spread": [ratios[0], ratios[-1]]}
    for server in ("inferd", "Triton"):
        runs = [run[server] for run in full]
        row[server] = {key: median(runs, key) for key in FIGURES}
        row[server]["saturated"] = who_saturates(runs)
    beside_floor = [run for run in full if run["floor"]]
    if beside_floor:
        row["floor"] = {key: median([run["floor"] for run in beside_floor], key) for key in FIGURES}
        row["added_p99"] = statistics.median(run["inferd"]["p99"] - run["floor"]["p99"] for run in beside_floor)
    return row


def show_head():
    print(f"{'case':58} {'server CPU us a request':>47} {'requests/s':>17} {'p50 us':>13} {'p99 us':>20}  saturated")
    print(f"{'':58} {'floor':>6} {'inferd':>7} {'(kernel)':>8} {'Triton':>7} {'ratio':>15} {'inferd':>8} {'Triton':>8}"
          f" {'inferd':>6} {'Triton':>6} {'floor':>6} {'inferd':>6} {'Triton':>6}")


def show(row):
    ours, peer, spread = row["inferd"], row["Triton"], row["cpu_ratio_spread"]
    floor_cpu, floor_p99 = (f"{row['floor']['cpu_us']:6.1f}", f"{row['floor']['p99']:6.0f}") if "floor" in row else ("     -", "     -")
    print(f"{row['case']:58} {floor_cpu} {ours['cpu_us']:7.1f} {ours['system_us']:8.1f} {peer['cpu_us']:7.1f}"
          f" {row['cpu_ratio']:5.2f} ({spread[0]:.2f}-{spread[1]:.2f}) {ours['per_second']:8.0f} {peer['per_second']:8.0f}"
          f" {ours['p50']:6.0f} {peer['p50']:6.0f} {floor_p99} {ours['p99']:6.0f} {peer['p99']:6.0f}"
          f"  {ours['saturated']}/{peer['saturated']}", flush=True)


def parse_options():
    parser = argparse.ArgumentParser(prog="bench/serving", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each run")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT",
                        help="cases with this in their name (all of them)")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--inferd", type=Path, default=ROOT / "build" / "inferd", metavar="PROGRAM",
                        help="the inferd that is measured (build/inferd); a relative path is one of the project's folder")
    parser.add_argument("--json", metavar="FILE", help="write the results there too")
    parser.add_argument("--verbose", action="store_true", help="tell why a case could not be run")
    options = parser.parse_args()
    if not options.inferd.is_file():
        parser.error(f"--inferd: {options.inferd} is not there")
    return options


def machine():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()}, Linux {platform.release()}"
    return platform.machine()


def main():
    options = parse_options()
    folder = Path(tempfile.mkdtemp(prefix="inferd-bench-"))
    repository = folder / "models"
    (repository / MODEL / "1").mkdir(parents=True)
    shutil.copy(ROOT / "bench/peers/triton_identity/config.pbtxt", repository / MODEL / "config.pbtxt")
    servers = []
    try:
        servers = [Inferd(repository, options.server_core, folder, options.inferd.resolve()),
                   Triton(repository, options.server_core, folder)]
        cases = list(plan(options))
        runs = {case[0]: [] for case in cases}
        print(f"server on core {options.server_core}, load on core {options.load_core}: {machine()}")
        for number in range(options.rounds):
            for case in cases:
                order = servers if number % 2 == 0 else servers[::-1]
                results = {server.name: measure(options, folder, server, *case[1:]) for server in order}
                results["floor"] = measure_floor(options, folder, *case[1:])
                runs[case[0]].append(results)
        show_head()
        rows = [row for row in (summarise(name, rounds) for name, rounds in runs.items()) if row]
        for row in rows:
            show(row)
        resting = {server.name: idle(server, 5) for server in servers}
        print("idle, CPU ms a second: " + ", ".join(f"{name} {ms:.1f}" for name, ms in resting.items()))
        if options.json:
            Path(options.json).write_text(json.dumps({"machine": machine(), "cases": rows, "idle_ms": resting}, indent=1) + "\n")
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
