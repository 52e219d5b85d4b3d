"""`inferd perf --service-kind trtis`: the protocol of 2019 over HTTP, gRPC and one shared stream, against a server that counts."""

import csv
import json
import re
import subprocess
import sys
import threading
from collections import defaultdict

import models
import perf_runs
import perf_tool
import pytest
import serving
from cases import case
from perf_tool import QUICK
from serving import Server
from wire import get, infer_input, post_infer

sys.path.insert(0, str(serving.ROOT / "tests" / "figures"))
import pictures

# How requests travel: the flags of perf, and the path or method by which the server sees them.
WAYS = {"http": ("http",), "grpc": ("grpc",), "stream": ("grpc", "--streaming")}
HEAD = ("Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute,Client Recv,"
        "p50 latency,p90 latency,p95 latency,p99 latency")
V1 = ("--service-kind", "trtis")


def good(server, way, *options):
    protocol, *flags = WAYS[way]
    return perf_tool.good(server, protocol, *V1, *flags, *options)


def refused(server, way, *options, code=99):
    protocol, *flags = WAYS[way]
    return perf_tool.refused(server, protocol, *V1, *flags, *options, code=code)


def by_batch(server, model):
    """What the server has counted in v1's status: {batch size: {"success": {"count": n, ...}, ...}}."""
    status = get(server.http, f"/api/status/{model}?format=json").json
    return status["modelStatus"][model]["versionStatus"]["1"].get("inferStats", {})


def succeeded(server, model, batch_size):
    return int(by_batch(server, model).get(str(batch_size), {}).get("success", {}).get("count", 0))


@case("VP01", "v1 HTTP, gRPC, stream", "inferd perf --service-kind trtis, 137 requests, five in flight", "both statistics of the server, v1's and v2's, and perf count 137")
@pytest.mark.parametrize("way", WAYS)
def test_counts(server, way):
    old, new = succeeded(server, "id_fp32", 1), perf_runs.inferences(server, "id_fp32")
    text = good(server, way, "-m", "id_fp32", "--shape", "IN:4", "--request-count", "137", "--concurrency-range", "5")
    assert "Request count: 137\n" in text and "Failed" not in text
    assert "Inference count: 137\n" in text and "Execution count: 137\n" in text and "Successful request count: 137\n" in text
    assert succeeded(server, "id_fp32", 1) == old + 137
    assert perf_runs.inferences(server, "id_fp32") == new + 137


@case("VP02", "v1 HTTP, gRPC, stream", "the same at a model that takes 5 ms, with -f", "perf_client's columns, to the byte; its one Server Compute is 5 ms, waiting is Server Queue")
@pytest.mark.parametrize("way", WAYS)
def test_the_table_of_perf_client(server, way, tmp_path):
    file = tmp_path / "t.csv"
    text = good(server, way, "-m", "five", "--concurrency-range", "1:4:3", "-f", str(file), *QUICK)
    assert file.read_text().splitlines()[0] == HEAD
    rows = {row["Concurrency"]: row for row in csv.DictReader(file.open())}
    assert set(rows) == {"1", "4"}
    for row in rows.values():
        assert 5000 <= int(row["Server Compute"]) <= int(row["p99 latency"])
    assert int(rows["4"]["Server Queue"]) > 5000 > int(rows["1"]["Server Queue"])
    assert len(re.findall(r"Avg request latency: \d+ usec \(overhead \d+ usec \+ queue \d+ usec \+ compute \d+ usec\)\n", text)) == 2


@case("VP03", "v1 HTTP, gRPC, stream", "batches of 8, while another client sends single items to the same model", "the statistics of batch size 8 alone are taken")
@pytest.mark.parametrize("way", WAYS)
def test_batches_are_told_apart(server, way):
    before, stop = succeeded(server, "id_fp32", 8), threading.Event()

    def other():
        while not stop.is_set():
            assert post_infer(server.http, "id_fp32", {"inputs": [infer_input([1.0], shape=[1, 1], datatype="FP32")]}).status == 200

    beside = threading.Thread(target=other)
    beside.start()
    try:
        text = good(server, way, "-m", "id_fp32", "--shape", "IN:4", "-b", "8", "--request-count", "60")
    finally:
        stop.set()
        beside.join()
    assert "Request count: 60\n" in text and "Inference count: 480\n" in text and "Successful request count: 60\n" in text
    assert succeeded(server, "id_fp32", 8) == before + 60
    assert "takes at most 8" in refused(server, way, "-m", "id_fp32", "--shape", "IN:4", "-b", "9")


@case("VP04", "v1 HTTP, gRPC, stream", "each datatype that v1 knows; 50 entries that expect themselves back, 20 in flight", "each answer is its own request's")
@pytest.mark.parametrize("way", WAYS)
def test_data_goes_there_and_back(server, way, tmp_path):
    for datatype in ("bool", "int8", "uint16", "int64", "fp16", "fp64", "bytes"):
        text = good(server, way, "-m", f"id_{datatype}", "--shape", "IN:3", "--request-count", "3")
        assert "Request count: 3\n" in text
    data = tmp_path / "d.json"
    for model, values in (("id_int32", [[n, -n] for n in range(50)]), ("id_bytes", [["x" * n, "é"] for n in range(50)])):
        data.write_text(json.dumps({"data": [{"IN": v} for v in values], "validation_data": [{"OUT": v} for v in values]}))
        text = good(server, way, "-m", model, "--shape", "IN:2", "--input-data", str(data), "--request-count", "300", "--concurrency-range", "20")
        assert "Request count: 300\n" in text and "Failed" not in text
    data.write_text(json.dumps({"data": [{"IN": [1, 2]}], "validation_data": [{"OUT": [1, 3]}]}))
    assert "validation_data" in refused(server, way, "-m", "id_int32", "--shape", "IN:2", "--input-data", str(data), "--request-count", "2")


@case("VP05", "v1 HTTP, gRPC, stream", "sequences: correlation ids with flags, at a server that records", "each starts once and first, ends once and last")
@pytest.mark.parametrize("way", WAYS)
def test_sequences(tmp_path, way):
    repository, file = tmp_path / "models", tmp_path / "record.jsonl"
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "2"))
    running = Server(repository, f"--record={file}")
    try:
        text = good(running, way, "-m", "m", "--sequence-length", "5", "--sequence-id-range", "100", "--concurrency-range", "3", "--request-count", "50")
        running.stop()
    finally:
        running.kill()
    assert "Request count: 50\n" in text
    found = defaultdict(list)
    for line in sorted((line for line in map(json.loads, file.read_text().splitlines()) if "at_ns" in line), key=lambda line: line["at_ns"]):
        found[line["sequence"]["id"]].append(line["sequence"])
    assert sorted(found) == list(range(100, 100 + len(found))) and len(found) >= 8
    for steps in found.values():
        assert [bool(step.get("start")) for step in steps] == [True] + [False] * (len(steps) - 1)
        assert [bool(step.get("end")) for step in steps] == [False] * (len(steps) - 1) + [True]


@case("VP06", "v1 HTTP, gRPC, stream", "--shared-memory system", "regions are registered, used and forgotten; too little room fails every request")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("datatype", ["fp32", "bytes"])
def test_shared_memory(sharing, way, datatype):
    model = f"id_{datatype}"
    before = succeeded(sharing, model, 3)
    common = ("-m", model, "--shape", "IN:5", "--shared-memory", "system", "-b", "3", "--request-count", "40", "--concurrency-range", "4")
    text = good(sharing, way, *common)
    assert "Request count: 40\n" in text and "Failed" not in text
    assert succeeded(sharing, model, 3) == before + 40
    assert get(sharing.http, "/v2/systemsharedmemory/status").json == []
    assert "no request succeeded" in refused(sharing, way, *common, "--output-shared-memory-size", "4")


@case("VP07", "v1 HTTP, gRPC, stream", "what fails: an unknown model, a failing one, a version that is not there, parameters, a replay", "a clear error each")
@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_measured(server, way, tmp_path):
    assert "nosuch" in refused(server, way, "-m", "nosuch")
    assert "no request succeeded" in refused(server, way, "-m", "failing", "--shape", "IN:2", "--request-count", "3")
    assert "no request succeeded" in refused(server, way, "-m", "five", "-x", "9", "--request-count", "2")
    assert "requests of v1 have none" in refused(server, way, "-m", "five", "--request-parameter", "a:1:int", code=3)
    assert "--service-kind trtis" in refused(server, way, "--replay", str(tmp_path / "r"), code=3)
    text = good(server, way, "-m", "flaky", "--shape", "IN:2", "--request-count", "40")
    failed = int(re.search(r"Failed \([a-z ]+\): (\d+), the first: ", text).group(1))
    assert 0 < failed < 40 and f"Request count: {40 - failed}\n" in text
    assert "Successful request count:" in good(server, way, "-m", "five", "-x", "1", "--request-count", "2")


@case("VP08", "v1 HTTP, gRPC", "the command line of perf_client", "it is understood: -t, -d, -c, -z, -x -1, -i gRPC")
@pytest.mark.parametrize("protocol", ["HTTP", "gRPC"])
def test_the_flags_of_perf_client(server, protocol, tmp_path):
    file = tmp_path / "t.csv"
    url = server.http_url if protocol == "HTTP" else server.grpc_url
    words = ["perf", *V1, "-v", "-m", "five", "-x", "-1", "-u", url, "-i", protocol, "-t", "2", "-d", "-c", "4", "-l", "60000", "-z", "-b", "2",
             "-f", str(file), *QUICK]
    for factor in (1, 10, 50):
        ended = subprocess.run([serving.BINARY, *perf_tool.longer(words, factor)], capture_output=True, text=True, timeout=2 * serving.PATIENCE_S)
        if ended.returncode != perf_tool.UNSTABLE:
            break
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert sorted(row["Concurrency"] for row in csv.DictReader(file.open())) == ["2", "3", "4"]


@case("VP09", "v1 gRPC", "its table, given to inferd figures", "the breakdown has a bar of Server Compute for each load, as high as the table says")
def test_figures_draw_it(server, tmp_path):
    file = tmp_path / "t.csv"
    good(server, "grpc", "-m", "five", "--concurrency-range", "1:3", "-f", str(file), *QUICK)
    bars = pictures.marks(pictures.draw(tmp_path, file)["breakdown"], "part")
    drawn = {(pictures.data(bar, "load"), pictures.data(bar, "us")) for bar in bars if bar.get("data-part") == "Server Compute"}
    assert drawn == {(float(row["Concurrency"]), float(row["Server Compute"])) for row in csv.DictReader(file.open())}


@case("VP10", "v1 HTTP, gRPC", "perf at a server that is still loading the model", "it waits, and says so")
@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("service", ["trtis", "triton"])
def test_a_server_that_is_loading(tmp_path, protocol, service):
    repository = tmp_path / "models"
    models.add(repository, "slow", models.BATCHED + models.pair("FP32", "2") + models.parameter("load_delay_ms", "1500"))
    running = Server(repository, wait=False)
    try:
        running.http, running.grpc = running.port("HTTP"), running.port("gRPC")
        ended = perf_tool.run(running, protocol, "--service-kind", service, "-m", "slow", "--request-count", "5")
        running.stop()
    finally:
        running.kill()
    assert ended.returncode == 0 and "Request count: 5\n" in ended.stdout
    assert ended.stderr.count("the server is still loading") == 1
