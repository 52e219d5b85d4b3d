"""Clients that mean harm: floods, bodies that never end, answers that are never read, small requests that want much memory."""

import json
import struct

import grpc
import models
import pytest
from cases import case
from frames import CONTINUATION, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GET_LIVE, GOAWAY, HEADERS, HELLO, RST_STREAM, SETTINGS, field, frame, frames
from models import BATCHED, pair, parameter
from wire import Socket, good_inference, grpc_error, infer_input, infer_message, post_infer


INFER = b"POST /v2/models/%s/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
BODY = json.dumps({"inputs": [infer_input([1, -2, 3])]}).encode()


def flood(port, data):
    """Sends it behind HTTP/2's preface; what came back until the server closed the connection."""
    with Socket(port) as connection:
        try:
            connection.send(HELLO + data)
        except ConnectionError:
            pass  # it had enough
        return frames(connection.read_to_end())


@case("AT01", "HTTP/2", "rapid reset: requests that are taken back at once, by the thousand", "GOAWAY with ENHANCE_YOUR_CALM")
def test_rapid_reset(server):
    one = [frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, GET_LIVE) + frame(RST_STREAM, 0, 2 * i + 1, bytes(4)) for i in range(3000)]
    errors = [int.from_bytes(payload[4:8], "big") for kind, payload in flood(server.http, b"".join(one)) if kind == GOAWAY]
    assert errors == [] or errors[-1] == ENHANCE_YOUR_CALM  # the answer may be lost with the connection, which has ended


@case("AT02", "HTTP/2", "SETTINGS by the thousand", "GOAWAY with ENHANCE_YOUR_CALM")
def test_settings_flood(server):
    errors = [int.from_bytes(payload[4:8], "big") for kind, payload in flood(server.http, frame(SETTINGS, 0, 0) * 5000) if kind == GOAWAY]
    assert errors == [] or errors[-1] == ENHANCE_YOUR_CALM


@case("AT03", "HTTP/2", "a head that goes on in CONTINUATION frames without end", "the connection is closed")
@pytest.mark.parametrize("piece", [b"", field(b"x", b"y" * 100)])
def test_continuation_flood(server, piece):
    flood(server.http, frame(HEADERS, END_STREAM, 1, GET_LIVE) + frame(CONTINUATION, 0, 1, piece) * 50_000)


@case("AT04", "HTTP/2", "a hundred answers for which no window is opened", "others are served meanwhile")
def test_answers_that_are_not_read(server):
    with Socket(server.http) as connection:
        no_window = frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
        metrics = GET_LIVE.replace(field(b":path", b"/v2/health/live"), field(b":path", b"/metrics"))
        connection.send(HELLO + no_window + b"".join(frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, metrics) for i in range(100)))
        connection.socket.recv(100)
        good_inference(server.http)


@case("AT05", "HTTP/1.1", "a request, a second one with half its body, and the end of sending", "the client counts as gone: nothing is answered, the connection is closed")
def test_half_closed_in_a_pipelined_body(server):
    with Socket(server.http) as connection:
        connection.send(INFER % (b"slow", len(BODY)) + BODY + INFER % (b"slow", len(BODY)) + BODY[:-5])
        connection.close_sending()
        assert connection.read_to_end() == b""


@case("AT06", "HTTP, gRPC", "SIGTERM while clients are silent in the middle of a head, a body, a message and an answer",
      "the inference under way is answered; exit code 0 without waiting for the others")
def test_silent_clients_do_not_hold_up_the_end(start, repository):
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    models.add(repository, "slow", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "300"))
    running = start(repository)
    large = json.dumps({"inputs": [infer_input([1] * 300_000)]}).encode()
    beginnings = [
        b"POST /v2/models/slow/in",
        INFER % (b"slow", len(BODY)) + BODY[:-5],
        b"PRI * HTTP/2.0\r\n",
        HELLO + frame(HEADERS, END_STREAM, 1, GET_LIVE[:10]),
        HELLO + frame(HEADERS, END_HEADERS, 1, GET_LIVE),
        (INFER % (b"id_int32", len(large)) + large) * 10,
    ]
    silent = [Socket(running.http) for _ in beginnings]
    with Socket(running.http) as waiting:
        for connection, beginning in zip(silent, beginnings):
            connection.send(beginning)
        waiting.send(INFER % (b"slow", len(BODY)) + BODY)  # what has arrived before the signal is taken
        running.signal()
        assert waiting.read_response().status == 200
    assert running.wait() == 0
    for connection in silent:
        connection.socket.close()


@case("AT07", "gRPC", "a message of two million empty inputs, outputs or parameters", "RESOURCE_EXHAUSTED: it would take too much memory")
@pytest.mark.parametrize("number", [4, 5, 6])
def test_message_that_grows(server, number):
    data = infer_message("id_int32").SerializeToString() + bytes([number << 3 | 2, 0]) * 2_000_000
    code, text = grpc_error(server.grpc, "ModelInfer", data)
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "memory" in text


@case("AT08", "HTTP", "JSON of a million empty inputs or outputs", "503: it would take too much memory")
@pytest.mark.parametrize("body", [b'{"inputs":[%s]}', b'{"inputs":[%s],"outputs":[%%s]}' % json.dumps(infer_input([1])).encode()])
def test_json_that_grows(server, body):
    answer = post_infer(server.http, "id_int32", body % (b"{}," * 1_000_000 + b"{}"))
    assert answer.status == 503
    assert "memory" in answer.error
