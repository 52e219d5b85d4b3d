"""`inferd perf --input-tensor-format`, `--output-tensor-format`: tensors as JSON, over HTTP."""

import base64
import json
import urllib.request

import models
import perf_tool
import pytest
from cases import case
from serving import Server

FORMATS = [(into, out) for into in ("binary", "json") for out in ("binary", "json")]
DATA = {
    "INT8": [[-128, 127], [0, 1]],
    "UINT64": [[18446744073709551615, 0], [1, 2]],
    "FP32": [[0.1, -1e30], [3, 2.5]],
    "FP64": [[0.1, -1e300], [3, 2.5]],
    "BOOL": [[True, False], [False, False]],
    "BYTES": [["ä\"\n", ""], ["b", "c"]],
}


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """A server with an identity model for each datatype."""
    repository = tmp_path_factory.mktemp("typed")
    for datatype in (*DATA, "FP16"):
        models.add(repository, "id_" + datatype.lower(), models.BATCHED + models.pair(datatype, "-1"))
    running = Server(repository)
    yield running
    running.stop()


def formats(into, out):
    return ["--input-tensor-format", into, "--output-tensor-format", out]


@case("PX80", "HTTP", "every datatype in JSON one way, the other and both", "the answers are what validation_data says; a wrong one is found")
@pytest.mark.parametrize(("into", "out"), FORMATS)
@pytest.mark.parametrize("datatype", DATA)
def test_elements_come_back(typed, tmp_path, datatype, into, out):
    values, file = DATA[datatype], tmp_path / "data.json"
    document = {"data": [{"IN": value} for value in values], "validation_data": [{"OUT": value} for value in values]}
    command = ["-m", f"id_{datatype.lower()}", "--shape", "IN:2", "--request-count", "10", "--input-data", str(file), *formats(into, out)]
    file.write_text(json.dumps(document))
    text = perf_tool.good(typed, "http", *command)
    assert "Request count: 10\n" in text and "Failed" not in text
    document["validation_data"][0]["OUT"] = list(reversed(values[0]))
    file.write_text(json.dumps(document))
    assert "Failed (data loss): 5" in perf_tool.good(typed, "http", *command)


@case("PX81", "HTTP", "random data, batches, FP16, --fresh-data, concurrency and a rate in JSON both ways", "answered, every one")
def test_loads(typed):
    for options in (["--concurrency-range", "4"], ["--request-rate-range", "500"], ["--fresh-data"], ["-b", "3"]):
        for model in ("id_fp16", "id_fp32", "id_bytes"):
            text = perf_tool.good(typed, "http", "-m", model, "--shape", "IN:7", "--request-count", "20", *options, *formats("json", "json"))
            assert "Request count: 20\n" in text and "Failed" not in text


@case("PX82", "HTTP", "the profile export with the values of answers in JSON", "the values")
def test_values_in_the_profile(typed, tmp_path):
    file = tmp_path / "profile.json"
    perf_tool.good(typed, "http", "-m", "id_fp32", "--shape", "IN:3", "--request-count", "4", "--profile-export-file", str(file),
                   "--profile-export-values", *formats("json", "json"))
    (experiment,) = json.loads(file.read_text())["experiments"]
    for request in experiment["requests"]:
        (answered,) = request["response_outputs"]
        assert answered["OUT"] == request["request_inputs"]["IN"] and len(answered["OUT"]) == 3


@case("PX83", "HTTP", "sequences with inputs and outputs in JSON", "each request is in its sequence")
def test_sequences(tmp_path):
    repository, record = tmp_path / "models", tmp_path / "record.jsonl"
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    running = Server(repository, f"--record={record}", "--record-bodies")
    try:
        perf_tool.good(running, "http", "-m", "m", "--shape", "IN:2", "--request-count", "9", "--sequence-length", "3",
                       "--sequence-length-variation", "0", *formats("json", "json"))
        running.stop()
    finally:
        running.kill()
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    sequences = [line["sequence"] for line in lines if "at_ns" in line]
    assert [bool(sequence.get("start")) for sequence in sequences[:6]] == [True, False, False] * 2
    assert len({sequence["id"] for sequence in sequences[:6]}) == 2


@case("PX84", "HTTP", "a replay of a recorded classification with tensors in JSON", "the classes are read")
def test_replay(tmp_path, typed):
    repository, record = tmp_path / "models", tmp_path / "record.jsonl"
    models.add(repository, "id_fp32", models.BATCHED + models.pair("FP32", "-1"))
    asked = {"inputs": [{"name": "IN", "datatype": "FP32", "shape": [1, 3], "data": [1, 3, 2]}],
             "outputs": [{"name": "OUT", "parameters": {"classification": 2}}]}
    running = Server(repository, f"--record={record}", "--record-bodies")
    try:
        urllib.request.urlopen(f"http://{running.http_url}/v2/models/id_fp32/infer", json.dumps(asked).encode()).close()
        running.stop()
    finally:
        running.kill()
    text = perf_tool.good(typed, "http", "--replay", str(record), *formats("json", "json"))
    assert "Request count: 1\n" in text and "Failed" not in text


@case("PX86", "HTTP", "strings that are no UTF-8 with inputs in JSON", "exit code 99, the tensor and the element are named")
def test_strings_that_have_no_json(tmp_path, typed):
    file = tmp_path / "data.json"
    raw = base64.b64encode(b"\x01\0\0\0a\x01\0\0\0\xff").decode()
    file.write_text(json.dumps({"data": [{"IN": {"b64": raw, "shape": [2]}}]}))
    command = ["-m", "id_bytes", "--input-data", str(file), "--request-count", "2"]
    assert "'IN': element 1 is not UTF-8" in perf_tool.refused(typed, "http", *command, *formats("json", "binary"))
    assert "Request count: 2\n" in perf_tool.good(typed, "http", *command)


@case("PX85", "command line", "JSON with gRPC, with TRTIS v1, in process, with shared memory; a format that there is not", "exit code 3, naming the flag")
def test_what_does_not_go_with_it(typed):
    for flag in ("--input-tensor-format", "--output-tensor-format"):
        said = perf_tool.refused(typed, "grpc", "-m", "id_fp32", flag, "json", code=3)
        assert f"{flag} json is of HTTP: it does not go with -i grpc" in said
        for more in (["--service-kind", "trtis"], ["--shared-memory", "system"]):
            assert flag in perf_tool.refused(typed, "http", "-m", "id_fp32", flag, "json", *more, code=3)
        assert flag in perf_tool.refused(typed, "http", "-m", "id_fp32", flag, "xml", code=3)
        perf_tool.good(typed, "grpc", "-m", "id_fp32", "--shape", "IN:1", "--request-count", "2", flag, "binary")
