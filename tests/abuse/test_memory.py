"""Small requests that want much memory, and answers that nobody takes."""

import contextlib
import gzip
import json
import struct
import time
import zlib

import grpc
import pytest
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes
from attack import SANITIZED, Swarm, count, memory, reset_peak_memory, rounds, unharmed
from serving import wait_until
from cases import case
from frames import DATA, END_HEADERS, END_STREAM, HEADERS, HELLO, SETTINGS, WINDOW_UPDATE, GET_LIVE, field, frame, head
from wire import Http2, Socket, exchange, grpc_call, infer_input, infer_message, post_infer

LARGE = 1 << 30


def run_beside(target, attempts):
    """All attempts, one after the other, and again, beside well-behaved clients; what they returned."""
    with unharmed(target):
        return [attempt() for _ in rounds(target, 1) for attempt in attempts]


@case("AB30", "HTTP/1.1", "heads of many megabytes: long lines, many fields, chunk extensions, trailers", "414, 431 or 413; closed")
@pytest.mark.parametrize("beginning,piece", [
    (b"GET /", b"x" * 1000),
    (b"GET / HTTP/1.1\r\nHost: h\r\nX: ", b"y" * 1000),
    (b"GET / HTTP/1.1\r\nHost: h\r\n", b"X: y\r\n" * 200),
    (b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"e" * 1000),
    (b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 200),
], ids=["line", "field", "fields", "extension", "trailers"])
def test_huge_heads(target, beginning, piece):
    with unharmed(target):
        for _ in rounds(target, count(3, 30)):
            with Socket(target.http) as connection:
                try:
                    connection.send(beginning + piece * 10_000)
                except ConnectionError:
                    pass
                answer = connection.read_to_end()
            assert answer == b"" or answer[:13] in (b"HTTP/1.1 414 ", b"HTTP/1.1 431 ", b"HTTP/1.1 413 "), answer[:100]


def hpack_bomb(streams):
    """Streams whose heads are large because they name one large entry of the table again and again: a byte for 4 KB."""
    value = b"v" * 3900
    entry = b"\x40\x01b\x7f" + bytes([(len(value) - 127) & 0x7F | 0x80, (len(value) - 127) >> 7]) + value  # goes into the table, index 62
    fields = head(b"POST", b"/v2/models/id_int32/infer")
    first = frame(HEADERS, END_HEADERS, 1, fields + entry + b"\xbe" * 13)
    return HELLO + first + b"".join(frame(HEADERS, END_HEADERS, 2 * i + 3, fields + b"\xbe" * 14) for i in range(streams - 1))


@case("AB31", "HTTP/2", "HPACK bombs: heads of 55 KB in 100 bytes, on all streams of many connections, kept open", "memory stays in its budget")
def test_hpack_bombs(target):
    with unharmed(target), Swarm(target.http, count(50, 500)) as swarm:
        swarm.send(hpack_bomb(256))
        swarm.read_to_end()


@case("AB32", "HTTP", "gzip and deflate bombs: a gigabyte in a megabyte", "413")
@pytest.mark.parametrize("coding,pack", [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_http_bombs(target, coding, pack):
    bomb = pack(bytes(count(LARGE // 8, LARGE)))
    attempts = [lambda: post_infer(target.http, "id_int32", bomb, {"Content-Encoding": coding}).status] * count(3, 20)
    assert set(run_beside(target, attempts)) == {413}


@case("AB33", "gRPC", "a gzip bomb: a gigabyte in a megabyte", "RESOURCE_EXHAUSTED")
def test_grpc_bombs(target):
    bomb = infer_message("id_int32", ("IN", "INT32", [1, 1], bytes(count(LARGE // 8, LARGE)))).SerializeToString()
    packed = gzip.compress(bomb)
    fields = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", "gzip")]
    with unharmed(target):
        for _ in rounds(target, count(3, 20)):
            with Http2(target.grpc) as connection:
                call = connection.begin("POST", "/inference.GRPCInferenceService/ModelInfer", fields)
                connection.data(call, b"\1" + struct.pack(">I", len(packed)) + packed)
                assert connection.answer(call)["fields"]["grpc-status"] == str(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])


@case("AB40", "gRPC", "gzip bombs of 15 MiB each, which is allowed, on all streams of many connections at once", "INVALID_ARGUMENT, RESOURCE_EXHAUSTED or REFUSED_STREAM; memory stays in its budget")
def test_allowed_grpc_bombs(target):
    allowed = (grpc.StatusCode.INVALID_ARGUMENT.value[0], grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])
    packed = gzip.compress(infer_message("id_int32", ("IN", "INT32", [1, 1], bytes(15 << 20))).SerializeToString())
    fields = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", "gzip")]
    with unharmed(target), contextlib.ExitStack() as open_connections:
        for _ in rounds(target, count(1, 5)):
            connections = [open_connections.enter_context(Http2(target.grpc)) for _ in range(count(4, 20))]
            calls = []
            for connection in connections:
                for _ in range(count(16, 64)):
                    call = connection.begin("POST", "/inference.GRPCInferenceService/ModelInfer", fields)
                    with contextlib.suppress(StreamClosedError):  # refused already
                        connection.data(call, b"\1" + struct.pack(">I", len(packed)) + packed)
                    calls.append((connection, call))
            for connection, call in calls:
                told = connection.answer(call)  # while the budget is full to the brim not even a head finds room
                assert told["reset"] == ErrorCodes.REFUSED_STREAM or int(told["fields"].get("grpc-status", -1)) in allowed, told


@case("AB34", "HTTP", "JSON nested a million deep; arrays of millions of small things", "400, 413 or 503")
@pytest.mark.parametrize("body", [
    b"[" * 1_000_000,
    b'{"a":' * 1_000_000,
    b'{"inputs":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
    b'{"inputs":[' + b"{}," * 2_000_000 + b"{}]}",
    b'{"inputs":[{"name":"IN","shape":[1,3],"datatype":"INT32","data":[' + b"[1]," * 1_000_000 + b"[1]]}]}",
    b'{"inputs":[{"name":"IN","shape":[1,3],"datatype":"INT32","data":' + b"[" * 50_000 + b"1" + b"]" * 50_000 + b"}]}",
    b'{"inputs":[{"name":"IN","shape":[' + b"1," * 1_000_000 + b'1],"datatype":"INT32","data":[1]}]}',
    b'{"parameters":{' + b'"a":1,' * 1_000_000 + b'"b":1},"inputs":[]}',
], ids=["arrays", "objects", "inputs", "empty-inputs", "elements", "deep-data", "shape", "parameters"])
def test_json(target, body):
    attempts = [lambda: post_infer(target.http, "id_int32", body).status] * count(2, 10)
    assert set(run_beside(target, attempts)) <= {400, 413, 503}


@case("AB39", "HTTP", "JSON bodies of a few MiB that take many times their size while they are parsed", "what they took is given back soon after")
def test_json_memory_is_given_back(target):
    quiet, least_peak = 32 << 20, 40 << 20
    wait_until(lambda: SANITIZED or memory(target.server, "VmRSS") <= quiet)
    reset_peak_memory(target.server)
    body = b'{"inputs":[' + b"{}," * 2_000_000 + b"{}]}"
    for _ in range(4):
        assert post_infer(target.http, "id_int32", body).status in (400, 413, 503)
    assert SANITIZED or memory(target.server, "VmHWM") >= least_peak
    wait_until(lambda: SANITIZED or memory(target.server, "VmRSS") <= quiet)


@case("AB35", "both", "texts that are no UTF-8, everywhere where text can stand", "400, 404 or INVALID_ARGUMENT, with a UTF-8 message")
def test_broken_utf8(target):
    bad = b"\xff\xfe\xc3\x28\xed\xa0\x80"
    json_body = b'{"id":"%s","inputs":[{"name":"IN%s","shape":[1,1],"datatype":"INT32","data":[1]}]}' % (bad, bad)
    requests = [
        b"GET /v2/models/" + bad + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /v2/models/%FF%FE%C3%28 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /v2/health/live HTTP/1.1\r\nHost: " + bad + b"\r\n\r\n",
        b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(json_body) + json_body,
        b"POST /v2/models/id_bytes/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 95\r\n\r\n"
        + b'{"inputs":[{"name":"IN","shape":[1,1],"datatype":"BYTES","data":["%s"]}]}'.ljust(95) % bad,
    ]
    messages = [b"\x0a\x07" + bad, infer_message("id_int32").SerializeToString() + b"\x1a\x07" + bad]
    with unharmed(target):
        for _ in rounds(target, count(3, 50)):
            for request in requests:
                answer = exchange(target.http, request)
                assert answer.status in (400, 404), answer.body
                answer.body.decode("utf-8", "strict")
            for message in messages:
                with pytest.raises(grpc.RpcError) as caught:
                    grpc_call(target.grpc, "ModelInfer", message)
                assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
                assert "\ufffd" not in caught.value.details()


@case("AB36", "HTTP/2", "answers for which no window is opened, on all streams of many connections", "memory stays in its budget")
@pytest.mark.parametrize("path", [b"/metrics", b"/v2/models/stats"])
def test_starved_windows(target, path):
    no_window = frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
    block = GET_LIVE.replace(field(b":path", b"/v2/health/live"), field(b":path", path))
    wanted = HELLO + no_window + b"".join(frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, block) for i in range(256))
    with unharmed(target), Swarm(target.http, 5 if SANITIZED else count(20, 200)) as swarm:
        swarm.send(wanted)
        swarm.read_to_end()


@case("AB42", "HTTP/2", "large bodies that begin as they should and go on as nobody expects, on all streams of many connections", "memory stays in its budget")
def test_bodies_that_do_not_go_on(target):
    body = frame(DATA, 0, 1, bytes(16384))
    other = frame(0x20, 0, 1, bytes(250_000)) * 2  # of an unknown type, which is skipped
    with unharmed(target), Swarm(target.http, count(10, 40) if not SANITIZED else 2) as swarm:
        for connection in swarm.sockets:
            connection.settimeout(30)
            connection.sendall(HELLO)
        for stream in range(1, 240, 2):
            begin = frame(HEADERS, END_HEADERS, stream, head(b"POST", b"/v2/models/id_int32/infer", (b"content-length", b"2097152")))
            for connection in swarm.sockets:
                connection.sendall(begin + (body[:5] + struct.pack(">I", stream) + body[9:]) * 2)
            time.sleep(0.005)  # it has been read
            for connection in swarm.sockets:
                connection.sendall(other)
            time.sleep(0.005)


@case("AB37", "HTTP/2", "the same with windows of one byte, opened a byte at a time", "memory stays in its budget")
def test_tiny_windows(target):
    tiny = frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1))
    block = GET_LIVE.replace(field(b":path", b"/v2/health/live"), field(b":path", b"/metrics"))
    with unharmed(target), Swarm(target.http, count(10, 50)) as swarm:
        swarm.send(HELLO + tiny + b"".join(frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, block) for i in range(100)))
        for _ in range(count(20, 200)):
            swarm.send(b"".join(frame(WINDOW_UPDATE, 0, 2 * i + 1, b"\0\0\0\1") for i in range(100)))


@case("AB38", "HTTP/1.1", "large inferences whose answers are never read", "memory stays in its budget; closed when time is over")
def test_answers_that_are_not_read(target):
    body = json.dumps({"inputs": [infer_input([1] * count(20_000, 100_000))]}).encode()
    request = b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with unharmed(target), Swarm(target.http, count(20, 100)) as swarm:
        for connection in swarm.sockets:
            connection.setblocking(True)
            connection.settimeout(0.5)
            try:
                connection.sendall(request * 20)
            except OSError:
                pass
            connection.setblocking(False)


def takes(connection, call, message):
    """Whether a stream takes one more request soon."""
    connection.socket.settimeout(1)
    try:
        return connection.data(call, b"\0" + struct.pack(">I", len(message)) + message, end=False)
    except (OSError, ProtocolError):  # stream or connection, closed once its time for taking an answer is over
        return False


@case("AB43", "gRPC stream", "requests for a little of them, on many streams at once, whose answers are never read", "soon no more are taken; memory stays in its budget")
def test_little_of_many_requests(target):
    elements, classes = 250_000, 2500  # 1 MB each, of which some 20 KB are answered
    message = infer_message("id_int32", ("IN", "INT32", [1, elements], bytes(4 * elements)))
    message.outputs.add(name="OUT").parameters["classification"].int64_param = classes
    message = message.SerializeToString()
    fields = [("content-type", "application/grpc"), ("te", "trailers")]
    taken = 0
    with unharmed(target), contextlib.ExitStack() as opened:
        calls = []
        for _ in range(2 if SANITIZED else count(12, 40)):
            connection = opened.enter_context(Http2(target.grpc))
            connection.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
            calls.append((connection, connection.begin("POST", "/inference.GRPCInferenceService/ModelStreamInfer", fields)))
        streams = len(calls)
        while calls and taken < 100 * streams:
            calls = [call for call in calls if takes(*call, message)]
            taken += len(calls)
    assert streams <= taken < 100 * streams
