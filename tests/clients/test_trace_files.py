"""Trace files: the points and tensors of an inference, sampling, and files that fail."""

import json
import struct
from concurrent.futures import ThreadPoolExecutor

import models
import numpy as np
import pytest
from cases import case
from serving import wait_until
from streaming import Stream
from tracing import GOOD, Traces, change, infer, records, settings, trace_metric, wait_for_traces
from wire import Socket, get, grpc_infer, infer_input, infer_message, post_infer, request

HTTP_POINTS = [
    "HTTP_RECV_START", "HTTP_RECV_END", "REQUEST_START", "QUEUE_START", "COMPUTE_START", "COMPUTE_INPUT_END",
    "COMPUTE_OUTPUT_START", "COMPUTE_END", "INFER_RESPONSE_COMPLETE", "REQUEST_END", "HTTP_SEND_START", "HTTP_SEND_END",
]  # fmt: skip
GRPC_POINTS = [name.replace("HTTP_RECV", "GRPC_WAITREAD").replace("HTTP", "GRPC") for name in HTTP_POINTS]


@case("TR17", "HTTP", "an inference", "a record of model, version and id, and every point once, in order of time")
def test_points_over_http(traced, trace_path):
    infer(traced, identity="r1")
    traces = wait_for_traces(trace_path, 1)
    assert traces.heads[1] == {"id": 1, "model_name": "m", "model_version": 1, "request_id": "r1"}
    assert traces.points(1) == HTTP_POINTS
    times = [ns for _, ns in traces.stamps[1]]
    assert times == sorted(times) and times[0] > 0


@case("TR18", "gRPC", "an inference", "the same with gRPC's names")
def test_points_over_grpc(traced, trace_path):
    grpc_infer(traced.grpc, infer_message("m", ("IN", "INT32", [1, 1], bytes(4)), id="g1"))
    traces = wait_for_traces(trace_path, 1)
    assert traces.heads[1]["request_id"] == "g1" and traces.points(1) == GRPC_POINTS


@case("TR19", "HTTP", "a request without an id", "no request_id in the record")
def test_without_id(traced, trace_path):
    infer(traced)
    assert list(wait_for_traces(trace_path, 1).heads[1]) == ["id", "model_name", "model_version"]


@pytest.mark.parametrize("identity", ['a"b', "a\nb", '"},{"id":9,"model_name":"forged"', "\\", "\x00\x1f", "日本", "x" * 3000], ids=lambda text: ascii(text[:12]))
@case("TR20", "HTTP", "hostile request ids", "escaped: the file is JSON and holds the id as it was sent (512 bytes of it)")
def test_hostile_ids(traced, trace_path, identity):
    infer(traced, identity=identity)
    traces = wait_for_traces(trace_path, 1)
    assert len(traces.heads) == 1 and traces.heads[1]["request_id"] == identity[:512]


@case("TR21", "HTTP", "many requests at once, the file read all the while", "valid JSON between two appends, and only growing; every request once, all of its points")
def test_the_file_is_valid_all_the_while(traced, trace_path):
    infer(traced)
    sizes = []
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(infer, traced, "m", f"r{i}") for i in range(200)]
        while not all(f.done() for f in running):
            sizes.append(len(records(trace_path)))
        [f.result() for f in running]
    assert sizes == sorted(sizes)
    traces = wait_for_traces(trace_path, 201)
    assert sorted(traces.heads) == list(range(1, 202))
    assert {head.get("request_id") for head in traces.heads.values()} == {None, *[f"r{i}" for i in range(200)]}
    assert all(sorted(traces.points(i)) == sorted(HTTP_POINTS) for i in traces.heads)


@case("TR22", "HTTP", "rate 3", "every third request")
def test_rate(start_tracing, trace_path):
    server = start_tracing("level=TIMESTAMPS", "rate=3", f"triton,file={trace_path}")
    for i in range(9):
        infer(server, identity=str(i))
    server.stop()
    assert [head["request_id"] for head in Traces(trace_path).heads.values()] == ["2", "5", "8"]


@case("TR23", "HTTP", "count 2, then a new count", "two traces, what is left is told; then more")
def test_count(start_tracing, trace_path):
    server = start_tracing("level=TIMESTAMPS", "rate=1", "count=2", f"triton,file={trace_path}")
    infer(server, identity="0")
    assert settings(server)["trace_count"] == "1"
    for i in range(1, 5):
        infer(server, identity=str(i))
    assert settings(server)["trace_count"] == "0"
    change(server, {"trace_count": "1"})
    for i in range(5, 7):
        infer(server, identity=str(i))
    server.stop()
    assert [head["request_id"] for head in Traces(trace_path).heads.values()] == ["0", "1", "5"]


@case("TR24", "HTTP", "log_frequency 2, five traces", "files .0, .1 and .2 with 2, 2 and 1 of them, none without a number")
def test_log_frequency(start_tracing, trace_path):
    server = start_tracing("level=TIMESTAMPS", "rate=1", "triton,log-frequency=2", f"triton,file={trace_path}")
    for i in range(5):
        infer(server, identity=str(i))
    server.stop()
    found = {file.name: [head["request_id"] for head in Traces(file).heads.values()] for file in trace_path.parent.glob("trace.json*")}
    assert found == {"trace.json.0": ["0", "1"], "trace.json.1": ["2", "3"], "trace.json.2": ["4"]}


@case("TR25", "HTTP", "one model traced alone, then cleared", "only its requests are in the file")
def test_one_model(start_tracing, trace_path):
    server = start_tracing(f"triton,file={trace_path}", "rate=1")
    assert change(server, {"trace_level": ["TIMESTAMPS"]}, "n").status == 200
    infer(server, "m")
    infer(server, "n", identity="yes")
    assert change(server, {"trace_level": None}, "n").status == 200
    infer(server, "n")
    server.stop()
    assert [head.get("request_id") for head in Traces(trace_path).heads.values()] == ["yes"]


@case("TR26", "HTTP", "switched on and off while requests run", "those in between are traced")
def test_on_and_off(start_tracing, trace_path):
    server = start_tracing(f"triton,file={trace_path}", "rate=1")
    for level in ("OFF", "TIMESTAMPS", "OFF", "TIMESTAMPS"):
        change(server, {"trace_level": [level]})
        infer(server, identity=level)
    server.stop()
    assert [head["request_id"] for head in Traces(trace_path).heads.values()] == ["TIMESTAMPS", "TIMESTAMPS"]


@case("TR27", "HTTP", "level TENSORS alone", "inputs and outputs with name, shape, datatype and values; no times")
def test_tensors(start_tracing, trace_path):
    server = start_tracing("level=TENSORS", "rate=1", f"triton,file={trace_path}")
    body = {"inputs": [infer_input([1, -2, 3], shape=[3, 1])]}
    assert post_infer(server.http, "m", body).status == 200
    traces = wait_for_traces(trace_path, 1)
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
def test_tensors_of_all_types(start, repository, trace_path, datatype):
    models.add(repository, "t", models.BATCHED + models.pair(datatype, "-1"))
    server = start(repository, "--trace-config=level=TENSORS", "--trace-config=rate=1", f"--trace-config=triton,file={trace_path}")
    data, text = VALUES[datatype]
    if datatype in ("FP16", "BF16"):
        raw = np.array(data, np.float32)
        raw = raw.astype(np.float16).tobytes() if datatype == "FP16" else b"".join(struct.pack("<I", v)[2:] for v in raw.view(np.uint32).tolist())
        grpc_infer(server.grpc, infer_message("t", ("IN", datatype, [1, len(data)], raw)))
    else:
        assert post_infer(server.http, "t", {"inputs": [infer_input(data, datatype=datatype)]}).status == 200
    ((_, input_tensor), (_, output_tensor)) = wait_for_traces(trace_path, 1).tensors[1]
    assert input_tensor["data"] == output_tensor["data"]
    if datatype == "FP32":
        assert [float(v) for v in input_tensor["data"].split(",")] == data
    else:
        assert input_tensor["data"] == text


@pytest.mark.parametrize("datatype", ["INT32", "BYTES"])
@case("TR29", "HTTP, gRPC", "level TENSORS and a large tensor; strings that are not UTF-8", "cut at whole elements and marked; the file is JSON all the same")
def test_large_tensors(start, repository, trace_path, datatype):
    models.add(repository, "t", models.BATCHED + models.pair(datatype, "-1"))
    server = start(repository, "--trace-config=level=TENSORS", "--trace-config=rate=1", f"--trace-config=triton,file={trace_path}")
    count = 200_000
    raw = np.arange(count, dtype=np.int32).tobytes() if datatype == "INT32" else (struct.pack("<I", 3) + b'a\xff"') * count
    grpc_infer(server.grpc, infer_message("t", ("IN", datatype, [1, count], raw)))
    for _, tensor in wait_for_traces(trace_path, 1).tensors[1]:
        assert tensor["truncated"] is True and len(tensor["data"]) < 1 << 20
        elements = json.loads("[" + tensor["data"] + "]")
        assert 100 < len(elements) < count
        assert elements == (list(range(len(elements))) if datatype == "INT32" else ['a\ufffd"'] * len(elements))


@case("TR30", "HTTP", "an inference that the engine fails", "a trace with times; no output tensors")
def test_a_failed_inference(start_tracing, trace_path):
    server = start_tracing("level=TIMESTAMPS", "level=TENSORS", "rate=1", f"triton,file={trace_path}")
    infer(server, "bad", status=500)
    traces = wait_for_traces(trace_path, 1)
    assert {"REQUEST_START", "REQUEST_END", "HTTP_SEND_END"} <= set(traces.points(1))
    assert [activity for activity, _ in traces.tensors[1]] == ["TENSOR_QUEUE_INPUT"]


@case("TR31", "HTTP", "inferences that are refused", "none, or one without what did not happen; the file is JSON")
def test_refused_inferences(traced, trace_path):
    assert post_infer(traced.http, "none", GOOD).status == 404
    assert post_infer(traced.http, "m", b"{").status == 400
    infer(traced, identity="good")
    wait_until(lambda: "good" in [head.get("request_id") for head in Traces(trace_path).heads.values()])
    for i, head in Traces(trace_path).heads.items():
        assert "COMPUTE_START" in Traces(trace_path).points(i) or head["model_name"] == "none"


@case("TR32", "HTTP", "a client that resets its connection in the middle", "a trace without HTTP_SEND_END; the server goes on")
def test_lost_client(start, repository, trace_path):
    models.add(repository, "slow", models.PLAIN + models.pair("INT32", "1") + models.parameter("execute_delay_ms", "5000"))
    server = start(repository, "--trace-config=level=TIMESTAMPS", "--trace-config=rate=1", f"--trace-config=triton,file={trace_path}", "--http-thread-count=1")
    body = json.dumps({"inputs": [infer_input([1], shape=[1])]}).encode()
    with Socket(server.http) as connection:
        connection.send(b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert get(server.http, "/v2").status == 200  # the only loop has taken the bytes before
        connection.abort()
    points = wait_for_traces(trace_path, 1).points(1)
    assert "REQUEST_START" in points and "HTTP_SEND_END" not in points


@case("TR33", "flag", "a file in a folder that does not exist", "the server serves; the log tells once that traces are lost, metrics count them")
def test_file_that_cannot_be_written(start_tracing, tmp_path):
    server = start_tracing("level=TIMESTAMPS", "rate=1", f"triton,file={tmp_path}/none/t.json")
    for _ in range(5):
        infer(server)
    server.wait_for("traces are lost: cannot open trace file")
    wait_until(lambda: trace_metric(server, "failed") == 5)
    assert server.log.count("traces are lost") == 1


@case("TR34", "HTTP", "the server restarted with the same file", "the file begins anew")
def test_restart(start, repository, trace_path):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    flags = ["--trace-config=level=TIMESTAMPS", "--trace-config=rate=1", f"--trace-config=triton,file={trace_path}"]
    for identity in ("first", "second"):
        server = start(repository, *flags)
        infer(server, identity=identity)
        server.stop()
    assert [head["request_id"] for head in Traces(trace_path).heads.values()] == ["second"]


@case("TR35", "HTTP", "GET /metrics", "traces that were written, dropped and failed")
def test_metrics(traced, trace_path):
    infer(traced)
    infer(traced)
    wait_until(lambda: trace_metric(traced, "written") == 2)
    assert trace_metric(traced, "dropped") == trace_metric(traced, "failed") == 0


@case("TR54", "gRPC stream", "requests on one stream: two of a model that answers once, one of a decoupled model with three responses", "a trace for each request; of the last, three completed responses and sends")
def test_streams(start, repository, trace_path):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    models.add(repository, "many", models.BATCHED + models.pair("INT32", "-1") + "model_transaction_policy { decoupled: true }\n" + models.parameter("responses", "3"))
    server = start(repository, "--trace-config=level=TIMESTAMPS", "--trace-config=rate=1", f"--trace-config=triton,file={trace_path}")
    with Stream(server.grpc) as stream:
        for model, identity in (("m", "a"), ("m", "b"), ("many", "c")):
            stream.send(infer_message(model, ("IN", "INT32", [1, 1], bytes(4)), id=identity))
        stream.rest()
    traces = wait_for_traces(trace_path, 3)
    by_id = {head["request_id"]: traces.points(i) for i, head in traces.heads.items()}
    assert by_id["a"] == by_id["b"] == GRPC_POINTS
    many = by_id["c"]
    assert sorted(set(many)) == sorted(GRPC_POINTS)
    assert many.count("INFER_RESPONSE_COMPLETE") == many.count("GRPC_SEND_START") == 3
    assert many.count("GRPC_SEND_END") == many.count("REQUEST_END") == 1


@case("TR55", "HTTP", "an inference of TRTIS v1", "a trace as of any other")
def test_trtis_v1(start, repository, trace_path):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    server = start(repository, "--trace-config=level=TIMESTAMPS", "--trace-config=rate=1", f"--trace-config=triton,file={trace_path}")
    head = 'batch_size: 1 input { name: "IN" dims: [ 2 ] } output { name: "OUT" }'
    assert request(server.http, "POST", "/api/infer/m", bytes(8), {"NV-InferRequest": head}).status == 200
    traces = wait_for_traces(trace_path, 1)
    assert traces.heads[1]["model_name"] == "m" and traces.points(1) == HTTP_POINTS


@case("TR56", "HTTP", "generate, and generate_stream of a decoupled model with three responses", "a trace each, with a completed response and a send for each of the three")
def test_generate(start, repository, trace_path):
    models.add(repository, "m", models.PLAIN + models.pair("INT32", "1"))
    models.add(repository, "many", models.PLAIN + models.pair("INT32", "1") + "model_transaction_policy { decoupled: true }\n" + models.parameter("responses", "3"))
    server = start(repository, "--trace-config=level=TIMESTAMPS", "--trace-config=rate=1", f"--trace-config=triton,file={trace_path}")
    assert request(server.http, "POST", "/v2/models/m/generate", b'{"IN": 1, "id": "g"}').status == 200
    assert request(server.http, "POST", "/v2/models/many/generate_stream", b'{"IN": 1, "id": "s"}').status == 200
    traces = wait_for_traces(trace_path, 2)
    by_id = {head["request_id"]: traces.points(i) for i, head in traces.heads.items()}
    assert by_id["g"] == HTTP_POINTS
    assert sorted(set(by_id["s"])) == sorted(HTTP_POINTS)
    assert by_id["s"].count("INFER_RESPONSE_COMPLETE") == by_id["s"].count("HTTP_SEND_START") == 3
