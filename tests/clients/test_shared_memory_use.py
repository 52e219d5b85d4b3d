"""Requests with shared memory while they are under way: regions that go, clients that take their memory back, streams."""

import json
import threading

import grpc
import models
import numpy as np
import pytest
import wire
from cases import case
from memory_wire import SYSTEM, message_with, part, put, refused, register, shared, status
from serving import wait_until
from streaming import Stream, succeeded
from tritonclient.grpc import service_pb2 as pb
from wire import get, grpc_error, infer_input, post_infer, request

INVALID = grpc.StatusCode.INVALID_ARGUMENT
LARGE = 1 << 20  # bytes of a tensor that is read in place


class Later:
    """An inference that waits in the queue of a model that runs batches of two only: it is there when this object is, and runs when its
    answer is waited for."""

    def __init__(self, server, model, send):
        self.server, self.model, self.answer = server, model, None

        def work():
            self.answer = send()

        self.thread = threading.Thread(target=work)
        self.thread.start()
        wait_until(lambda: pending(server, model) == 1)

    def wait(self):
        datatype = self.model[len("gate_") :].upper()
        second = post_infer(self.server.http, self.model, {"inputs": [infer_input(["x"] if datatype == "BYTES" else [1], datatype=datatype)]})
        assert second.status == 200, second.body
        self.thread.join()
        return self.answer


def pending(server, model):
    lines = get(server.metrics, "/metrics").body.decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("nv_inference_pending_request_count") and f'"{model}"' in line)


def mapped(server, made):
    return made.key[1:] in open(f"/proc/{server.process.pid}/maps").read()


@case("SM65", "HTTP", "unregister a region while a request that uses it waits", "success; the region is listed, and mapped, until that request has its answer")
def test_unregister_in_use(memory_host, make_object):
    made = make_object()
    made.put(np.array([[5, 6]], dtype=np.int32))
    register(memory_host, "r", made)
    body = {"inputs": [shared([1, 2], part())], "outputs": [{"name": "OUT", "parameters": part(offset=64)}]}
    later = Later(memory_host, "gate_int32", lambda: post_infer(memory_host.http, "gate_int32", body))
    assert request(memory_host.http, "POST", SYSTEM + "/region/r/unregister").status == 200
    assert [row["name"] for row in status(memory_host)] == ["r"]
    answer = request(memory_host.http, "POST", SYSTEM + "/region/r/register", json.dumps({"key": made.key, "byte_size": 8}))
    assert answer.status == 400 and "requests still use it" in answer.error
    assert mapped(memory_host, made)
    assert later.wait().status == 200
    assert made.bytes(64, 8) == made.bytes(0, 8)
    assert status(memory_host) == []
    assert not mapped(memory_host, made)


@case("SM66", "HTTP, gRPC", "an object that its client cuts short after its region was registered", "400, INVALID_ARGUMENT for what is missing; the region takes no more; others go on")
def test_cut_before_use(memory_host, make_object):
    made = make_object(2 * LARGE)
    register(memory_host, "r", made)
    made.cut(4096)
    count = LARGE // 4
    refused(memory_host, {"inputs": [shared([1, count], part(size=LARGE), "FP32")]}, 400, "'r'", "cut short", model="id_fp32")
    code, text = grpc_error(memory_host.grpc, "ModelInfer", message_with(part(), [1, 2]))
    assert code == INVALID and "cut short" in text
    wire.good_inference(memory_host.http)
    request(memory_host.http, "POST", SYSTEM + "/region/r/unregister")
    register(memory_host, "r", made, 4096)
    assert post_infer(memory_host.http, "id_int32", {"inputs": [shared([1, 2], part())]}).status == 200


CUTS = [("gate_fp32", "FP32", True), ("gate_fp32", "FP32", False), ("gate_int32", "INT32", False)]


@case("SM67", "HTTP", "an object that its client cuts to nothing while a request that reads it, or writes it, is under way", "400; the server lives, and other regions serve on")
@pytest.mark.parametrize("model,datatype,reads", CUTS)
def test_cut_in_flight_http(memory_host, make_object, model, datatype, reads):
    made, other = make_object(2 * LARGE), make_object()
    register(memory_host, "r", made)
    register(memory_host, "other", other)
    count = LARGE // 4
    body = {"id": "cut", "inputs": [shared([1, count], part(size=LARGE), datatype)]}
    if not reads:
        body["outputs"] = [{"name": "OUT", "parameters": part(size=LARGE, offset=LARGE)}]
    later = Later(memory_host, model, lambda: post_infer(memory_host.http, model, body))
    made.cut()
    answer = later.wait()
    assert answer.status == 400, answer.body[:200]
    assert "cut short" in answer.error and answer.error.startswith("[request id: cut] shared memory region 'r'")
    assert post_infer(memory_host.http, "id_int32", {"inputs": [shared([1, 2], part("other"))]}).status == 200


@case("SM68", "gRPC", "an object that its client cuts to nothing while a request that reads it is under way", "INVALID_ARGUMENT; the server lives")
def test_cut_in_flight_grpc(memory_host, make_object):
    made = make_object(LARGE)
    register(memory_host, "r", made)
    message = message_with(part(size=LARGE), [1, LARGE // 4], "FP32", "gate_fp32")
    later = Later(memory_host, "gate_fp32", lambda: grpc_error(memory_host.grpc, "ModelInfer", message, timeout=None))
    made.cut()
    code, text = later.wait()
    assert code == INVALID and "cut short" in text


@case("SM69", "HTTP", "BYTES that the client changes while their request is under way", "the elements that were there when it was sent, and were checked")
def test_changed_in_flight(memory_host, make_object):
    made = make_object()
    data = b"\x04\0\0\0abcd"
    made.put(data)
    register(memory_host, "r", made)
    body = {"inputs": [shared([1, 1], part(), "BYTES")], "outputs": [{"name": "OUT", "parameters": part(offset=64)}]}
    later = Later(memory_host, "gate_bytes", lambda: post_infer(memory_host.http, "gate_bytes", body))
    made.put(b"\xff" * 8)
    assert later.wait().status == 200
    assert made.bytes(64, 8) == data


@case("SM70", "HTTP", "a client that hangs up while its request with shared memory waits", "its region can be unregistered, and is gone")
def test_lost_client(memory_host, make_object):
    made = make_object()
    register(memory_host, "r", made)
    body = json.dumps({"inputs": [shared([1, 2], part())]}).encode()
    head = f"POST /v2/models/stuck/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with wire.Socket(memory_host.http) as connection:
        connection.send(head + body)
        request(memory_host.http, "GET", "/v2/health/live")
        connection.abort()
    request(memory_host.http, "POST", SYSTEM + "/unregister")
    wait_until(lambda: status(memory_host) == [])
    assert not mapped(memory_host, made)


PORT = '<port id="{}" precision="FP32"{}><dim>-1</dim><dim>-1</dim></port>'
# y = exp(x), which the engine computes where x lies, on threads of its own.
EXP = f"""<net name="exp" version="11"><layers>
<layer id="0" name="x" type="Parameter" version="opset1"><data shape="?,?" element_type="f32"/><output>{PORT.format(0, ' names="x"')}</output></layer>
<layer id="1" name="exp" type="Exp" version="opset1"><input>{PORT.format(0, "")}</input><output>{PORT.format(1, ' names="y"')}</output></layer>
<layer id="2" name="y" type="Result" version="opset1"><input>{PORT.format(0, "")}</input></layer>
</layers><edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/><edge from-layer="1" from-port="1" to-layer="2" to-port="0"/></edges></net>"""


@case("SM71", "HTTP", "an engine with threads of its own, and objects that are cut at all moments of its work", "400, or 200 with all the results; the server lives")
def test_cut_under_an_engine(start, repository, make_object):
    config = 'backend: "openvino"\nmax_batch_size: 2\n'
    models.add(repository, "exp", config + models.tensor("input", "x", "FP32", "-1") + models.tensor("output", "y", "FP32", "-1"))
    (repository / "exp/1/model.xml").write_text(EXP)
    (repository / "exp/1/model.bin").write_bytes(b"")
    memory_host = start(repository, "--allow-client-shm", environment={"TBB_ENABLE_SANITIZERS": "1"})
    count = 4 << 20
    body = {"inputs": [shared([1, count], part(size=4 * count), "FP32", "x")], "outputs": [{"name": "y", "parameters": part(size=4 * count, offset=4 * count)}]}
    outcomes = []
    for moment in range(24):
        made = make_object(8 * count)
        register(memory_host, "r", made)
        sender = threading.Thread(target=lambda: outcomes.append(post_infer(memory_host.http, "exp", body)))
        sender.start()
        for _ in range(moment * 20000):
            pass
        made.cut()
        sender.join()
        assert outcomes[-1].status in (200, 400), outcomes[-1].body
        assert outcomes[-1].status == 200 or "cut short" in outcomes[-1].error
        request(memory_host.http, "POST", SYSTEM + "/unregister")
    made = make_object(8 * count)
    made.put(np.ones(count, dtype=np.float32))
    register(memory_host, "r", made)
    assert post_infer(memory_host.http, "exp", body).status == 200
    assert np.allclose(np.frombuffer(made.bytes(4 * count), dtype=np.float32), np.e)
    assert 400 in [outcome.status for outcome in outcomes]


# ---- streams ----


def stream_message(values, offset, model="id_int32", region="r"):
    """An input at `offset` of the region, its output 64 bytes behind it."""
    message = pb.ModelInferRequest(model_name=model, id=str(offset))
    size = 4 * len(values)
    put(message.inputs.add(name="IN", datatype="INT32", shape=[1, len(values)]).parameters, part(region, size, offset))
    put(message.outputs.add(name="OUT").parameters, part(region, size, offset + 64))
    return message


@case("SM72", "gRPC stream", "requests with inputs and outputs in shared memory, one with a region that is not there", "the results in their places; an error for that one, and the stream goes on")
def test_stream(memory_host, make_object):
    made = make_object()
    register(memory_host, "r", made)
    for i in range(10):
        made.put(np.array([i, -i], dtype=np.int32), 128 * i)
    with Stream(memory_host.grpc) as stream:
        for i in range(10):
            stream.send(stream_message([0, 0], 128 * i, region="r" if i != 5 else "nothing"))
            if i == 5:
                text, identity = stream.error()
                assert "Unable to find shared memory region: 'nothing'" in text and identity == "640"
                continue
            answer = stream.good()
            assert list(answer.raw_output_contents) == [b""]
            assert made.bytes(128 * i + 64, 8) == made.bytes(128 * i, 8)
        assert stream.rest() == []


@case("SM73", "gRPC stream", "a decoupled model whose responses all go to one part of shared memory", "each response, and the elements there; the region can go afterwards")
def test_decoupled_stream(memory_host, make_object):
    made = make_object()
    made.put(np.array([3, 4], dtype=np.int32))
    register(memory_host, "r", made)
    with Stream(memory_host.grpc) as stream:
        stream.send(stream_message([0, 0], 0, model="many"))
        answers = [stream.good() for _ in range(3)]
        assert [list(answer.raw_output_contents) for answer in answers] == [[b""]] * 3
        assert made.bytes(64, 8) == made.bytes(0, 8)
        assert stream.rest() == []
    assert request(memory_host.http, "POST", SYSTEM + "/region/r/unregister").status == 200
    assert status(memory_host) == []
    assert not mapped(memory_host, made)


@case("SM74", "gRPC stream", "large inputs in shared memory, outputs in the messages", "the elements that were there; what is written later changes nothing")
def test_stream_of_large_answers(memory_host, make_object):
    count = 250_000
    made = make_object(4 * count)
    register(memory_host, "r", made)
    message = pb.ModelInferRequest(model_name="id_int32")
    put(message.inputs.add(name="IN", datatype="INT32", shape=[1, count]).parameters, part("r", 4 * count))
    with Stream(memory_host.grpc) as stream:
        for i in range(4):
            values = np.arange(i, i + count, dtype=np.int32)
            made.put(values)
            before = succeeded(memory_host, "id_int32")
            stream.send(message)
            wait_until(lambda: succeeded(memory_host, "id_int32") > before)
            made.put(bytes(4 * count))
            answer = stream.good()
            assert answer.raw_output_contents[0] == values.tobytes()
        assert stream.rest() == []
