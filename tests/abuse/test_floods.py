"""Clients that send without end what costs them little: frames, requests, connections."""

import json
import struct

import pytest
from attack import Swarm, count, rounds, unharmed
from cases import case
from frames import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GET_LIVE, HEADERS, HELLO, INTERNAL_ERROR, PING,
                    PRIORITY, REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, field, frame, frames, goaway_errors, head)
from wire import Socket, infer_input

INFER = b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
BODY = json.dumps({"inputs": [infer_input([1, -2, 3])]}).encode()
OPEN_POST = head(b"POST", b"/v2/models/id_int32/infer")
CALL = head(b"POST", b"/inference.GRPCInferenceService/ServerLive", (b"content-type", b"application/grpc"), (b"te", b"trailers"))


def stream(i):
    return 2 * i + 1


def flood(port, data):
    """Sends it behind HTTP/2's preface; what came back until the server closed the connection."""
    with Socket(port) as connection:
        try:
            connection.send(HELLO + data)
        except ConnectionError:
            pass  # it had enough
        return connection.read_to_end()


def flood_often(target, data):
    """The same flood on several connections, one after the other; the error codes of all that was heard before each was closed."""
    with unharmed(target):
        return [code for _ in rounds(target, count(3, 20)) for code in goaway_errors(flood(target.http, data))]


# A GOAWAY may be lost with the connection that it ends, but what comes says why.
@case("AB10", "HTTP/2", "rapid reset: requests taken back at once, by the thousand, on many connections", "GOAWAY, ENHANCE_YOUR_CALM; closed")
@pytest.mark.parametrize("block", [GET_LIVE, OPEN_POST, CALL], ids=["get", "post", "call"])
def test_rapid_reset(target, block):
    end = END_STREAM if block == GET_LIVE else 0
    one = b"".join(frame(HEADERS, end | END_HEADERS, stream(i), block) + frame(RST_STREAM, 0, stream(i), bytes(4)) for i in range(count(3000, 20_000)))
    assert set(flood_often(target, one)) <= {ENHANCE_YOUR_CALM}


@case("AB11", "HTTP/2", "requests that make the server reset their streams, by the thousand", "GOAWAY, ENHANCE_YOUR_CALM; closed")
@pytest.mark.parametrize("kind", ["window", "overflow", "malformed"])
def test_resets_by_the_server(target, kind):
    wrong = {"window": lambda i: frame(HEADERS, END_HEADERS, stream(i), OPEN_POST) + frame(WINDOW_UPDATE, 0, stream(i), bytes(4)),
             "overflow": lambda i: frame(HEADERS, END_HEADERS, stream(i), OPEN_POST) + frame(WINDOW_UPDATE, 0, stream(i), b"\x7f\xff\xff\xff"),
             "malformed": lambda i: frame(HEADERS, END_HEADERS | END_STREAM, stream(i), GET_LIVE + field(b"Upper", b"case"))}[kind]
    codes = flood_often(target, b"".join(wrong(i) for i in range(count(3000, 20_000))))
    assert set(codes) <= {ENHANCE_YOUR_CALM, 1, 3}  # or an error of the protocol, of the flow control


@case("AB12", "HTTP/2", "a head that goes on in CONTINUATION frames without end, on many connections", "closed")
@pytest.mark.parametrize("piece", [b"", b"\0", field(b"x", b"y" * 100)], ids=["empty", "byte", "fields"])
def test_continuation_flood(target, piece):
    flood_often(target, frame(HEADERS, END_STREAM, 1, GET_LIVE) + frame(CONTINUATION, 0, 1, piece) * count(50_000, 200_000))


@case("AB41", "HTTP/2", "HPACK bombs a little above the limit of a head, by the thousand", "431, then GOAWAY, ENHANCE_YOUR_CALM; closed")
def test_heads_over_the_limit(target):
    value = b"v" * 3900
    entry = b"\x40\x01b\x7f" + bytes([(len(value) - 127) & 0x7F | 0x80, (len(value) - 127) >> 7]) + value
    bombs = b"".join(frame(HEADERS, END_HEADERS | END_STREAM, stream(i), GET_LIVE + b"\xbe" * 40) for i in range(1, count(3000, 20_000)))
    codes = flood_often(target, frame(HEADERS, END_HEADERS | END_STREAM, stream(0), GET_LIVE + entry) + bombs)
    assert set(codes) <= {ENHANCE_YOUR_CALM}


@case("AB13", "HTTP/2", "SETTINGS by the thousand, of which the answers are not read", "GOAWAY, ENHANCE_YOUR_CALM; closed")
@pytest.mark.parametrize("payload", [b"", b"\0\4\0\0\xff\xff" * 100], ids=["empty", "long"])
def test_settings_flood(target, payload):
    assert set(flood_often(target, frame(SETTINGS, 0, 0, payload) * count(5000, 50_000))) <= {ENHANCE_YOUR_CALM}


@case("AB14", "HTTP/2", "PING by the hundred thousand, of which the answers are not read", "closed, or answered as they are read")
def test_ping_flood(target):
    data = HELLO + frame(PING, 0, 0, bytes(8)) * count(100_000, 1_000_000)
    with unharmed(target):
        for _ in rounds(target, count(3, 10)):
            with Socket(target.http) as connection:
                connection.socket.settimeout(2)
                try:
                    connection.send(data)
                except OSError:
                    pass  # it does not take them while its answers are not read


@case("AB15", "HTTP/2", "WINDOW_UPDATE, PRIORITY, empty DATA, unknown frames, by the hundred thousand", "closed, or ignored")
@pytest.mark.parametrize("kind", ["window", "priority", "data", "unknown", "ack"])
def test_cheap_frames(target, kind):
    one = {"window": frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"), "priority": frame(PRIORITY, 0, 1, bytes(5)), "data": frame(DATA, 0, 1),
           "unknown": frame(99, 0, 0, b"x" * 10), "ack": frame(SETTINGS, ACK, 0)}[kind]
    data = HELLO + frame(HEADERS, END_HEADERS, 1, OPEN_POST) + one * count(100_000, 500_000)
    with unharmed(target):
        for _ in rounds(target, count(2, 5)):
            with Socket(target.http) as connection:
                try:
                    connection.send(data)
                except ConnectionError:
                    pass
                connection.abort()


@case("AB16", "HTTP/2", "more streams than are allowed, kept open", "those beyond are refused; others are served meanwhile")
def test_many_streams(target):
    opened = b"".join(frame(HEADERS, END_HEADERS, stream(i), OPEN_POST) for i in range(256))
    with unharmed(target), Swarm(target.http, count(20, 200)) as swarm:
        swarm.send(HELLO + opened)
        answers = swarm.read_to_end()  # when their bodies do not come
    refused = [(RST_STREAM, struct.pack(">I", code)) for code in (REFUSED_STREAM, INTERNAL_ERROR)]  # where memory is short, or gets so
    for answer in answers:
        assert sum(kind == HEADERS or (kind, payload) in refused for kind, payload in frames(answer)) == 256  # 408 on all others


@case("AB17", "HTTP/1.1", "a thousand requests in one piece, on many connections", "all are answered, in order")
def test_pipelining_flood(target):
    requests = count(200, 1000)
    last = b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
    data = (INFER % len(BODY) + BODY) * (requests - 1) + last
    with unharmed(target), Swarm(target.http, count(10, 50)) as swarm:
        answers = swarm.converse(data)
    assert {answer.count(b"HTTP/1.1 200 ") for answer in answers} == {requests}


@case("AB18", "HTTP/1.1", "pipelined requests whose answers are never read", "no more is read; closed when time is over")
@pytest.mark.parametrize("path", [b"/v2/health/live", b"/metrics", b"/v2/models/stats"])
def test_pipelining_without_reading(target, path):
    data = b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % path * 20_000
    with unharmed(target), Swarm(target.http, count(50, 500)) as swarm:
        for _ in range(20):
            if swarm.send(data) == 0:
                break


@case("AB19", "both", "connections opened and closed at once, by the ten thousand", "others are served meanwhile")
def test_connection_churn(target):
    with unharmed(target):
        for _ in rounds(target, count(10, 100)):
            with Swarm(target.http, 100), Swarm(target.grpc, 100):
                pass
