"""NVIDIA's perf_analyzer 2.51, as its users run it."""

import json

import pytest
from cases import case
from perf_runs import WINDOWS, inferences, report, run
from wire import get

repeat = pytest.mark.repeat


def measure(peer, tmp_path, protocol, *options, model="id_fp32", shape=("--shape=IN:16",), windows=WINDOWS):
    """Runs perf_analyzer on a model; its rows. The server must have counted what it sent."""
    before = inferences(peer, model)
    rows = report(peer, protocol, tmp_path / "report.csv", model, *shape, *options, windows=windows)
    assert inferences(peer, model) > before
    return rows


@case("PA01", "HTTP", "perf_analyzer, concurrency 1 to 2", "a row for each, sane")
def test_http(peer, tmp_path):
    rows = measure(peer, tmp_path, "http", "--concurrency-range=1:2")
    assert sorted(row["Concurrency"] for row in rows) == ["1", "2"]


@case("PA02", "gRPC", "perf_analyzer, concurrency 1 to 2", "a row for each, sane")
@repeat
def test_grpc(peer, tmp_path):
    rows = measure(peer, tmp_path, "grpc", "--concurrency-range=1:2")
    assert sorted(row["Concurrency"] for row in rows) == ["1", "2"]


@case("PA03", "both", "perf_analyzer --async, 8 in flight on a model that batches", "a sane row")
@repeat
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_async(peer, tmp_path, protocol):
    measure(peer, tmp_path, protocol, "--async", "--concurrency-range=8", model="batching")


@case("PA04", "gRPC", "perf_analyzer --streaming", "a sane row")
@repeat
def test_streaming(peer, tmp_path):
    measure(peer, tmp_path, "grpc", "--streaming", "--async", "--concurrency-range=4")


@case("PA05", "both", "perf_analyzer --measurement-mode=count_windows", "a sane row")
@repeat
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_count_windows(peer, tmp_path, protocol):
    measure(peer, tmp_path, protocol, windows=[["--measurement-mode=count_windows", "--measurement-request-count=50"]])


@case("PA06", "both", "perf_analyzer --request-count=100", "at least so many inferences, a sane row")
@repeat
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_request_count(peer, tmp_path, protocol):
    before = inferences(peer, "id_fp32")
    measure(peer, tmp_path, protocol, "--request-count=100", windows=[[]])
    assert inferences(peer, "id_fp32") - before >= 100


@case("PA07", "both", "perf_analyzer --request-rate-range, constant and Poisson", "rows by request rate")
@repeat
@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("distribution", ["constant", "poisson"])
def test_request_rate(peer, tmp_path, protocol, distribution):
    rows = measure(peer, tmp_path, protocol, "--request-rate-range=200:300:100", f"--request-distribution={distribution}")
    assert sorted(row["Request Rate"] for row in rows) == ["200", "300"]


@case("PA08", "HTTP", "perf_analyzer --request-intervals", "a sane row")
@repeat
def test_request_intervals(peer, tmp_path):
    intervals = tmp_path / "intervals"
    intervals.write_text("1000\n3000\n5000\n")
    measure(peer, tmp_path, "http", f"--request-intervals={intervals}")


@case("PA09", "HTTP", "perf_analyzer with tensors as JSON, in either direction and both", "a sane row")
@repeat
@pytest.mark.parametrize("formats", [("json", "json"), ("json", "binary"), ("binary", "json")])
def test_json_tensors(peer, tmp_path, formats):
    measure(peer, tmp_path, "http", f"--input-tensor-format={formats[0]}", f"--output-tensor-format={formats[1]}")


@case("PA10", "both", "perf_analyzer --shared-memory=system", "a sane row; no region is left registered")
@repeat
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_shared_memory(peer, tmp_path, protocol):
    measure(peer, tmp_path, protocol, "--shared-memory=system", "--output-shared-memory-size=1024", "--concurrency-range=2")
    assert get(peer.http, "/v2/systemsharedmemory/status").json == []


@case("PA11", "both", "perf_analyzer -b 4", "a sane row; the server counts four inferences a request")
@repeat
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_batch(peer, tmp_path, protocol):
    before = inferences(peer, "id_fp32")
    measure(peer, tmp_path, protocol, "-b", "4")
    assert (inferences(peer, "id_fp32") - before) % 4 == 0


@case("PA12", "both", "perf_analyzer with BYTES, random and given", "a sane row")
@repeat
@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("text", ["--string-length=5", "--string-data=Grüße"])
def test_strings(peer, tmp_path, protocol, text):
    measure(peer, tmp_path, protocol, text, model="id_bytes", shape=["--shape=IN:3"])


@case("PA13", "both", "perf_analyzer with a file of inputs and of the outputs that it must get", "no output differs")
@repeat
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_validated_outputs(peer, tmp_path, protocol):
    check_outputs(peer, tmp_path, protocol, 0)


@case("PA14", "both", "perf_analyzer with a file of outputs that the model does not give", "it says so: the check of PA13 is none in name only")
@repeat
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_wrong_outputs_are_found(peer, tmp_path, protocol):
    with pytest.raises(AssertionError, match="Output doesn't match"):
        check_outputs(peer, tmp_path, protocol, 1)


def check_outputs(peer, tmp_path, protocol, added):
    """Has perf_analyzer compare the outputs of the model with its inputs, after adding something to one."""
    rows = [[i + 0.5, 1.5, -2.5, 3.5, 4.5, 5.5] for i in range(3)]
    data = {
        "data": [{"IN": row} for row in rows],
        "validation_data": [{"OUT": [row[0] + added, *row[1:]]} for row in rows],
    }
    file = tmp_path / "data.json"
    file.write_text(json.dumps(data))
    measure(peer, tmp_path, protocol, f"--input-data={file}", model="plain", shape=[])


@case("PA15", "gRPC", "perf_analyzer --grpc-compression-algorithm", "a sane row")
@repeat
@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compression(peer, tmp_path, algorithm):
    measure(peer, tmp_path, "grpc", f"--grpc-compression-algorithm={algorithm}")


@case("PA16", "HTTP", "perf_analyzer --verbose-csv --collect-metrics --percentile", "a sane row with the columns that these add")
@repeat
def test_metrics(peer, tmp_path):
    url = f"--metrics-url=127.0.0.1:{peer.metrics}/metrics"
    more = ["--verbose-csv", "--collect-metrics", url, "--metrics-interval=50", "--percentile=95"]
    (row,) = measure(peer, tmp_path, "http", *more)
    assert float(row["request/response"]) >= 0 and float(row["response wait"]) > 0


@case("PA17", "HTTP", "perf_analyzer --binary-search with a latency limit", "rows, sane")
@repeat
def test_binary_search(peer, tmp_path):
    measure(peer, tmp_path, "http", "--binary-search", "--concurrency-range=1:4:1", "--latency-threshold=10000")


@case("PA18", "both", "perf_analyzer with headers, or request parameters, of its user's", "a sane row")
@repeat
@pytest.mark.parametrize("protocol, options", [
    ("http", ["-H", "my-header: x"]),
    ("grpc", ["--request-parameter=mine:7:int", "--request-parameter=text:x:string"]),
])
def test_headers_and_parameters(peer, tmp_path, protocol, options):
    measure(peer, tmp_path, protocol, *options)


@case("PA19", "both", "perf_analyzer --profile-export-file", "a request in it has its times and its one response")
@repeat
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_profile_export(peer, tmp_path, protocol):
    export = tmp_path / "profile.json"
    measure(peer, tmp_path, protocol, f"--profile-export-file={export}")
    (experiment,) = json.loads(export.read_text())["experiments"]
    assert experiment["requests"]
    assert all(len(request["response_timestamps"]) == 1 for request in experiment["requests"])


@case("PA20", "both", "perf_analyzer of several inputs and outputs, one with strings", "a sane row")
@repeat
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_several_inputs(peer, tmp_path, protocol):
    measure(peer, tmp_path, protocol, model="several", shape=["--shape=IN1:2", "--shape=IN2:2"])


@case("PA21", "both", "perf_analyzer of an unknown model", "it ends with the server's words")
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_unknown_model(peer, protocol):
    ended = run(peer, protocol, "-m", "nothing")
    assert ended.returncode != 0
    assert "nothing" in ended.stdout + ended.stderr


@case("PA22", "gRPC", "perf_analyzer --streaming of a decoupled model with three responses a request", "rows, sane, with the responses' throughput")
@repeat
def test_decoupled(peer, tmp_path):
    more = ["--streaming", "--async", "--request-parameter=responses:3:int"]
    (row,) = measure(peer, tmp_path, "grpc", *more, model="decoupled")
    assert float(row["Response Throughput"]) > 2 * float(row["Inferences/Second"])
