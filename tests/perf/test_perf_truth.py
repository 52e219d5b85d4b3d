"""What `inferd perf` says, held against a server whose latencies are programmed and that keeps its own account.

The delays are long, so that a hundredth of them is more than a busy machine's schedulers take; what they do take on the server's side is
in its account."""

import csv
import os
import random
import re
import subprocess

import numpy as np
import perf_runs
import pytest
from cases import case
from programmed import raise_priority
from serving import BINARY

PERCENTILES = (50, 90, 95, 99)
REQUESTS = 200
PROGRAM_MS = [round(500 * 8 ** (i / (REQUESTS - 1)), 1) for i in range(REQUESTS)]  # 0.5 s to 4 s, evenly in their logarithms
random.Random(6).shuffle(PROGRAM_MS)


def perf(server, protocol, file, *options):
    """Runs inferd perf on model m; the one row of its CSV."""
    command = [BINARY, "perf", "-m", "m", "-u", server.urls[protocol], "-i", protocol, "-f", str(file), *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, preexec_fn=raise_priority)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (row,) = csv.DictReader(file.open())
    row["report"] = ended.stdout
    return row


def percentiles(row):
    """In ms."""
    return [int(row[f"p{p} latency"]) / 1000 for p in PERCENTILES]


def truth(inferences, begin="arrived"):
    """The same from the server's account."""
    latencies = [(inference["answered"] - inference[begin]) / 1e6 for inference in inferences]
    return list(np.percentile(latencies, PERCENTILES, method="inverted_cdf"))


@case("PF01", "HTTP, gRPC", "inferd perf, 200 requests that take from 0.5 to 4 s; at a concurrency, at a rate, Poisson",
      "p50, p90, p95 and p99 are right to 1 %")  # fmt: skip
@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("load", ["concurrency", "rate", "poisson"])
def test_percentiles(program, tmp_path, protocol, load):
    loads = {"concurrency": ["--concurrency-range=30"], "rate": ["--request-rate-range=80"],
             "poisson": ["--request-rate-range=80", "--request-distribution=poisson"]}  # fmt: skip
    for attempt in range(3):  # a machine that stands still between the two accounts is no error of either
        server = program(PROGRAM_MS)
        row = perf(server, protocol, tmp_path / "report.csv", f"--request-count={REQUESTS}", *loads[load])
        inferences = server.stop()
        assert len(inferences) == REQUESTS and f"Request count: {REQUESTS}\n" in row["report"]
        happened = truth(inferences)
        if percentiles(row) == pytest.approx(happened, rel=0.01):
            break
    assert percentiles(row) == pytest.approx(happened, rel=0.01)
    programmed = np.percentile(PROGRAM_MS, PERCENTILES, method="inverted_cdf")
    assert happened == pytest.approx(programmed, rel=0.05), "the server keeps to its program"


RATE, SECONDS, DELAY_MS = 100, 8, 20
STALL = {"stall_after": RATE * SECONDS // 2, "stall_ms": 1000}


def expected_p99_ms():
    """What a client sees that sends on schedule: those that were due in the stall wait for its rest."""
    waits = sorted(max(0, STALL["stall_ms"] - i * 1000 / RATE) for i in range(RATE * SECONDS))
    return DELAY_MS + waits[int(0.99 * len(waits)) - 1]


@case("PF02", "HTTP, gRPC", "inferd perf at 100 requests a second for 8 s, of which the server stands still for one", "p99 is what those had to wait who were due meanwhile")
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_stall_shows(program, tmp_path, protocol):
    server = program([DELAY_MS], **STALL)
    row = perf(server, protocol, tmp_path / "report.csv", f"--request-rate-range={RATE}", f"--request-count={RATE * SECONDS}")
    happened = truth(server.stop())
    assert happened[3] == pytest.approx(expected_p99_ms(), rel=0.2), "the server keeps to its program"
    assert percentiles(row)[3] == pytest.approx(happened[3], rel=0.05)
    assert percentiles(row)[0] < 100  # most have seen nothing of it


def three_seconds(server, protocol, folder):
    """Three windows, which always agree: what takes longer comes behind them."""
    return perf(server, protocol, folder / "report.csv", f"--request-rate-range={RATE}", "-p", "1000", "-s", "9999", "--full-csv")


@case("PF42", "HTTP, gRPC", "inferd perf at a rate, where every tenth inference is never answered",
      "the report tells how many of them were in flight when the measurement was over and stayed so for 10 s")  # fmt: skip
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_lost_answers(program, tmp_path, protocol):
    server = program([1] * 9 + [3600_000])
    row = three_seconds(server, protocol, tmp_path)
    lost = sum(inference["answered"] is None for inference in server.stop())
    assert lost >= 2 * RATE // 10 and int(row["Failed Requests"]) == 0
    assert f"Unanswered: {lost} of those that were in flight when the measurement was over\n" in row["report"]


@case("PF43", "HTTP, gRPC", "inferd perf at a rate, where every tenth inference takes longer than all of the measurement",
      "the report tells how many were answered behind it, and what the slowest took")  # fmt: skip
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_late_answers(program, tmp_path, protocol):
    server = program([1] * 9 + [6000])
    row = three_seconds(server, protocol, tmp_path)
    server.stop()
    answered, slowest_us = re.search(r"Behind the measurement: (\d+) more answered, the slowest after (\d+) usec\n", row["report"]).groups()
    assert int(answered) >= 2 * RATE // 10 and int(slowest_us) >= 6000_000
    assert "Unanswered" not in row["report"]


@case("PF03", "HTTP", "perf_analyzer at the same rate, and the same stall", "its p99 does not show it: four were sent meanwhile, and the others it counts from when they were")
def test_perf_analyzer_hides_it(program, tmp_path):
    server = program([DELAY_MS], **STALL)
    file = tmp_path / "report.csv"
    ended = subprocess.run(
        [perf_runs.FOLDER / "perf_analyzer", "-u", server.urls["http"], "-i", "http", "-m", "m", "-f", str(file),
         f"--request-rate-range={RATE}", f"--request-count={RATE * SECONDS}", "--max-threads=4"],
        env={**os.environ, "LD_LIBRARY_PATH": str(perf_runs.FOLDER / "lib")}, capture_output=True, text=True, timeout=120,
        preexec_fn=raise_priority,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (row,) = csv.DictReader(file.open())
    inferences = server.stop()
    longest = max(inference["answered"] - inference["arrived"] for inference in inferences) / 1e6
    assert longest > STALL["stall_ms"], "the stall has happened"
    assert percentiles(row)[3] < 0.5 * STALL["stall_ms"] < expected_p99_ms()
