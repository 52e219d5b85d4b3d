"""bench/generator: requests a second for each second of CPU that the load generator uses: `inferd perf` and perf_analyzer.

Both drive the same inferd with an identity model. Each round runs every case with one and then the other; the order alternates. The
requests are those that the server has counted, the CPU is user and system time of the generator's process, start and end included.
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from main import machine
from servers import MODEL, PEERS, ROOT, Inferd

CASES = [(protocol, concurrency, elements) for protocol in ("http", "grpc") for concurrency in (1, 16, 64)
         for elements in (16,)] + [("http", 4, 65536), ("grpc", 4, 65536)]


def command(generator, server, protocol, concurrency, elements, seconds):
    url = server.http if protocol == "http" else server.grpc
    window_ms = str(max(300, int(seconds * 1000 / 3)))
    shared = ["-m", MODEL, "-i", protocol, "-u", url, "--shape", f"INPUT0:{elements}", "--concurrency-range", str(concurrency),
              "-p", window_ms, "-s", "99999", "-r", "3"]
    if generator == "inferd perf":
        return [str(ROOT / "build/inferd"), "perf", *shared], None
    return [str(PEERS / "perf_analyzer"), *shared, *(["-a"] if concurrency > 1 else [])], {"LD_LIBRARY_PATH": str(PEERS / "lib")}


def measure(generator, server, core, case, seconds):
    """Requests that the server counted for each second of the generator's CPU."""
    words, environment = command(generator, server, *case, seconds)
    counted, before = sum(server.counts()), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["taskset", "-c", str(core), *words], capture_output=True, text=True, env=environment, timeout=60 + 5 * seconds)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"bench: {generator}: exit {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (sum(server.counts()) - counted) / cpu


def parse_options():
    parser = argparse.ArgumentParser(prog="bench/generator", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each run")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    return parser.parse_args()


def main():
    options = parse_options()
    folder = Path(tempfile.mkdtemp(prefix="inferd-bench-"))
    repository = folder / "models"
    (repository / MODEL / "1").mkdir(parents=True)
    shutil.copy(ROOT / "bench/peers/triton_identity/config.pbtxt", repository / MODEL / "config.pbtxt")
    server = None
    try:
        server = Inferd(repository, options.server_core, folder)
        generators = ["inferd perf", "perf_analyzer"]
        found = {case: {name: [] for name in generators} for case in CASES}
        for number in range(options.rounds):
            for case in CASES:
                for name in generators if number % 2 == 0 else generators[::-1]:
                    found[case][name].append(measure(name, server, options.load_core, case, options.seconds))
        print(f"{machine()}; {options.rounds} rounds\nrequests for each second of the generator's CPU (median)")
        print(f"{'case':36} {'inferd perf':>12} {'perf_analyzer':>14} {'ratio':>7}  (rounds)")
        for (protocol, concurrency, elements), runs in found.items():
            ours, theirs = runs["inferd perf"], runs["perf_analyzer"]
            ratios = sorted(a / b for a, b in zip(ours, theirs))
            name = f"{protocol}, {concurrency} in flight, {4 * elements} B"
            print(f"{name:36} {statistics.median(ours):12.0f} {statistics.median(theirs):14.0f} {statistics.median(ratios):7.1f}"
                  f"  ({ratios[0]:.1f}-{ratios[-1]:.1f})", flush=True)
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
