"""scripts/generate_figures.sh: all experiments on a tiny model, quickly, and its refusals."""

import csv
import os
import subprocess

import pytest
from pictures import INFERD, ROOT, table

SCRIPT = ROOT / "scripts/generate_figures.sh"
TINY = ROOT / "tests/fixtures/hf_checkpoint"


def run(tmp_path, *arguments, **environment):
    return subprocess.run(
        [SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=600, cwd=tmp_path, stdin=subprocess.DEVNULL,
        env={**os.environ, "INFERD": str(INFERD), "OUTPUT_DIR": str(tmp_path / "out"), **environment})


def test_the_recipes_experiments(tmp_path):
    done = run(tmp_path, "--quick", "--latency-limit", "1000", "", 16, "", TINY)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(tmp_path / "out/runs.csv", newline="") as stream:
        runs = list(csv.DictReader(stream))
    assert [(run["sweep"], run["max_batch_size"], run["batch_size"], run["delay_ms"], run["instances"]) for run in runs] == [
        *(("static", str(size), str(size), "0", "1") for size in (1, 2, 4, 8)),
        *(("dynamic", "8", "1", delay, "1") for delay in ("10", "5", "2", "0")),
        *(("instances", "1", "1", "0", count) for count in ("4", "2", "1")),
    ]
    for entry in runs:
        rows = table(tmp_path / "out" / entry["file"])
        most = 64 // int(entry["batch_size"]) if entry["sweep"] == "static" else 20
        assert rows[-1]["Concurrency"] == most and len(rows) >= 4
        assert all(row["Inferences/Second"] > 0 and row["Server Compute Infer"] > 0 for row in rows)
    page = (tmp_path / "out/report.html").read_text()
    for section in ("recommendation", "batch-size", "batching", "instances", "summary", "tables", "environment"):
        assert f'<section id="{section}">' in page
    assert "load generator" in page and "16 tokens" in page


@pytest.mark.parametrize("arguments, message", [
    (["tiny"], "BERT_MODEL must be embedded, base or large"), (["", "many"], "SEQ_LENGTH"), (["", "", "fp8"], "PRECISION"),
    (["a", "b", "c", "d", "e"], "at most 4"), (["--fast"], "unknown option --fast"), (["--latency-limit", "soon"], "--latency-limit"),
])
def test_wrong_usage(tmp_path, arguments, message):
    done = run(tmp_path, *arguments)
    assert done.returncode == 2 and message in done.stderr


def test_a_generator_that_fails_is_told(tmp_path):
    done = run(tmp_path, "--quick", "", 16, "", TINY, PERF="/bin/false")
    assert done.returncode == 1 and "the load generator ended with exit code 1" in done.stderr
