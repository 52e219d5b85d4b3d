"""bench/generator: requests a second for each second of CPU that the load generator uses: `inferd perf` and perf_analyzer.

Both drive the same inferd with an identity model. Each round runs every case with one and then the other; the order alternates. The
requests are those that the server has counted, the CPU is user and system time of the generator's process, start and end included.
Over HTTP the floor is measured too: bench/load/floor_client.c, which sends the same bytes and does nothing with the answers.
"""

import argparse
import json
import resource
import shutil
import socket
import statistics
import subprocess
import tempfile
from pathlib import Path

from main import machine
from servers import MODEL, PEERS, ROOT, Inferd

CASES = [(protocol, concurrency, elements) for protocol in ("http", "grpc") for concurrency in (1, 16, 64)
         for elements in (16,)] + [("http", 4, 65536), ("grpc", 4, 65536)]


GENERATORS = ["inferd perf", "perf_analyzer", "floor"]


def name_of(case):
    protocol, concurrency, elements = case
    size = f"{4 * elements} B" if elements < 256 else f"{4 * elements // 1024} KiB"
    return f"{protocol}, {concurrency} in flight, {size}"


def request_of(elements):
    """What `inferd perf` sends over HTTP, but for the values."""
    size = 4 * elements
    text = json.dumps({"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [1, elements], "parameters": {"binary_data_size": size}}],
                       "parameters": {"binary_data_output": True}}, separators=(",", ":"))
    head = (f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nHost: localhost:8000\r\nUser-Agent: inferd-http\r\nAccept-Encoding: identity\r\n"
            f"Content-Type: application/octet-stream\r\nInference-Header-Content-Length: {len(text)}\r\nContent-Length: {len(text) + size}\r\n\r\n")
    return (head + text).encode() + bytes(size)


def answer_bytes(server, request):
    """How long the answer is, with its head."""
    host, port = server.http.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += peer.recv(65536)
        head = answer[: answer.index(b"\r\n\r\n") + 4]
        (length,) = (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    return len(head) + length


def floor_command(server, folder, concurrency, elements, seconds):
    file, request = folder / "request", request_of(elements)
    file.write_bytes(request)
    port = server.http.rsplit(":", 1)[1]
    return [str(PEERS / "floor_client"), port, str(file), str(answer_bytes(server, request)), str(concurrency), str(seconds)], None


def command(generator, server, folder, protocol, concurrency, elements, seconds):
    if generator == "floor":
        return floor_command(server, folder, concurrency, elements, seconds)
    url = server.http if protocol == "http" else server.grpc
    window_ms = str(max(300, int(seconds * 1000 / 3)))
    shared = ["-m", MODEL, "-i", protocol, "-u", url, "--shape", f"INPUT0:{elements}", "--concurrency-range", str(concurrency),
              "-p", window_ms, "-s", "99999", "-r", "3"]
    if generator == "inferd perf":
        return [str(ROOT / "build/inferd"), "perf", *shared], None
    return [str(PEERS / "perf_analyzer"), *shared, *(["-a"] if concurrency > 1 else [])], {"LD_LIBRARY_PATH": str(PEERS / "lib")}


def measure(generator, server, folder, core, case, seconds):
    """Requests that the server counted for each second of the generator's CPU; None: the generator did not end."""
    words, environment = command(generator, server, folder, *case, seconds)
    counted, before = sum(server.counts()), resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(["taskset", "-c", str(core), *words], capture_output=True, text=True, env=environment, timeout=5 * seconds + 15)
    except subprocess.TimeoutExpired:
        return None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"bench: {generator}: exit {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (sum(server.counts()) - counted) / cpu


def line_of(case, runs):
    """Medians of the runs that ended, and of the ratios of the rounds in which both did."""
    speeds = {name: [speed for speed in found if speed is not None] for name, found in runs.items()}
    medians = [f"{statistics.median(speeds[name]):.0f}" if speeds[name] else "-" for name in ("floor", "inferd perf", "perf_analyzer")]
    ratios = sorted(a / b for a, b in zip(runs["inferd perf"], runs["perf_analyzer"]) if a and b)
    words = f"{statistics.median(ratios):7.1f}  ({ratios[0]:.1f}-{ratios[-1]:.1f})" if ratios else f"{'-':>7}"
    unended = [f"{name}: {found.count(None)} of {len(found)} runs did not end" for name, found in runs.items() if None in found]
    return f"{name_of(case):28} {medians[0]:>8} {medians[1]:>12} {medians[2]:>14} {words}  {'; '.join(unended)}".rstrip()


def parse_options():
    parser = argparse.ArgumentParser(prog="bench/generator", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name holds this: http, 256 KiB")
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
        cases = [case for case in CASES if options.only in name_of(case)]
        found = {case: {name: [] for name in GENERATORS} for case in cases}
        for number in range(options.rounds):
            for case in cases:
                for name in GENERATORS if number % 2 == 0 else GENERATORS[::-1]:
                    if name != "floor" or case[0] == "http":
                        found[case][name].append(measure(name, server, folder, options.load_core, case, options.seconds))
        print(f"{machine()}; {options.rounds} rounds\nrequests for each second of the generator's CPU (median)")
        print(f"{'case':28} {'floor':>8} {'inferd perf':>12} {'perf_analyzer':>14} {'ratio':>7}  (rounds)")
        for case, runs in found.items():
            print(line_of(case, runs), flush=True)
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
