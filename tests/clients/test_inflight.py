"""--max-inflight-size: what all requests and answers together may hold in memory."""

import gzip
import json
import random
import struct

import models
import pytest
from cases import case
from models import BATCHED, pair
from serving import run
from wire import SERVICE, Http2, Socket, good_inference, infer_input, infer_message, post_infer, request

INFER = b"POST /v2/models/%s/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
FREE = 100_000


@pytest.fixture
def narrow(start, repository):
    """A server with little room for requests."""
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    running = start(repository, f"--max-request-size={FREE}", f"--max-inflight-size={2 * FREE}")
    yield running
    good_inference(running.http)


@case("IF01", "HTTP", "a body for which --max-inflight-size has no room beside a client's that has not ended", "503; later it is taken")
def test_no_room_for_a_body(narrow):
    with Socket(narrow.http) as hoarder:
        hoarder.send(INFER % (b"id_int32", FREE) + bytes(FREE * 8 // 10))
        answer = request(narrow.http, "POST", "/v2/models/id_int32/infer", b" " * FREE)
        while answer.status != 503:  # its bytes may not have arrived yet
            answer = request(narrow.http, "POST", "/v2/models/id_int32/infer", b" " * FREE)
        assert "no room for the request body" in answer.error
        good_inference(narrow.http)
    while (answer := request(narrow.http, "POST", "/v2/models/id_int32/infer", b" " * FREE)).status == 503:
        pass  # the server sees the hoarder go
    assert answer.status == 400  # no JSON, but there is room


@case("IF07", "HTTP", "GET /metrics on its port while requests hold all that --max-inflight-size allows", "200")
def test_room_for_metrics(start, repository):
    for i in range(40):
        models.add(repository, f"model_{i}", BATCHED + pair("INT32", "-1"))
    running = start(repository, f"--max-request-size={FREE}", f"--max-inflight-size={2 * FREE}")
    least = len(request(running.metrics, "GET", "/metrics").body)
    assert least > FREE, "too short to find no room"
    with Socket(running.http) as hoarder:
        hoarder.send(INFER % (b"model_0", FREE) + bytes(FREE * 8 // 10))
        while request(running.http, "POST", "/v2/models/model_0/infer", b" " * FREE).status != 503:
            pass
        answer = request(running.metrics, "GET", "/metrics")
        assert answer.status == 200 and len(answer.body) >= least


@case("IF02", "gRPC", "a message for which --max-inflight-size has no room beside a call's that has not ended", "RESOURCE_EXHAUSTED; the first goes on")
def test_no_room_for_a_message(narrow):
    head = [("content-type", "application/grpc"), ("te", "trailers")]

    def framed(count):
        message = infer_message("id_int32", ("IN", "INT32", [1, count], bytes(4 * count))).SerializeToString()
        return struct.pack(">BI", 0, len(message)) + message

    with Http2(narrow.grpc) as connection:
        first = connection.begin("POST", SERVICE + "ModelInfer", head)
        connection.data(first, framed(15_000), end=False)
        second = connection.begin("POST", SERVICE + "ModelInfer", head)
        connection.data(second, framed(24_000))
        assert connection.answer(second)["fields"]["grpc-status"] == "8"
        connection.data(first, b"")
        assert connection.answer(first)["trailers"]["grpc-status"] == "0"


@case("IF03", "HTTP", "a small body that is too large for --max-inflight-size when it is decompressed beside another", "503")
def test_no_room_for_a_decompressed_body(narrow):
    with Socket(narrow.http) as hoarder:
        hoarder.send(INFER % (b"id_int32", FREE) + bytes(FREE * 8 // 10))
        status = 400
        while status == 400:
            answer = post_infer(narrow.http, "id_int32", gzip.compress(b" " * FREE), {"Content-Encoding": "gzip"})
            status = answer.status
        assert status == 503
        assert "no room for the body decompressed: all requests and answers together hold" in answer.error


@case("IF04", "command line", "--max-inflight-size below twice --max-request-size", "exit code 2 with both")
def test_no_room_for_any_body(tmp_path):
    ended = run("serve", f"--model-repository={tmp_path}", "--max-inflight-size=3999", "--max-request-size=2000")
    assert ended.returncode == 2
    assert "--max-inflight-size: expected at least 4000" in ended.stderr
    assert "got 3999" in ended.stderr


@case("IF05", "HTTP", "JSON that takes more than --max-inflight-size allows when it is decoded", "413: trying again would not help")
def test_no_room_for_a_decoded_body(narrow):
    answer = post_infer(narrow.http, "id_int32", json.dumps({"inputs": [infer_input([1] * 40_000)]}, separators=(",", ":")).encode())
    assert answer.status == 413 and "retry-after" not in answer.headers
    assert "no room for the request: all requests and answers together may hold" in answer.error


@case("IF06", "HTTP", "an inference whose answer takes more than --max-inflight-size has", "503")
def test_no_room_for_an_answer(narrow):
    values = struct.pack("<20000i", *[-2_000_000_000] * 20_000)  # 4 bytes each; 12 in JSON
    text = json.dumps({"inputs": [{"name": "IN", "shape": [1, 20_000], "datatype": "INT32", "parameters": {"binary_data_size": 80_000}}]}).encode()
    answer = post_infer(narrow.http, "id_int32", text + values, {"Inference-Header-Content-Length": str(len(text))})
    assert answer.status == 503
    assert "no room for the answer" in answer.error


@pytest.mark.parametrize("noise", [0, 2000], ids=["small", "unpacked-by-a-thread"])
@case("IF08", "gRPC", "a small message that is too large for --max-inflight-size when it is unpacked beside a body", "RESOURCE_EXHAUSTED; later it is looked at")
def test_no_room_for_an_unpacked_message(narrow, noise):
    data = random.Random(1).randbytes(noise) + bytes(96_000 - noise)
    packed = gzip.compress(infer_message("id_int32", ("IN", "INT32", [1, 1], data)).SerializeToString())
    head = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", "gzip")]

    def ask():
        with Http2(narrow.grpc) as connection:
            call = connection.begin("POST", SERVICE + "ModelInfer", head)
            connection.data(call, struct.pack(">BI", 1, len(packed)) + packed)
            answer = connection.answer(call)
        return {**answer["fields"], **answer["trailers"]}

    with Socket(narrow.http) as hoarder:
        hoarder.send(INFER % (b"id_int32", FREE) + bytes(FREE * 8 // 10))
        while (fields := ask())["grpc-status"] == "3":
            pass  # its bytes may not have arrived yet
        assert fields["grpc-status"] == "8" and fields["grpc-retry-pushback-ms"] == "1000"
        assert fields["grpc-message"].startswith("no room for the message" + (", unpacked" if noise else ":"))
    while ask()["grpc-status"] == "8":
        pass  # the server sees the hoarder go
    assert ask()["grpc-status"] == "3"  # not the bytes of its shape, but there is room
