"""scripts/generate_figures.sh: all experiments on a tiny model, quickly; what an interruption leaves; and its refusals."""

import csv
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pictures import INFERD, ROOT, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

from serving import processes_of, wait_until  # noqa: E402

SCRIPT = ROOT / "scripts/generate_figures.sh"
TINY = ROOT / "tests/fixtures/hf_checkpoint"


def start(tmp_path, *arguments, **environment):
    """In a session of its own, whose processes can be counted."""
    return subprocess.Popen(
        [SCRIPT, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, stdin=subprocess.DEVNULL,
        start_new_session=True, env={**os.environ, "INFERD": str(INFERD), "OUTPUT_DIR": str(tmp_path / "out"), **environment})


def finish(process):
    out, err = process.communicate(timeout=600)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run(tmp_path, *arguments, **environment):
    return finish(start(tmp_path, *arguments, **environment))


def points(tmp_path):
    return {path.name: path.read_text() for path in (tmp_path / "out/points").glob("*.csv")}


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
        assert entry["sweep"] == "static" or any(row["Concurrency"] % 4 for row in rows)  # not only what fills batches
        assert all(row["Inferences/Second"] > 0 and row["Server Compute Infer"] > 0 for row in rows)
    planned = int(re.search(r"^== plan: (\d+) points, about ", done.stdout, re.M).group(1))
    assert planned == sum(len(table(tmp_path / "out" / entry["file"])) for entry in runs)
    assert re.search(rf"^   concurrency 20 .* inferences/s, .* ms;  {planned} of {planned} points, about 0 s left$", done.stdout, re.M)
    assert not (tmp_path / "out/points").exists()
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


@pytest.mark.parametrize("arguments, message", [
    (["", 16, "", "nowhere"], "INIT_CHECKPOINT: there is neither nowhere nor nowhere.index"),
    (["", 16, "", "random:1"], "INIT_CHECKPOINT: no config.json or bert_config.json belongs to random:1"),
    (["", 49, "", TINY], "SEQ_LENGTH must be at most the model's 48, got 49"), (["base", 999999], "at most the model's 512"),
    (["", "1" * 30], "SEQ_LENGTH must be a whole number"),
])
def test_what_cannot_be_exported_costs_no_measured_point(tmp_path, arguments, message):
    kept = tmp_path / "out/points/static-1-8.csv"
    kept.parent.mkdir(parents=True)
    kept.write_text("measured")
    done = run(tmp_path, "--quick", *arguments)
    assert done.returncode == 2 and message in done.stderr
    assert kept.read_text() == "measured"


def test_a_prefix_of_tensorflow(tmp_path):
    """Its config lies beside it."""
    done = run(tmp_path, "--quick", "", 16, "", ROOT / "tests/fixtures/tf_checkpoint/model.ckpt", PERF="/bin/false")
    assert done.returncode == 1 and "== probe" in done.stdout and "the load generator ended with exit code 1" in done.stderr


def test_a_generator_that_fails_is_told(tmp_path):
    done = run(tmp_path, "--quick", "", 16, "", TINY, PERF="/bin/false")
    assert done.returncode == 1 and "the load generator ended with exit code 1" in done.stderr


@pytest.mark.parametrize("number, all_of_them", [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGHUP, False)],
                         ids=["Ctrl-C", "TERM", "HUP"])
def test_what_an_interruption_leaves(tmp_path, number, all_of_them):
    """No process, all points measured so far; the same command measures the rest, other settings begin anew."""
    process = start(tmp_path, "--quick", "", 16, "", TINY)
    wait_until(lambda: len(points(tmp_path)) >= 7)
    (os.killpg if all_of_them else os.kill)(process.pid, number)
    done = finish(process)
    assert done.returncode == 128 + number, done.stdout + done.stderr
    assert "interrupted: the points measured so far are kept" in done.stderr
    assert processes_of(process.pid) == []
    kept = points(tmp_path)
    assert len(kept) >= 7
    with open(tmp_path / "out/runs.csv", newline="") as stream:
        listed = [row["file"] for row in csv.DictReader(stream)]
    assert sum(len(table(tmp_path / "out" / file)) for file in listed) in (len(kept), len(kept) - 1)  # the signal may come between the two
    if number != signal.SIGINT:
        return
    other = start(tmp_path, "--quick", "", 17, "", TINY)
    assert "== restart: the points" in other.stdout.readline()
    assert "== probe" in other.stdout.readline()  # so they are gone
    os.kill(other.pid, signal.SIGTERM)
    finish(other)
    assert not set(points(tmp_path).values()) & set(kept.values())


def test_an_interrupted_run_is_completed(tmp_path):
    process = start(tmp_path, "--quick", "", 16, "", TINY)
    wait_until(lambda: len(points(tmp_path)) >= 7)
    os.kill(process.pid, signal.SIGTERM)
    finish(process)
    kept = points(tmp_path)
    done = run(tmp_path, "--quick", "", 16, "", TINY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"== resume: {len(kept)} points of " in done.stdout
    for name, text in kept.items():
        experiment = name.rpartition("-")[0]
        assert text.splitlines()[1] in (tmp_path / "out" / f"{experiment}.csv").read_text().splitlines()
    page = (tmp_path / "out/report.html").read_text()
    assert "interrupted, completed " in page
    assert all(f'<section id="{section}">' in page for section in ("batch-size", "batching", "instances", "summary"))


@pytest.mark.parametrize("code", [0, 1])
def test_a_server_that_crashes_is_told(tmp_path, code):
    generator = tmp_path / "generator"
    generator.write_text("""#!/bin/sh
# Ends its sister, the server, and ends when that is gone: a zombie at most.
server=$(pgrep -P $PPID -f ' serve ')
kill -KILL $server
while ps -o stat= -p $server | grep -qv Z; do sleep 0.01; done
exit %d
""" % code)
    generator.chmod(0o755)
    process = start(tmp_path, "--quick", "", 16, "", TINY, PERF=str(generator))
    done = finish(process)
    assert done.returncode == 1 and "the server ended while it was measured at concurrency 1" in done.stderr
    assert processes_of(process.pid) == []


def test_a_generator_that_tells_nothing_of_an_unstable_point(tmp_path):
    """As perf_analyzer: exit code 2 and no table. The point is left out, the others are drawn."""
    generator = tmp_path / "generator"
    generator.write_text("""#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    -f) file=$2 ;;
    --concurrency-range) load=${2%%:*} ;;
  esac
  shift
done
[ "$load" != 8 ] || exit 2
echo "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Infer,Client Recv,p50 latency,p99 latency,Avg latency" >"$file"
echo "$load,100,1,2,3,$((load * 100)),4,90,120,$((load * 100 + 10))" >>"$file"
""")
    generator.chmod(0o755)
    done = run(tmp_path, "--quick", "", 16, "", TINY, PERF=str(generator))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "concurrency 8   not stable, left out" in done.stdout
    assert [row["Concurrency"] for row in table(tmp_path / "out/static-8.csv")] == [1, 2, 4, 6]
    assert '<section id="batching">' in (tmp_path / "out/report.html").read_text()
