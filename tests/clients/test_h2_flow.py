"""HTTP/2's flow control in both directions (RFC 9113 sections 5.2 and 6.9). `Raw` checks every DATA frame against the windows."""

import json
import struct

import models
import pytest
from cases import case
from frames import DATA, END_STREAM, PADDED, frame
from models import BATCHED, pair, parameter
from raw_http2 import (EMPTY, INFER_JSON, INITIAL_WINDOW_SIZE, WINDOW_MAX, Raw, connection_error, either, post, provoke, settings, stream_error,
                       variants, window_update)
from serving import Server
from wire import SERVICE, infer_message

MIB = 1 << 20
NO_WINDOW, WIDE = (INITIAL_WINDOW_SIZE, 0), (INITIAL_WINDOW_SIZE, WINDOW_MAX)


@pytest.fixture(scope="module")
def holding(tmp_path_factory):
    """A server that takes one inference at a time of a stream, which never ends, and leaves the rest to the windows."""
    repository = tmp_path_factory.mktemp("holding")
    for datatype in ("INT32", "UINT8"):
        models.add(repository, "id_" + datatype.lower(), BATCHED + pair(datatype, "-1"))
    models.add(repository, "stuck", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "600000"))
    running = Server(repository, "--max-stream-requests=1")
    yield running
    running.stop()


def open_held_stream(connection):
    """A call on which the server soon takes no more; its stream."""
    message = infer_message("stuck", ("IN", "INT32", [1, 1], bytes(4))).SerializeToString()
    stream = connection.open((b"content-type", b"application/grpc"), (b"te", b"trailers"), method=b"POST",
                             path=SERVICE.encode() + b"ModelStreamInfer", end=False)
    connection.upload(stream, (struct.pack(">BI", 0, len(message)) + message) * 100, end=False)
    return stream


def wide(port):
    """A connection whose windows never end."""
    connection = Raw(port, first=[WIDE])
    connection.widen(0, WINDOW_MAX - 65535)
    return connection


# ---- answers ----


@case("H2C401", "HTTP/2", "a window that is opened byte by byte", "the head at once, then a byte of the answer for each")
def test_byte_by_byte(server):
    with Raw(server.http, first=[NO_WINDOW]) as connection:
        stream = connection.on(number_of := connection.open(path=b"/v2"))
        connection.settle()
        assert stream.status == "200" and not stream.body and not stream.ended
        for size in range(1, int(stream.fields["content-length"]) + 1):
            connection.widen(number_of, 1)
            connection.settle()
            assert len(stream.body) == size
        assert connection.answer(number_of).ended
        assert json.loads(stream.body)["name"]


@case("H2C402", "HTTP/2", "an answer larger than the connection's window, with streams' windows that are larger", "stops at the window; goes on by as much as it is opened")
def test_window_of_the_connection(server):
    with Raw(server.http, first=[WIDE]) as connection:
        number_of, body = connection.open_binary(200_000)
        connection.upload(number_of, body)
        stream = connection.on(number_of)
        connection.wait(lambda: len(stream.body) == 65535)
        for size in (1, 1000, 20_000):
            before = len(stream.body)
            connection.widen(0, size)
            connection.settle()
            assert len(stream.body) == before + size
        connection.alive(EMPTY)  # heads need no window
        connection.widen(0, WINDOW_MAX - connection.window)
        assert connection.answer(number_of).body.endswith(body[-200_000:])


@case("H2C403", "HTTP/2", "SETTINGS_INITIAL_WINDOW_SIZE that changes while an answer waits: below what was sent, and up again",
      "the window becomes negative; nothing is sent until it is positive, then just so much")
def test_negative_window(server):
    with Raw(server.http, first=[(INITIAL_WINDOW_SIZE, 100)]) as connection:
        number_of, body = connection.open_binary(50_000)
        connection.upload(number_of, body)
        stream = connection.on(number_of)
        connection.wait(lambda: len(stream.body) == 100)
        connection.configure((INITIAL_WINDOW_SIZE, 10))
        connection.settle()
        assert stream.window == -90
        for more, sent in ((50, 100), (40, 100), (5, 105), (1, 106)):
            connection.widen(number_of, more)
            connection.settle()
            assert len(stream.body) == sent
        connection.configure((INITIAL_WINDOW_SIZE, 60))
        connection.settle()
        assert len(stream.body) == 156
        connection.configure(NO_WINDOW)
        connection.configure((INITIAL_WINDOW_SIZE, 60_000))
        assert connection.answer(number_of).body.endswith(body[-50_000:])


@case("H2C404", "HTTP/2", "twenty answers that wait for their windows, which SETTINGS_INITIAL_WINDOW_SIZE opens", "all come")
def test_settings_open_windows(server):
    with Raw(server.http, first=[NO_WINDOW]) as connection:
        streams = [connection.open(path=b"/v2") for _ in range(20)]
        connection.settle()
        assert not any(connection.on(stream).ended for stream in streams)
        connection.configure((INITIAL_WINDOW_SIZE, 10_000))
        for stream in streams:
            assert connection.answer(stream).ended


@case("H2C405", "HTTP/2", "two answers of 1 MiB, incremental or not (RFC 9218), while the connection's window opens 16 KiB at a time",
      "incremental ones share it: neither waits for the end of the other; others may come one after the other")
@pytest.mark.parametrize("fields", [[], [(b"priority", b"u=3, i")]], ids=["plain", "incremental"])
def test_answers_take_turns(server, fields):
    with Raw(server.http, first=[NO_WINDOW]) as connection:
        connection.settle()
        numbers = []
        for seed in (1, 2):
            stream, body = connection.open_binary(MIB, seed, fields)
            connection.upload(stream, body)
            numbers.append((stream, body))
        both = [connection.on(stream) for stream, _ in numbers]
        connection.wait(lambda: all(stream.status for stream in both))
        for stream, _ in numbers:
            connection.widen(stream, 2 * MIB)
        while not any(stream.ended for stream in both):
            connection.widen(0, 16384)
            connection.settle()
        least = min(len(stream.body) for stream in both)
        print("server: the other had", least)
        assert not fields or least > MIB // 2
        connection.widen(0, 2 * MIB)
        for stream, body in numbers:
            assert connection.answer(stream).body.endswith(body[-MIB:])


@case("H2C406", "HTTP/2", "small answers behind a large one that waits for its own window", "come at once")
def test_small_beside_a_large_that_waits(server):
    with Raw(server.http) as connection:
        connection.configure((INITIAL_WINDOW_SIZE, 1000))
        number_of, body = connection.open_binary(MIB)
        connection.upload(number_of, body)
        connection.wait(lambda: len(connection.on(number_of).body) == 1000)
        for _ in range(20):
            assert connection.answer(connection.open(path=b"/v2")).ended
            connection.widen(0, 1000)
        assert len(connection.on(number_of).body) == 1000


# ---- WINDOW_UPDATE ----


@case("H2C407", "HTTP/2", "WINDOW_UPDATE of 0", "PROTOCOL_ERROR: of the connection, on a stream of it or the connection")
@variants({
    "connection": (window_update(0, 0), connection_error("PROTOCOL_ERROR")),
    "connection, reserved bit": (window_update(0, 2**31), connection_error("PROTOCOL_ERROR")),
    "stream": (post(1) + window_update(1, 0), either("PROTOCOL_ERROR")),
})
def test_window_update_of_0(server, data, allowed):
    assert provoke(server.http, data) in allowed


@case("H2C408", "HTTP/2", "windows beyond 2^31 - 1: of the connection, of a stream, by SETTINGS_INITIAL_WINDOW_SIZE", "FLOW_CONTROL_ERROR: of the connection; of a stream only it; by settings (the RFC wants the connection's) either")
@variants({
    "connection": (window_update(0, WINDOW_MAX), connection_error("FLOW_CONTROL_ERROR")),
    "connection, in two steps": (window_update(0, WINDOW_MAX - 65535) + window_update(0, 1), connection_error("FLOW_CONTROL_ERROR")),
    "stream": (post(1) + window_update(1, WINDOW_MAX), stream_error("FLOW_CONTROL_ERROR")),
    "stream, in two steps": (post(1) + window_update(1, WINDOW_MAX - 65535) + window_update(1, 1), stream_error("FLOW_CONTROL_ERROR")),
    "settings": (post(1) + window_update(1, WINDOW_MAX - 65535) + settings((INITIAL_WINDOW_SIZE, 65536)), either("FLOW_CONTROL_ERROR")),
})
def test_window_overflow(server, data, allowed):
    with Raw(server.http) as connection:
        connection.unacknowledged.append(())  # for the settings in some of them
        assert connection.provoke(data) in allowed


@case("H2C409", "HTTP/2", "windows of exactly 2^31 - 1", "served")
def test_largest_windows(server):
    with Raw(server.http) as connection:
        connection.widen(0, WINDOW_MAX - 65535)
        connection.send(post(1))
        connection.widen(1, WINDOW_MAX - 65535)
        connection.send(frame(DATA, END_STREAM, 1, INFER_JSON))
        assert connection.answer(1).status == "200"
        connection.alive()


# ---- requests ----


@case("H2C410", "HTTP/2", "20 MiB on one stream, within the windows", "they are opened again and again; the answer has all of it")
def test_large_upload(server):
    with wide(server.http) as connection:
        stream, body = connection.open_binary(20 * MIB)
        connection.upload(stream, body)
        assert connection.answer(stream).status == "200"
        assert connection.on(stream).body.endswith(body[-20 * MIB :])
        connection.alive()


@case("H2C411", "HTTP/2", "24 MiB over 24 streams, in turns, of which some have a stream's whole window ahead", "the connection's window is opened again; each has its answer")
def test_many_uploads(server):
    with wide(server.http) as connection:
        uploads = [connection.open_binary(MIB, seed) for seed in range(24)]
        longest = max(len(body) for _, body in uploads)
        for at in range(0, longest, 65536):
            for stream, body in uploads:
                if at < len(body):
                    connection.upload(stream, body[at : at + 65536], end=at + 65536 >= len(body))
        for stream, body in uploads:
            assert connection.answer(stream).body.endswith(body[-MIB:])


@case("H2C412", "HTTP/2", "a body of single bytes, each with 255 bytes of padding: 8 MiB with it", "padding counts for the windows, and is given back")
def test_padded_upload(server):
    with wide(server.http) as connection:
        stream = connection.open(method=b"POST", path=b"/v2/models/id_int32/infer", end=False)
        connection.upload(stream, INFER_JSON + b" " * (8 * MIB // 257), padding=255, piece=1)
        assert connection.answer(stream).status == "200"
        connection.settle()
        assert connection.room > 8 * MIB


@case("H2C413", "HTTP/2", "24 MiB on streams that the server has answered early, or reset", "the connection's window is opened again for what is dropped")
@pytest.mark.parametrize("fields", [[], [(b"Upper", b"x")]], ids=["answered", "reset"])
def test_dropped_data_counts(server, fields):
    with wide(server.http) as connection:
        for _ in range(12):
            stream = connection.open(*fields, method=b"POST", path=b"/nothing", end=False)
            connection.settle()
            connection.upload(stream, bytes(2 * MIB))
            answered = connection.answer(stream)
            assert answered.reset == "PROTOCOL_ERROR" or answered.status in ("404", "400")
        stream, body = connection.open_binary(MIB)
        connection.upload(stream, body)
        assert connection.answer(stream).body.endswith(body[-MIB:])


@case("H2C414", "gRPC", "DATA as large as a stream's window; a byte more than that, or padding", "taken; FLOW_CONTROL_ERROR of the stream or the connection")
@pytest.mark.parametrize("surplus", [(0, bytes(101)), (PADDED, b"\xff" + bytes(256))], ids=["data", "padding"])
def test_overrun(holding, surplus):
    with Raw(holding.grpc) as connection:
        stream = open_held_stream(connection)
        connection.settle()
        room = connection.rooms[stream]
        connection.upload(stream, bytes(room - 100), end=False)
        connection.settle()
        assert connection.rooms[stream] == 100 and connection.on(stream).reset is None
        flags, payload = surplus
        assert connection.provoke(frame(DATA, flags, stream, payload), stream) in either("FLOW_CONTROL_ERROR")


@case("H2C415", "HTTP/2, gRPC", "four calls whose windows are full, since the server takes no more of them", "24 MiB of another stream pass by them")
def test_full_windows_hinder_nobody(holding):
    with wide(holding.grpc) as connection:
        connection.settle()
        for _ in range(4):
            stream = open_held_stream(connection)
            connection.settle()
            connection.upload(stream, bytes(min(connection.rooms[stream], connection.room)), end=False)
        stream, body = connection.open_binary(24 * MIB)
        connection.upload(stream, body)
        assert connection.answer(stream).body.endswith(body[-24 * MIB :])


# ---- clients that stop in the middle of a large body ----


@case("H2C416", "HTTP/2, gRPC", "half of a large message, and nothing more", "a PING and a request behind it are answered all the same, and the rest is taken when it comes")
@pytest.mark.parametrize("size", [300_000, 3_000_000])
def test_nothing_waits_for_the_rest_of_a_body(server, size):
    def call(method):
        return connection.open((b"content-type", b"application/grpc"), (b"te", b"trailers"), method=b"POST", path=SERVICE.encode() + method,
                               end=False)

    message = infer_message("id_uint8", ("IN", "UINT8", [1, size], bytes(size))).SerializeToString()
    data = struct.pack(">BI", 0, len(message)) + message
    with wide(server.grpc) as connection:
        large = call(b"ModelInfer")
        connection.upload(large, data[: size // 2], end=False)
        connection.settle()
        connection.upload(large, data[size // 2 : -5000], end=False)
        small = call(b"ServerLive")
        connection.upload(small, bytes(5))
        assert connection.answer(small).trailers["grpc-status"] == "0" and not connection.on(large).ended
        connection.upload(large, data[-5000:])
        answer = connection.answer(large)
        assert answer.trailers["grpc-status"] == "0" and answer.body.endswith(bytes(size))
