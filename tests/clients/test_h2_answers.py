"""HTTP/2's answers: their frames, their ends and trailers, and the end of a server. `Raw` checks the order of frames and their size."""

import json
import struct

import models
import pytest
from cases import case
from frames import ACK, DATA, END_STREAM, GOAWAY, HEADERS, PING, frame
from models import BATCHED, pair, parameter
from raw_http2 import EMPTY, INFER_JSON, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, WINDOW_MAX, Raw, get, infer, post
from wire import SERVICE, infer_message

GRPC = [(b"content-type", b"application/grpc"), (b"te", b"trailers")]
INFER = SERVICE.encode() + b"ModelInfer"
MESSAGE = infer_message("id_int32", ("IN", "INT32", [1, 1], b"\7\0\0\0")).SerializeToString()
OF_CONNECTIONS = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}


def grpc_frame(message):
    return struct.pack(">BI", 0, len(message)) + message


def kinds(connection, stream):
    """The frames of a stream: their types, with whether they end it."""
    return [(found.kind, bool(found.flags & END_STREAM)) for found in connection.seen if found.stream == stream and found.kind in (DATA, HEADERS)]


@case("H2C501", "HTTP/2", "HEAD", "the head of GET's answer ends the stream; no DATA")
@pytest.mark.parametrize("path", [b"/v2", b"/v2/health/live", b"/nothing"])
def test_head(server, path):
    with Raw(server.http) as connection:
        told = connection.answer(connection.open(path=path))
        stream = connection.open(method=b"HEAD", path=path)
        answer = connection.answer(stream)
        assert kinds(connection, stream) == [(HEADERS, True)]
        assert answer.status in (told.status, "405")  # not every path takes HEAD
        connection.alive()


@case("H2C502", "HTTP/2", "a request whose answer has no body", "the stream ends, with the head or an empty DATA; a content-length is 0")
def test_empty_answer(server):
    with Raw(server.http) as connection:
        stream = connection.open(path=EMPTY)
        answer = connection.answer(stream)
        assert answer.status == "200" and not answer.body
        assert kinds(connection, stream) in ([(HEADERS, True)], [(HEADERS, False), (DATA, True)])
        assert answer.fields.get("content-length", "0") == "0"


@case("H2C503", "HTTP/2", "expect: 100-continue; the body when it has come", "100 without the end of the stream, then the answer")
def test_continue(server):
    with Raw(server.http) as connection:
        connection.send(post(1, (b"expect", b"100-continue")))
        stream = connection.on(1)
        assert connection.wait(lambda: stream.heads)
        assert [fields[":status"] for fields in stream.heads] == ["100"]
        assert kinds(connection, 1) == [(HEADERS, False)]
        connection.send(frame(DATA, END_STREAM, 1, INFER_JSON))
        assert connection.answer(1).status == "200"
        assert json.loads(stream.body)["outputs"][0]["data"] == [7]


@case("H2C504", "HTTP/2", "expect: 100-continue where the answer is known without the body; where the request has ended", "the answer alone may come; it comes")
def test_continue_without_need(server):
    with Raw(server.http) as connection:
        stream = connection.open((b"expect", b"100-continue"), method=b"POST", path=b"/nothing", end=False)
        assert connection.answer(stream).status == "404"
        assert connection.answer(connection.open((b"expect", b"100-continue"))).status == "200"
        connection.alive()


@case("H2C505", "HTTP/2", "an answer of 1 MiB, with SETTINGS_MAX_FRAME_SIZE of 16384, and with a larger one", "no frame is larger; content-length is right")
@pytest.mark.parametrize("size", [16384, 20_000, 2**24 - 1])
def test_size_of_frames(server, size):
    with Raw(server.http, first=[(INITIAL_WINDOW_SIZE, WINDOW_MAX), (MAX_FRAME_SIZE, size)]) as connection:
        connection.widen(0, WINDOW_MAX - 65535)
        stream, body = connection.open_binary(1 << 20)
        connection.upload(stream, body)
        answer = connection.answer(stream)
        assert answer.body.endswith(body[-(1 << 20) :])
        assert int(answer.fields["content-length"]) == len(answer.body)
        assert max(answer.data_frames) <= size


@case("H2C506", "HTTP/2", "requests with all kinds of answers", "names in lower case, :status first and alone before the others, no field of connections")
def test_fields_of_answers(server):
    with Raw(server.http, first=[(INITIAL_WINDOW_SIZE, WINDOW_MAX)]) as connection:
        connection.widen(0, WINDOW_MAX - 65535)
        connection.settle()
        heads, decode = [], connection.decoder.decode
        connection.decoder.decode = lambda block: heads.append(decode(block)) or heads[-1]
        connection.send(infer(1))
        for stream in (1, connection.open(), connection.open(path=b"/v2"), connection.open(path=b"/nothing"),
                       connection.open(method=b"DELETE"), connection.open(method=b"CONNECT"), connection.open(path=b"/metrics")):
            connection.answer(stream)
    assert len(heads) == 7 or len(heads) == 6  # CONNECT with a path may be reset
    for fields in heads:
        names = [name for name, _ in fields]
        assert names[0] == ":status" and not any(name.startswith(":") for name in names[1:])
        assert all(name == name.lower() for name in names)
        assert not OF_CONNECTIONS & set(names)
        assert all(value == value.strip() for _, value in fields)


@case("H2C507", "HTTP/2", "a request that is answered before its body has come", "the whole answer; then the client may be told to stop, by RST_STREAM with NO_ERROR")
def test_early_answer(server):
    with Raw(server.http) as connection:
        stream = connection.open(method=b"POST", path=b"/nothing", end=False)
        answer = connection.answer(stream)
        assert (answer.status, answer.ended, answer.reset) == ("404", True, None)
        connection.alive()
        connection.wait(lambda: answer.reset)
        assert answer.reset == "NO_ERROR"
        connection.alive()


# ---- gRPC ----


@case("H2C508", "gRPC", "a call that succeeds", "HEADERS, DATA, then the trailers, which end the stream")
def test_trailers(server):
    with Raw(server.grpc) as connection:
        stream = connection.open(*GRPC, method=b"POST", path=INFER, end=False)
        connection.upload(stream, grpc_frame(MESSAGE))
        answer = connection.answer(stream)
        told = kinds(connection, stream)
        assert told[0] == (HEADERS, False) and told[-1] == (HEADERS, True)
        assert set(told[1:-1]) == {(DATA, False)}
        assert answer.trailers["grpc-status"] == "0" and "grpc-status" not in answer.heads[0]
        connection.alive()


@case("H2C509", "gRPC", "trailers for which there is no window left", "come: they need none")
def test_trailers_without_window(server):
    with Raw(server.grpc, first=[(INITIAL_WINDOW_SIZE, 0)]) as connection:
        stream = connection.open(*GRPC, method=b"POST", path=INFER, end=False)
        connection.upload(stream, grpc_frame(MESSAGE))
        state = connection.on(stream)
        connection.wait(lambda: state.heads)
        connection.settle()
        assert not state.body and not state.trailers
        while not state.ended:
            connection.widen(stream, 1)
            connection.settle()
        assert state.trailers["grpc-status"] == "0"
        assert state.window == 0 and len(state.body) == 5 + int.from_bytes(state.body[1:5], "big")


@case("H2C510", "gRPC", "calls that fail: an unknown method, an unknown model, no message", "an answer without DATA: grpc-status in the field section that ends the stream")
@pytest.mark.parametrize("path, body", [(b"/none.Service/Call", b""), (INFER, b""), (INFER, grpc_frame(infer_message("none").SerializeToString()))])
def test_trailers_only(server, path, body):
    with Raw(server.grpc, first=[(INITIAL_WINDOW_SIZE, 0)]) as connection:
        stream = connection.open(*GRPC, method=b"POST", path=path, end=not body)
        if body:
            connection.upload(stream, body)
        answer = connection.answer(stream)
        assert kinds(connection, stream) in ([(HEADERS, True)], [(HEADERS, False), (HEADERS, True)])
        assert answer.status == "200"
        assert answer.fields["grpc-status"] != "0" and answer.fields["grpc-message"]
        connection.alive(EMPTY)


@case("H2C511", "gRPC", "a hundred calls at once on a connection, whose DATA comes in pieces in turns", "each has its own answer")
def test_calls_at_once(server):
    with Raw(server.grpc) as connection:
        calls = {}
        for i in range(100):
            message = infer_message("id_int32", ("IN", "INT32", [1, 1], struct.pack("<i", i))).SerializeToString()
            calls[connection.open(*GRPC, method=b"POST", path=INFER, end=False)] = (grpc_frame(message), struct.pack("<i", i))
        for at in range(0, 200, 25):
            for stream, (data, _) in calls.items():
                if at < len(data):
                    connection.upload(stream, data[at : at + 25], end=at + 25 >= len(data))
        for stream, (_, raw) in calls.items():
            answer = connection.answer(stream)
            assert answer.trailers["grpc-status"] == "0" and answer.body.endswith(raw)


# ---- the end of a server ----


@pytest.fixture
def ending(start, repository):
    models.add(repository, "slow", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "1000"))
    return start(repository)


def acknowledge_pings(connection):
    for found in connection.seen:
        if found.kind == PING and not found.flags & ACK:
            connection.send(frame(PING, ACK, 0, found.payload))
            return True
    return False


@case("H2C512", "HTTP/2", "SIGTERM while an inference runs",
      "GOAWAY of stream 2^31 - 1 with NO_ERROR; when the client shows that it has seen it, one of the last stream; the answer; the end")
def test_orderly_end(ending):
    with Raw(ending.http) as connection, Raw(ending.http) as idle:
        idle.alive()
        connection.send(infer(1, b"slow"))
        connection.settle()
        ending.signal()
        connection.wait(lambda: connection.goaways)
        assert connection.goaways == [(WINDOW_MAX, "NO_ERROR")]
        connection.send(get(3))  # it was under way: the client had not seen the GOAWAY
        connection.wait(lambda: acknowledge_pings(connection))
        connection.read_to_close()
        assert connection.goaways[-1] == (3, "NO_ERROR")
        assert connection.on(3).status == "200"
        assert connection.on(1).status == "200" and connection.on(1).ended
        idle.read_to_close()
        assert idle.goaways[0] == (WINDOW_MAX, "NO_ERROR") and idle.goaways[-1] == (101, "NO_ERROR")
    assert ending.wait() == 0


@case("H2C513", "HTTP/2", "a stream that is opened behind the final GOAWAY", "not answered; those before are")
def test_stream_behind_the_end(ending):
    with Raw(ending.http) as connection:
        connection.send(infer(1, b"slow"))
        connection.settle()
        ending.signal()
        connection.wait(lambda: acknowledge_pings(connection))
        connection.wait(lambda: len(connection.goaways) == 2)
        connection.send(get(3))
        connection.read_to_close()
        assert connection.goaways[-1] == (1, "NO_ERROR")
        assert connection.on(1).status == "200"
        assert not connection.on(3).heads
    assert ending.wait() == 0


@case("H2C514", "HTTP/2", "a client that ends its connection in order: GOAWAY, and no more", "the server closes once all is answered")
def test_end_by_the_client(server):
    with Raw(server.http) as connection:
        connection.send(infer(1, b"slow") + frame(GOAWAY, 0, 0, bytes(8)))
        assert connection.answer(1).status == "200"
        connection.read_to_close()
        assert all(error == "NO_ERROR" for _, error in connection.goaways)
