"""Running NVIDIA's perf_analyzer 2.51, and what its report must look like."""

import csv
import os
import subprocess

import serving
from wire import get

FOLDER = serving.ROOT / ".venv" / "perf_analyzer"
# Short windows, longer ones only where nothing ended within, and a loose idea of stability: what is checked is that it gets through,
# never a time.
WINDOWS = [["-p", "100"], ["-p", "1000"], ["-p", "10000"]]
TOO_SHORT = "Please use a larger time window"
UNSTABLE = "Failed to obtain stable measurement"  # on a busy machine: nothing ended within some of the windows
LOOSE = ["-s", "9999", "-r", "3"]
COLUMNS = ["Inferences/Second", "Client Send", "Network+Server Send/Recv", "Server Queue", "Server Compute Input", "Server Compute Infer",
           "Server Compute Output", "Client Recv", "p50 latency", "p90 latency", "p95 latency", "p99 latency"]


def run(server, protocol, *options):
    """The finished process."""
    url = server.http_url if protocol == "http" else server.grpc_url
    return subprocess.run(
        [FOLDER / "perf_analyzer", "-u", url, "-i", protocol, *options],
        env={**os.environ, "LD_LIBRARY_PATH": str(FOLDER / "lib")},
        capture_output=True,
        text=True,
        timeout=2 * serving.PATIENCE_S,
    )


def report(server, protocol, file, model, *options, windows=WINDOWS):
    """Runs it to a good end; the rows of its report, checked."""
    for window in windows:
        ended = run(server, protocol, "-m", model, *LOOSE, *window, "-f", str(file), *options)
        if TOO_SHORT not in ended.stderr and UNSTABLE not in ended.stdout + ended.stderr:
            break
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[:2000]
    rows = list(csv.DictReader(file.open()))
    assert rows, "the report is empty"
    for row in rows:
        check_row(row)
    return rows


def check_row(row):
    assert [column for column in COLUMNS if column not in row] == []
    assert float(row["Inferences/Second"]) > 0
    assert 0 < int(row["p50 latency"]) <= int(row["p90 latency"]) <= int(row["p95 latency"]) <= int(row["p99 latency"])
    assert all(int(row[column]) >= 0 for column in COLUMNS[1:8])


def inferences(server, model):
    """How many the server has counted."""
    (entry,) = get(server.http, f"/v2/models/{model}/stats").json["model_stats"]
    return entry["inference_count"]
