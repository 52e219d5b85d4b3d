"""`inferd perf --shared-memory system`: regions are registered, used, unregistered and removed."""

import json
import os
import signal
import subprocess

import models
import perf_runs
import perf_tool
import pytest
import serving
import wire
from cases import case
from certificates import Authority
from perf_tool import PROTOCOLS


def left_behind():
    """Objects of runs that have ended: a key is inferd_perf_PID_WHAT."""
    keys = [name for name in os.listdir("/dev/shm") if name.startswith("inferd_perf_")]
    return [name for name in keys if not os.path.exists(f"/proc/{name.split('_')[2]}")]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("datatype", ["fp32", "bytes"])
def test_tensors_in_memory(sharing, protocol, datatype):
    before = perf_runs.inferences(sharing, f"id_{datatype}")
    text = perf_tool.good(sharing, protocol, "-m", f"id_{datatype}", "--shape", "IN:5", "--shared-memory", "system", "-b", "3",
                          "--request-count", "40", "--concurrency-range", "4")
    assert "Request count: 40\n" in text and "Failed" not in text
    assert perf_runs.inferences(sharing, f"id_{datatype}") == before + 120
    assert wire.get(sharing.http, "/v2/systemsharedmemory/status").json == []
    assert left_behind() == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_columns_stay(sharing, protocol, tmp_path):
    theirs, ours = tmp_path / "theirs.csv", tmp_path / "ours.csv"
    options = ("--shape", "IN:16", "--shared-memory", "system", "--output-shared-memory-size", "4096")
    perf_runs.report(sharing, protocol, theirs, "id_fp32", *options)
    perf_tool.rows(sharing, protocol, ours, "-m", "id_fp32", *options, *perf_tool.QUICK)
    assert ours.read_bytes().split(b"\n")[0] == theirs.read_bytes().split(b"\n")[0]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_too_little_room(sharing, protocol):
    said = perf_tool.refused(sharing, protocol, "-m", "id_fp32", "--shape", "IN:500", "--shared-memory", "system",
                             "--output-shared-memory-size", "8", "--request-count", "2")
    assert "no request succeeded" in said


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_shares_none(server, protocol):
    said = perf_tool.refused(server, protocol, "-m", "five", "--shared-memory", "system")
    assert "shared memory is disabled" in said
    assert left_behind() == []


def test_what_does_not_go_with_it(sharing, tmp_path):
    data = tmp_path / "d.json"
    data.write_text(json.dumps({"data": [{"IN": [1]}], "validation_data": [{"OUT": [1]}]}))
    common = ("-m", "id_fp32", "--shape", "IN:1", "--shared-memory", "system")
    assert "validation_data" in perf_tool.refused(sharing, "http", *common, "--input-data", str(data))
    assert "--fresh-data" in perf_tool.refused(sharing, "http", *common, "--fresh-data")


@case("PF12", "TLS", "SIGINT twice while a request with shared memory takes ten minutes, the authority's file gone meanwhile", "what was shared is taken back; exit code 130")
def test_given_up(start, repository, tmp_path):
    models.add(repository, "stuck", models.BATCHED + models.pair("FP32", "16") + models.parameter("execute_delay_ms", "600000"))
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.sign("server")
    server = start(repository, f"--tls-cert-file={certificate}", f"--tls-key-file={key}", "--allow-client-shm", "--exit-timeout-secs=0")
    command = [serving.BINARY, "perf", "-u", f"https://localhost:{server.http}", "-m", "stuck", "--shared-memory", "system",
               "--ssl-https-ca-certificates-file", authority.file]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in running.stdout:
        if "Request concurrency" in line:
            break
    os.unlink(authority.file)
    running.send_signal(signal.SIGINT)
    assert "interrupted" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    stderr = running.communicate(timeout=serving.PATIENCE_S)[1]
    assert running.returncode == 130, stderr
    server.kill()
