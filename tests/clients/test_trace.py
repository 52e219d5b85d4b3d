"""Traces: the extension that says which inferences are traced, the files and the spans that are written."""

import asyncio
import json
import re
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import models
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from cases import case
from collector import Collector, attributes, events
from prometheus_client.parser import text_string_to_metric_families
from serving import run, wait_until
from streaming import Stream
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException
from wire import Socket, get, grpc_call, grpc_error, grpc_infer, infer_input, infer_message, post_infer, request

GOOD = {"inputs": [infer_input([1, 2])]}
OFF = {"trace_level": ["OFF"], "trace_rate": "1000", "trace_count": "-1", "log_frequency": "0", "trace_file": "", "trace_mode": "triton"}
HTTP_POINTS = [
    "HTTP_RECV_START", "HTTP_RECV_END", "REQUEST_START", "QUEUE_START", "COMPUTE_START", "COMPUTE_INPUT_END",
    "COMPUTE_OUTPUT_START", "COMPUTE_END", "INFER_RESPONSE_COMPLETE", "REQUEST_END", "HTTP_SEND_START", "HTTP_SEND_END",
]  # fmt: skip
GRPC_POINTS = [name.replace("HTTP_RECV", "GRPC_WAITREAD").replace("HTTP", "GRPC") for name in HTTP_POINTS]
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def serve(start, repository):
    """Starts a server with a few models; flags are --trace-config's."""
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    models.add(repository, "n", models.BATCHED + models.pair("INT32", "-1"))
    models.add(repository, "bad", models.BATCHED + models.pair("INT32", "-1") + models.parameter("fail_executions", "every_n:1"))

    def begin(*settings, wait=True):
        return start(repository, *[f"--trace-config={setting}" for setting in settings], wait=wait)

    return begin


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trace.json"


@pytest.fixture
def traced(serve, path):
    """A server that traces each request into a file."""
    return serve("level=TIMESTAMPS", "rate=1", f"triton,file={path}")


@pytest.fixture
def collector():
    running = Collector()
    yield running
    running.stop()


@pytest.fixture
def exporting(serve, collector):
    """A server that sends spans soon."""
    return serve("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={collector.url}",
                 "opentelemetry,bsp_schedule_delay=10")  # fmt: skip


def infer(server, model="m", identity=None, headers=None, status=200):
    body = {**GOOD, "id": identity} if identity is not None else GOOD
    answer = post_infer(server.http, model, body, headers)
    assert answer.status == status, answer.body


def settings(server, model=None):
    answer = get(server.http, f"/v2/models/{model}/trace/setting" if model else "/v2/trace/setting")
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    return answer.json


def change(server, body, model=None):
    where = f"/v2/models/{model}/trace/setting" if model else "/v2/trace/setting"
    return request(server.http, "POST", where, body if isinstance(body, bytes) else json.dumps(body))


def records(path):
    """What the file holds between two appends; a moment in the middle of one is passed over."""
    found = []

    def read():
        try:
            found[:] = [json.loads(path.read_text())]
        except (ValueError, FileNotFoundError):
            return False
        return True

    wait_until(read)
    return found[0]


class Traces:
    """The traces of a file, by id."""

    def __init__(self, path):
        self.heads, self.stamps, self.tensors = {}, {}, {}
        for record in records(path):
            if "model_name" in record:
                self.heads[record["id"]] = record
            for stamp in record.get("timestamps", []):
                self.stamps.setdefault(record["id"], []).append((stamp["name"], stamp["ns"]))
            if "activity" in record:
                self.tensors.setdefault(record["id"], []).append((record["activity"], record["tensor"]))

    def points(self, identity):
        return [name for name, _ in self.stamps[identity]]


def wait_for_traces(path, count):
    """Waits until the file holds so many traces."""
    wait_until(lambda: len(Traces(path).heads) >= count)
    return Traces(path)


# ---- settings ----


@case("TR01", "HTTP", "GET /v2/trace/setting, of the server and of a model", "Triton's names, defaults, order and kinds: all strings")
def test_defaults(serve):
    server = serve()
    assert settings(server) == settings(server, "m") == OFF
    assert list(settings(server)) == list(OFF)


@case("TR02", "gRPC", "TraceSetting without settings", "the same as lists of strings")
def test_defaults_over_grpc(serve):
    server = serve()
    answer = pb.TraceSettingResponse.FromString(grpc_call(server.grpc, "TraceSetting", pb.TraceSettingRequest(model_name="m")))
    assert {name: list(value.value) for name, value in answer.settings.items()} == {
        name: value if isinstance(value, list) else [value] for name, value in OFF.items()
    }


@case("TR03", "HTTP, gRPC", "the server's metadata", "names the extension trace")
def test_extension(server):
    assert "trace" in get(server.http, "/v2").json["extensions"]


@case("TR04", "HTTP", "tritonclient http: update and get, of the server and of a model", "a model's own settings win, others follow the server")
def test_triton_http(traced, path):
    client = triton_http.InferenceServerClient(traced.http_url)
    new = client.update_trace_settings("m", {"trace_rate": "5", "trace_level": ["TENSORS"]})
    assert (new["trace_rate"], new["trace_level"], new["trace_file"]) == ("5", ["TENSORS"], str(path))
    assert client.get_trace_settings("n")["trace_rate"] == client.get_trace_settings()["trace_rate"] == "1"
    new = client.update_trace_settings(settings={"trace_rate": "7", "trace_count": "9"})
    assert (new["trace_rate"], new["trace_count"]) == ("7", "9")
    assert client.get_trace_settings("m")["trace_rate"] == "5"
    assert client.get_trace_settings("m")["trace_count"] == "9"
    assert client.get_trace_settings("n")["trace_rate"] == "7"
    client.close()


@case("TR05", "HTTP", "tritonclient http: None for a model's own setting, and for the server's", "the model follows again; the server goes back to its start")
def test_clearing_over_http(traced):
    client = triton_http.InferenceServerClient(traced.http_url)
    client.update_trace_settings("m", {"trace_rate": "5", "trace_level": ["OFF"], "log_frequency": "3", "trace_count": "2"})
    cleared = client.update_trace_settings("m", {"trace_rate": None, "trace_level": None, "log_frequency": None})
    assert (cleared["trace_rate"], cleared["trace_level"], cleared["log_frequency"], cleared["trace_count"]) == ("1", ["TIMESTAMPS"], "0", "2")
    client.update_trace_settings(settings={"trace_rate": "8"})
    assert client.get_trace_settings("m")["trace_rate"] == "8"
    assert client.update_trace_settings(settings={"trace_rate": None})["trace_rate"] == "1"
    client.close()


@case("TR06", "gRPC", "tritonclient grpc: update, clear, get", "likewise; an empty list of values clears")
def test_triton_grpc(traced):
    client = triton_grpc.InferenceServerClient(traced.grpc_url)
    client.update_trace_settings("m", {"trace_rate": "5", "trace_level": ["TIMESTAMPS", "TENSORS"], "trace_count": "4"})
    answer = client.get_trace_settings("m", as_json=True)["settings"]
    assert answer["trace_rate"] == {"value": ["5"]} and answer["trace_level"] == {"value": ["TIMESTAMPS", "TENSORS"]}
    answer = client.update_trace_settings("m", {"trace_rate": None, "trace_level": None}, as_json=True)["settings"]
    assert answer["trace_rate"] == {"value": ["1"]} and answer["trace_level"] == {"value": ["TIMESTAMPS"]}
    assert answer["trace_count"] == {"value": ["4"]}
    client.close()


@case("TR07", "HTTP, gRPC", "both asyncio clients", "likewise")
def test_triton_aio(traced):
    async def talk():
        async with triton_http_aio.InferenceServerClient(traced.http_url) as client:
            assert (await client.update_trace_settings("m", {"trace_rate": "3"}))["trace_rate"] == "3"
        async with triton_grpc_aio.InferenceServerClient(traced.grpc_url) as client:
            await client.update_trace_settings(settings={"trace_rate": "2"})
            return await client.get_trace_settings("m", as_json=True), await client.get_trace_settings(as_json=True)

    mine, all_of = asyncio.run(talk())
    assert mine["settings"]["trace_rate"]["value"] == ["3"] and all_of["settings"]["trace_rate"]["value"] == ["2"]


WRONG = [
    {"trace_level": ["MAX"]},
    {"trace_level": ["OFF", "TIMESTAMPS"]},
    {"trace_level": [["TIMESTAMPS"]]},
    {"trace_level": {"a": 1}},
    {"trace_rate": "x"},
    {"trace_rate": "-1"},
    {"trace_rate": "4294967296"},
    {"trace_rate": "1.5"},
    {"trace_rate": ["1", "2"]},
    {"trace_rate": True},
    {"trace_rate": "0"},
    {"trace_count": "-2"},
    {"trace_count": "2147483648"},
    {"trace_count": ""},
    {"log_frequency": "-1"},
    {"log_frequency": 0.5},
]


@pytest.mark.parametrize("wrong", WRONG, ids=json.dumps)
@case("TR08", "HTTP", "a value of the wrong kind, out of range, or by which nothing could be traced", "400; nothing is changed, whatever else is asked for")
def test_wrong_values(traced, wrong):
    before = settings(traced)
    answer = change(traced, {"log_frequency": "5", "trace_count": "7", **wrong})
    assert answer.status == 400 and answer.error
    assert settings(traced) == before


@case("TR09", "gRPC", "the same", "INVALID_ARGUMENT")
def test_wrong_grpc_values(traced):
    for name, values in [("trace_level", ["OFF", "TENSORS"]), ("trace_rate", ["1", "2"]), ("trace_count", ["-2"]), ("log_frequency", ["x"])]:
        message = pb.TraceSettingRequest()
        message.settings[name].value.extend(values)
        code, text = grpc_error(traced.grpc, "TraceSetting", message)
        assert code == grpc.StatusCode.INVALID_ARGUMENT, text


@case("TR10", "HTTP, gRPC", "trace_file and trace_mode in an update", "501, UNIMPLEMENTED, with Triton's text: not over the network")
def test_file_and_mode_are_read_only(traced):
    text = "trace file location can not be updated through network protocol"
    for value in ("/tmp/x", None, ""):
        answer = change(traced, {"trace_file": value, "trace_rate": "9"})
        assert (answer.status, answer.error) == (501, text)
    assert change(traced, {"trace_mode": "opentelemetry"}).status == 501
    with triton_grpc.InferenceServerClient(traced.grpc_url) as client:
        with pytest.raises(InferenceServerException) as raised:
            client.update_trace_settings(settings={"trace_file": "x"})
    assert (raised.value.status(), raised.value.message()) == ("StatusCode.UNIMPLEMENTED", text)
    assert settings(traced)["trace_rate"] == "1"


@case("TR11", "HTTP", "unknown keys, an empty object, an empty body", "200: nothing is changed")
def test_nothing_to_change(traced):
    before = settings(traced)
    for body in ({}, {"other": [[{}]], "trace_speed": 1}, b"", b" "):
        answer = change(traced, body)
        assert answer.status == 200 and answer.json == before
    assert change(traced, {"other": 1}, "m").json == before


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b'"x"', b"\xff", b"{}x", b"[" * 100000])
@case("TR12", "HTTP", "a body that is no object", "400")
def test_no_object(traced, body):
    assert change(traced, body).status == 400


@case("TR13", "HTTP, gRPC", "settings of a model that is not there", "404, NOT_FOUND")
def test_unknown_model(traced):
    assert get(traced.http, "/v2/models/none/trace/setting").status == 404
    assert change(traced, {"trace_rate": "2"}, "none").status == 404
    code, _ = grpc_error(traced.grpc, "TraceSetting", pb.TraceSettingRequest(model_name="none"))
    assert code == grpc.StatusCode.NOT_FOUND


@case("TR14", "HTTP", "a path with /versions/; another method; the metrics port", "404; 405 with Allow; 404")
def test_other_paths(traced):
    assert get(traced.http, "/v2/models/m/versions/1/trace/setting").status == 404
    assert request(traced.http, "POST", "/v2/models/m/versions/1/trace/setting", b"{}").status == 404
    answer = request(traced.http, "DELETE", "/v2/trace/setting")
    assert answer.status == 405 and answer.headers["allow"] == "GET, POST"
    assert get(traced.metrics, "/v2/trace/setting").status == 404


@case("TR15", "HTTP", "numbers in place of strings, one level as a string", "taken too")
def test_kinder_than_triton(traced):
    answer = change(traced, {"trace_rate": 12, "trace_count": -1, "trace_level": "TENSORS"})
    assert answer.status == 200
    assert (answer.json["trace_rate"], answer.json["trace_level"]) == ("12", ["TENSORS"])


@case("TR16", "HTTP", "a server that was started without a file, then level TIMESTAMPS", "400: the flag that is missing; OFF is good")
def test_no_file(serve):
    server = serve()
    answer = change(server, {"trace_level": ["TIMESTAMPS"]})
    assert answer.status == 400 and "--trace-config=triton,file=" in answer.error
    assert change(server, {"trace_level": ["OFF"], "trace_rate": "0"}).status == 200


# ---- files ----


@case("TR17", "HTTP", "an inference", "a record of model, version and id, and every point once, in order of time")
def test_points_over_http(traced, path):
    infer(traced, identity="r1")
    traces = wait_for_traces(path, 1)
    assert traces.heads[1] == {"id": 1, "model_name": "m", "model_version": 1, "request_id": "r1"}
    assert traces.points(1) == HTTP_POINTS
    times = [ns for _, ns in traces.stamps[1]]
    assert times == sorted(times) and times[0] > 0


@case("TR18", "gRPC", "an inference", "the same with gRPC's names")
def test_points_over_grpc(traced, path):
    grpc_infer(traced.grpc, infer_message("m", ("IN", "INT32", [1, 1], bytes(4)), id="g1"))
    traces = wait_for_traces(path, 1)
    assert traces.heads[1]["request_id"] == "g1" and traces.points(1) == GRPC_POINTS


@case("TR19", "HTTP", "a request without an id", "no request_id in the record")
def test_without_id(traced, path):
    infer(traced)
    assert list(wait_for_traces(path, 1).heads[1]) == ["id", "model_name", "model_version"]


@pytest.mark.parametrize("identity", ['a"b', "a\nb", '"},{"id":9,"model_name":"forged"', "\\", "\x00\x1f", "日本", "x" * 3000], ids=lambda text: ascii(text[:12]))
@case("TR20", "HTTP", "hostile request ids", "escaped: the file is JSON and holds the id as it was sent (512 bytes of it)")
def test_hostile_ids(traced, path, identity):
    infer(traced, identity=identity)
    traces = wait_for_traces(path, 1)
    assert len(traces.heads) == 1 and traces.heads[1]["request_id"] == identity[:512]


@case("TR21", "HTTP", "many requests at once, the file read all the while", "valid JSON between two appends, and only growing; every request once, all of its points")
def test_the_file_is_valid_all_the_while(traced, path):
    infer(traced)
    sizes = []
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(infer, traced, "m", f"r{i}") for i in range(200)]
        while not all(f.done() for f in running):
            sizes.append(len(records(path)))
        [f.result() for f in running]
    assert sizes == sorted(sizes)
    traces = wait_for_traces(path, 201)
    assert sorted(traces.heads) == list(range(1, 202))
    assert {head.get("request_id") for head in traces.heads.values()} == {None, *[f"r{i}" for i in range(200)]}
    assert all(sorted(traces.points(i)) == sorted(HTTP_POINTS) for i in traces.heads)


@case("TR22", "HTTP", "rate 3", "every third request")
def test_rate(serve, path):
    server = serve("level=TIMESTAMPS", "rate=3", f"triton,file={path}")
    for i in range(9):
        infer(server, identity=str(i))
    server.stop()
    assert [head["request_id"] for head in Traces(path).heads.values()] == ["2", "5", "8"]


@case("TR23", "HTTP", "count 2, then a new count", "two traces, what is left is told; then more")
def test_count(serve, path):
    server = serve("level=TIMESTAMPS", "rate=1", "count=2", f"triton,file={path}")
    infer(server, identity="0")
    assert settings(server)["trace_count"] == "1"
    for i in range(1, 5):
        infer(server, identity=str(i))
    assert settings(server)["trace_count"] == "0"
    change(server, {"trace_count": "1"})
    for i in range(5, 7):
        infer(server, identity=str(i))
    server.stop()
    assert [head["request_id"] for head in Traces(path).heads.values()] == ["0", "1", "5"]


@case("TR24", "HTTP", "log_frequency 2, five traces", "files .0, .1 and .2 with 2, 2 and 1 of them, none without a number")
def test_log_frequency(serve, path):
    server = serve("level=TIMESTAMPS", "rate=1", "triton,log-frequency=2", f"triton,file={path}")
    for i in range(5):
        infer(server, identity=str(i))
    server.stop()
    found = {file.name: [head["request_id"] for head in Traces(file).heads.values()] for file in path.parent.glob("trace.json*")}
    assert found == {"trace.json.0": ["0", "1"], "trace.json.1": ["2", "3"], "trace.json.2": ["4"]}


@case("TR25", "HTTP", "one model traced alone, then cleared", "only its requests are in the file")
def test_one_model(serve, path):
    server = serve(f"triton,file={path}", "rate=1")
    assert change(server, {"trace_level": ["TIMESTAMPS"]}, "n").status == 200
    infer(server, "m")
    infer(server, "n", identity="yes")
    assert change(server, {"trace_level": None}, "n").status == 200
    infer(server, "n")
    server.stop()
    assert [head.get("request_id") for head in Traces(path).heads.values()] == ["yes"]


@case("TR26", "HTTP", "switched on and off while requests run", "those in between are traced")
def test_on_and_off(serve, path):
    server = serve(f"triton,file={path}", "rate=1")
    for level in ("OFF", "TIMESTAMPS", "OFF", "TIMESTAMPS"):
        change(server, {"trace_level": [level]})
        infer(server, identity=level)
    server.stop()
    assert [head["request_id"] for head in Traces(path).heads.values()] == ["TIMESTAMPS", "TIMESTAMPS"]


@case("TR27", "HTTP", "level TENSORS alone", "inputs and outputs with name, shape, datatype and values; no times")
def test_tensors(serve, path):
    server = serve("level=TENSORS", "rate=1", f"triton,file={path}")
    body = {"inputs": [infer_input([1, -2, 3], shape=[3, 1])]}
    assert post_infer(server.http, "m", body).status == 200
    traces = wait_for_traces(path, 1)
    tensor = {"data": "1,-2,3", "shape": "3,1", "dtype": "INT32"}
    assert traces.tensors[1] == [("TENSOR_QUEUE_INPUT", {"name": "IN", **tensor}), ("TENSOR_BACKEND_OUTPUT", {"name": "OUT", **tensor})]
    assert traces.stamps == {}


VALUES = {
    "BOOL": ([True, False], "1,0"),
    "UINT8": ([0, 255], "0,255"),
    "INT64": ([-(2**63), 1], "-9223372036854775808,1"),
    "UINT64": ([2**64 - 1], "18446744073709551615"),
    "FP16": ([0.5, -2.0], "0.5,-2.0"),
    "BF16": ([1.5], "1.5"),
    "FP32": ([0.1, 1e30], "0.1,1e30"),
    "FP64": ([0.1], "0.1"),
    "BYTES": (['a"b', "", "é\n"], '"a\\"b","","é\\n"'),
}


@pytest.mark.parametrize("datatype", VALUES)
@case("TR28", "HTTP", "level TENSORS, every kind of datatype", "values as text; strings in quotes, escaped")
def test_tensors_of_all_types(start, repository, path, datatype):
    models.add(repository, "t", models.BATCHED + models.pair(datatype, "-1"))
    server = start(repository, "--trace-config=level=TENSORS", "--trace-config=rate=1", f"--trace-config=triton,file={path}")
    data, text = VALUES[datatype]
    if datatype in ("FP16", "BF16"):
        raw = np.array(data, np.float32)
        raw = raw.astype(np.float16).tobytes() if datatype == "FP16" else b"".join(struct.pack("<I", v)[2:] for v in raw.view(np.uint32).tolist())
        grpc_infer(server.grpc, infer_message("t", ("IN", datatype, [1, len(data)], raw)))
    else:
        assert post_infer(server.http, "t", {"inputs": [infer_input(data, datatype=datatype)]}).status == 200
    ((_, input_tensor), (_, output_tensor)) = wait_for_traces(path, 1).tensors[1]
    assert input_tensor["data"] == output_tensor["data"]
    if datatype == "FP32":
        assert [float(v) for v in input_tensor["data"].split(",")] == data
    else:
        assert input_tensor["data"] == text


@pytest.mark.parametrize("datatype", ["INT32", "BYTES"])
@case("TR29", "HTTP, gRPC", "level TENSORS and a large tensor; strings that are not UTF-8", "cut at whole elements and marked; the file is JSON all the same")
def test_large_tensors(start, repository, path, datatype):
    models.add(repository, "t", models.BATCHED + models.pair(datatype, "-1"))
    server = start(repository, "--trace-config=level=TENSORS", "--trace-config=rate=1", f"--trace-config=triton,file={path}")
    count = 200_000
    raw = np.arange(count, dtype=np.int32).tobytes() if datatype == "INT32" else (struct.pack("<I", 3) + b'a\xff"') * count
    grpc_infer(server.grpc, infer_message("t", ("IN", datatype, [1, count], raw)))
    for _, tensor in wait_for_traces(path, 1).tensors[1]:
        assert tensor["truncated"] is True and len(tensor["data"]) < 1 << 20
        elements = json.loads("[" + tensor["data"] + "]")
        assert 100 < len(elements) < count
        assert elements == (list(range(len(elements))) if datatype == "INT32" else ['a\ufffd"'] * len(elements))


@case("TR30", "HTTP", "an inference that the engine fails", "a trace with times; no output tensors")
def test_a_failed_inference(serve, path):
    server = serve("level=TIMESTAMPS", "level=TENSORS", "rate=1", f"triton,file={path}")
    infer(server, "bad", status=500)
    traces = wait_for_traces(path, 1)
    assert {"REQUEST_START", "REQUEST_END", "HTTP_SEND_END"} <= set(traces.points(1))
    assert [activity for activity, _ in traces.tensors[1]] == ["TENSOR_QUEUE_INPUT"]


@case("TR31", "HTTP", "inferences that are refused", "none, or one without what did not happen; the file is JSON")
def test_refused_inferences(traced, path):
    assert post_infer(traced.http, "none", GOOD).status == 404
    assert post_infer(traced.http, "m", b"{").status == 400
    infer(traced, identity="good")
    wait_until(lambda: "good" in [head.get("request_id") for head in Traces(path).heads.values()])
    for i, head in Traces(path).heads.items():
        assert "COMPUTE_START" in Traces(path).points(i) or head["model_name"] == "none"


@case("TR32", "HTTP", "a client that resets its connection in the middle", "a trace without HTTP_SEND_END; the server goes on")
def test_lost_client(start, repository, path):
    models.add(repository, "slow", models.PLAIN + models.pair("INT32", "1") + models.parameter("execute_delay_ms", "500"))
    server = start(repository, "--trace-config=level=TIMESTAMPS", "--trace-config=rate=1", f"--trace-config=triton,file={path}", "--http-thread-count=1")
    body = json.dumps({"inputs": [infer_input([1], shape=[1])]}).encode()
    with Socket(server.http) as connection:
        connection.send(b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert get(server.http, "/v2").status == 200  # the only loop has taken the bytes before
        connection.abort()
    points = wait_for_traces(path, 1).points(1)
    assert "REQUEST_START" in points and "HTTP_SEND_END" not in points


@case("TR33", "flag", "a file in a folder that does not exist", "the server serves; the log tells once that traces are lost, metrics count them")
def test_file_that_cannot_be_written(serve, tmp_path):
    server = serve("level=TIMESTAMPS", "rate=1", f"triton,file={tmp_path}/none/t.json")
    for _ in range(5):
        infer(server)
    server.wait_for("traces are lost: cannot open trace file")
    wait_until(lambda: trace_metric(server, "failed") == 5)
    assert server.log.count("traces are lost") == 1


@case("TR34", "HTTP", "the server restarted with the same file", "the file begins anew")
def test_restart(start, repository, path):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    flags = ["--trace-config=level=TIMESTAMPS", "--trace-config=rate=1", f"--trace-config=triton,file={path}"]
    for identity in ("first", "second"):
        server = start(repository, *flags)
        infer(server, identity=identity)
        server.stop()
    assert [head["request_id"] for head in Traces(path).heads.values()] == ["second"]


def trace_metric(server, outcome):
    text = get(server.metrics, "/metrics").body.decode()
    (family,) = [f for f in text_string_to_metric_families(text) if f.name == "inferd_traces"]
    (sample,) = [s for s in family.samples if s.labels == {"outcome": outcome}]
    return sample.value


@case("TR35", "HTTP", "GET /metrics", "traces that were written, dropped and failed")
def test_metrics(traced, path):
    infer(traced)
    infer(traced)
    wait_until(lambda: trace_metric(traced, "written") == 2)
    assert trace_metric(traced, "dropped") == trace_metric(traced, "failed") == 0


@case("TR54", "gRPC stream", "requests on one stream: two of a model that answers once, one of a decoupled model with three responses", "a trace for each request; of the last, three completed responses and sends")
def test_streams(start, repository, path):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    models.add(repository, "many", models.BATCHED + models.pair("INT32", "-1") + "model_transaction_policy { decoupled: true }\n" + models.parameter("responses", "3"))
    server = start(repository, "--trace-config=level=TIMESTAMPS", "--trace-config=rate=1", f"--trace-config=triton,file={path}")
    with Stream(server.grpc) as stream:
        for model, identity in (("m", "a"), ("m", "b"), ("many", "c")):
            stream.send(infer_message(model, ("IN", "INT32", [1, 1], bytes(4)), id=identity))
        stream.rest()
    traces = wait_for_traces(path, 3)
    by_id = {head["request_id"]: traces.points(i) for i, head in traces.heads.items()}
    assert by_id["a"] == by_id["b"] == GRPC_POINTS
    many = by_id["c"]
    assert sorted(set(many)) == sorted(GRPC_POINTS)
    assert many.count("INFER_RESPONSE_COMPLETE") == many.count("GRPC_SEND_START") == 3
    assert many.count("GRPC_SEND_END") == many.count("REQUEST_END") == 1


@case("TR55", "HTTP", "an inference of TRTIS v1", "a trace as of any other")
def test_trtis_v1(start, repository, path):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    server = start(repository, "--trace-config=level=TIMESTAMPS", "--trace-config=rate=1", f"--trace-config=triton,file={path}")
    head = 'batch_size: 1 input { name: "IN" dims: [ 2 ] } output { name: "OUT" }'
    assert request(server.http, "POST", "/api/infer/m", bytes(8), {"NV-InferRequest": head}).status == 200
    traces = wait_for_traces(path, 1)
    assert traces.heads[1]["model_name"] == "m" and traces.points(1) == HTTP_POINTS


@case("TR56", "HTTP", "generate, and generate_stream of a decoupled model with three responses", "a trace each, with a completed response and a send for each of the three")
def test_generate(start, repository, path):
    models.add(repository, "m", models.PLAIN + models.pair("INT32", "1"))
    models.add(repository, "many", models.PLAIN + models.pair("INT32", "1") + "model_transaction_policy { decoupled: true }\n" + models.parameter("responses", "3"))
    server = start(repository, "--trace-config=level=TIMESTAMPS", "--trace-config=rate=1", f"--trace-config=triton,file={path}")
    assert request(server.http, "POST", "/v2/models/m/generate", b'{"IN": 1, "id": "g"}').status == 200
    assert request(server.http, "POST", "/v2/models/many/generate_stream", b'{"IN": 1, "id": "s"}').status == 200
    traces = wait_for_traces(path, 2)
    by_id = {head["request_id"]: traces.points(i) for i, head in traces.heads.items()}
    assert by_id["g"] == HTTP_POINTS
    assert sorted(set(by_id["s"])) == sorted(HTTP_POINTS)
    assert by_id["s"].count("INFER_RESPONSE_COMPLETE") == by_id["s"].count("HTTP_SEND_START") == 3


# ---- flags ----


@pytest.mark.parametrize(
    "settings_given, part",
    [
        (["level=MAX"], "level: expected OFF, TIMESTAMPS or TENSORS"),
        (["speed=1"], "unknown setting 'speed'"),
        (["rate=x"], "rate: expected a whole number"),
        (["level=TIMESTAMPS"], "trace file name is not given"),
        (["level=TIMESTAMPS", "triton,file=x", "rate=0"], "sample rate must be non-zero"),
        (["level=TENSORS", "mode=opentelemetry"], "triton mode only"),
        (["opentelemetry,url=https://x:1"], "there is no TLS to collectors"),
        (["opentelemetry,bsp_max_queue_size=5"], "bsp_max_export_batch_size: expected at most"),
    ],
    ids=lambda value: value if isinstance(value, str) else ";".join(value),
)
@case("TR36", "flag", "--trace-config that is wrong, or by which nothing could be traced", "exit code 2, and why")
def test_wrong_flags(settings_given, part, repository):
    ended = run("serve", "--model-repository", str(repository), *[f"--trace-config={setting}" for setting in settings_given])
    assert ended.returncode == 2 and "--trace-config: " in ended.stderr and part in ended.stderr


@pytest.mark.parametrize("flag", ["--trace-file=x", "--trace-level=OFF", "--trace-rate=1", "--trace-count=1", "--trace-log-frequency=1", "--log-frequency=1"])
@case("TR37", "flag", "Triton's old flags of traces", "exit code 2, with what to say in their place")
def test_old_flags(flag, repository):
    ended = run("serve", "--model-repository", str(repository), flag)
    assert ended.returncode == 2 and "use --trace-config=" in ended.stderr


@case("TR38", "environment", "INFERD_TRACE_CONFIG with ';' between", "as the flags")
def test_environment(start, repository, path):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    config = f"level=TIMESTAMPS;rate=1;triton,file={path};opentelemetry,url=http://a:1/b"
    server = start(repository, environment={"INFERD_TRACE_CONFIG": config})
    assert settings(server)["trace_rate"] == "1" and settings(server)["trace_file"] == str(path)


# ---- OpenTelemetry ----


@case("TR39", "HTTP", "an inference in opentelemetry mode", "three spans: InferRequest, the model, compute; each the parent of the next, with its points as events")
def test_three_spans(exporting, collector):
    infer(exporting, identity="r1")
    root, model, compute = collector.wait_for(3)
    assert (root.name, model.name, compute.name) == ("InferRequest", "m", "compute")
    assert root.parent_span_id == b"" and model.parent_span_id == root.span_id and compute.parent_span_id == model.span_id
    assert len({span.trace_id for span in (root, model, compute)}) == 1 and len({span.span_id for span in (root, model, compute)}) == 3
    assert len(root.trace_id) == 16 and any(root.trace_id) and len(root.span_id) == 8
    assert (root.kind, model.kind, compute.kind) == (2, 1, 1)
    assert events(root) == ["HTTP_RECV_START", "HTTP_RECV_END", "HTTP_SEND_START", "HTTP_SEND_END"]
    assert events(model) == ["REQUEST_START", "QUEUE_START", "INFER_RESPONSE_COMPLETE", "REQUEST_END"]
    assert events(compute) == ["COMPUTE_START", "COMPUTE_INPUT_END", "COMPUTE_OUTPUT_START", "COMPUTE_END"]
    assert attributes(model) == {
        "triton.model_name": "m", "triton.model_version": 1, "triton.trace_id": 1, "triton.trace_parent_id": 0, "triton.request_id": "r1",
    }  # fmt: skip
    for inner, outer in ((model, root), (compute, model)):
        assert outer.start_time_unix_nano <= inner.start_time_unix_nano <= inner.end_time_unix_nano <= outer.end_time_unix_nano
    assert all(span.start_time_unix_nano <= event.time_unix_nano <= span.end_time_unix_nano for span in (root, model, compute) for event in span.events)
    assert abs(root.start_time_unix_nano / 1e9 - time.time()) < 3600
    assert {span.status.code for span in (root, model, compute)} == {0}


@case("TR40", "HTTP", "what the collector is sent", "POST of the url's path, application/x-protobuf, scope and resource")
def test_request_to_the_collector(exporting, collector):
    infer(exporting)
    collector.wait_for(3)
    path, kind, message = collector.requests[0]
    assert (path, kind) == ("/v1/traces", "application/x-protobuf")
    assert collector.resource() == {"service.name": "inferd"}
    scope = message.resource_spans[0].scope_spans[0].scope
    assert scope.name == "inferd" and re.fullmatch(r"\d+\.\d+\.\d+", scope.version)


@case("TR41", "gRPC", "an inference in opentelemetry mode", "the same with gRPC's names")
def test_spans_of_grpc(exporting, collector):
    grpc_infer(exporting.grpc, infer_message("m", ("IN", "INT32", [1, 1], bytes(4))))
    root = collector.wait_for(3)[0]
    assert events(root) == ["GRPC_WAITREAD_START", "GRPC_WAITREAD_END", "GRPC_SEND_START", "GRPC_SEND_END"]


@case("TR42", "HTTP, gRPC", "a traceparent that is sampled, rate 0", "traced, in the client's trace, below its span")
def test_client_context(serve, collector):
    server = serve("level=TIMESTAMPS", "rate=0", "count=0", "mode=opentelemetry", f"opentelemetry,url={collector.url}",
                   "opentelemetry,bsp_schedule_delay=10")  # fmt: skip
    infer(server)
    infer(server, headers={"traceparent": PARENT})
    message = infer_message("m", ("IN", "INT32", [1, 1], bytes(4)))
    grpc_infer(server.grpc, message, metadata=[("traceparent", PARENT)])
    spans = collector.wait_for(6)
    assert len(spans) == 6
    assert {span.trace_id.hex() for span in spans} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    roots = [span for span in spans if span.name == "InferRequest"]
    assert {span.parent_span_id.hex() for span in roots} == {"00f067aa0ba902b7"}


@case("TR43", "HTTP", "a traceparent that is not sampled, rate 1", "not traced; without one, and with a broken one, traced as ever")
def test_client_that_does_not_sample(exporting, collector):
    infer(exporting, identity="no", headers={"traceparent": PARENT[:-2] + "00"})
    infer(exporting, identity="plain")
    infer(exporting, identity="broken", headers={"traceparent": "00-xyz"})
    spans = collector.wait_for(6)
    identities = [attributes(span).get("triton.request_id") for span in spans if span.name == "m"]
    assert identities == ["plain", "broken"]
    assert all(span.parent_span_id == b"" for span in spans if span.name == "InferRequest")


@case("TR44", "HTTP", "an inference that fails", "spans with an error status and the message")
def test_error_status(exporting, collector):
    infer(exporting, "bad", status=500)
    spans = collector.wait_for(2)
    root, model = spans[:2]
    assert (root.status.code, model.status.code) == (2, 2) and "fail_executions" in root.status.message


@case("TR45", "flag", "opentelemetry,resource=k=v, several, and one twice", "attributes of the resource; the last of equal ones")
def test_resources(serve, collector):
    server = serve("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={collector.url}", "opentelemetry,bsp_schedule_delay=10",
                   "opentelemetry,resource=service.name=a", "opentelemetry,resource=deployment=x=y", "opentelemetry,resource=service.name=bert")  # fmt: skip
    infer(server)
    collector.wait_for(3)
    assert collector.resource() == {"service.name": "bert", "deployment": "x=y"}


@case("TR46", "HTTP", "settings in opentelemetry mode", "no file and no frequency; url and bsp_*; level, rate and count can be changed, TENSORS cannot be asked for")
def test_settings_in_opentelemetry_mode(exporting, collector):
    told = settings(exporting)
    assert told == {
        "trace_level": ["TIMESTAMPS"], "trace_rate": "1", "trace_count": "-1", "trace_mode": "opentelemetry", "url": collector.url,
        "bsp_max_queue_size": "2048", "bsp_schedule_delay": "10", "bsp_max_export_batch_size": "512",
    }  # fmt: skip
    assert change(exporting, {"trace_rate": "2"}).json["trace_rate"] == "2"
    assert change(exporting, {"trace_level": ["TENSORS"]}).status == 400
    assert change(exporting, {"trace_level": ["OFF"]}).json["trace_level"] == ["OFF"]


@case("TR47", "HTTP", "bsp_max_export_batch_size 6 and a long delay, five requests", "portions of two traces at once; the rest when the server stops")
def test_batches(serve, collector):
    server = serve("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={collector.url}",
                   "opentelemetry,bsp_schedule_delay=3600000", "opentelemetry,bsp_max_export_batch_size=6")  # fmt: skip
    for i in range(5):
        infer(server, identity=str(i))
    collector.wait_for(12)
    server.stop()
    spans = collector.spans
    assert sorted(attributes(span)["triton.request_id"] for span in spans if span.name == "m") == ["0", "1", "2", "3", "4"]
    assert all(len(m.resource_spans[0].scope_spans[0].spans) <= 6 for _, _, m in collector.requests)


@case("TR48", "HTTP", "no collector there", "requests are answered as ever; the log tells once, metrics count; the server ends cleanly")
def test_dead_collector(serve):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/traces"
        server = serve("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={url}", "opentelemetry,bsp_schedule_delay=1")
        for _ in range(20):
            infer(server)
        wait_until(lambda: trace_metric(server, "failed") == 20)
        server.wait_for("traces are lost: no connection to the collector")
        server.stop()
    assert server.log.count("traces are lost") == 1


@case("TR49", "HTTP", "a collector that comes up later", "the log tells that traces are written again, and how many were lost")
def test_collector_comes_back(serve, collector):
    collector.status = 503
    server = serve("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={collector.url}", "opentelemetry,bsp_schedule_delay=1")
    infer(server)
    server.wait_for("traces are lost: .*answered: HTTP/1.0 503")
    collector.status = 200
    infer(server)
    server.wait_for("traces are written again; 1 were lost")
    assert trace_metric(server, "written") == 1


@case("TR50", "HTTP", "a collector that takes ages, a queue of 30 spans, hundreds of requests", "all are answered; what does not fit is dropped and counted; the end comes within seconds")
def test_slow_collector(serve):
    slow = Collector(delay=120)
    server = serve("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={slow.url}", "opentelemetry,bsp_schedule_delay=1",
                   "opentelemetry,bsp_max_queue_size=30", "opentelemetry,bsp_max_export_batch_size=3")  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: infer(server, identity=str(i)), range(300)))
    wait_until(lambda: trace_metric(server, "dropped") >= 280)
    server.stop()
    slow.stop()


@case("TR51", "HTTP", "hostile ids and names in spans", "valid UTF-8, as they were sent")
def test_hostile_ids_in_spans(exporting, collector):
    for i, identity in enumerate(['a"b', "a\nb\x00", "日本", "x" * 3000]):
        infer(exporting, identity=identity)
        spans = collector.wait_for(3 * (i + 1))
        assert attributes(spans[-2])["triton.request_id"] == identity[:512]


@case("TR52", "flag", "opentelemetry,url without a scheme and a path", "http and /v1/traces")
def test_url_without_scheme(serve, collector):
    address = collector.url.removeprefix("http://").removesuffix("/v1/traces")
    server = serve("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={address}", "opentelemetry,bsp_schedule_delay=10")
    infer(server)
    collector.wait_for(3)
    assert collector.requests[0][0] == "/v1/traces"


@case("TR53", "flag", "a collector named by a host that does not exist", "the server serves, and ends")
def test_unknown_host(serve):
    server = serve("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", "opentelemetry,url=http://no-such-host.invalid:4318", "opentelemetry,bsp_schedule_delay=1")
    infer(server)
    server.wait_for("traces are lost")
    infer(server)
