"""HTTP/2 as RFC 9113 has it: the preface, the form of frames, settings, PING and GOAWAY."""

import struct

import pytest
from cases import case
from frames import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GET_LIVE, GOAWAY, HEADERS, HELLO, PADDED, PING, PREFACE, PRIORITIZED,
                    PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame)
from raw_http2 import (ENABLE_PUSH, HEADER_TABLE_SIZE, INFER_JSON, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, SERVED,
                       Raw, connection_error, either, get, infer, number, post, provoke, reset, settings, variants)
from wire import Socket

UNKNOWN_KIND = 0xFA


# ---- the preface ----


@case("H2C101", "HTTP/2", "the preface, in one piece, byte by byte, or with the first request behind it",
      "SETTINGS first, an acknowledgement of the client's SETTINGS, then answers")
@pytest.mark.parametrize("port", ["http", "grpc"])
@pytest.mark.parametrize("size", [1, 10, 1000])
def test_preface(server, port, size):
    with Raw(getattr(server, port), first=None) as connection:
        connection.unacknowledged.append(())
        data = HELLO + get(1)
        for at in range(0, len(data), size):
            connection.send(data[at : at + size])
        assert connection.answer(1).status == "200"
        assert not connection.unacknowledged
        connection.alive()


@case("H2C102", "HTTP/2", "a preface with a wrong byte", "the connection is closed; a GOAWAY may be left out")
@pytest.mark.parametrize("data", [PREFACE.replace(b"SM", b"SN"), PREFACE[:-1] + b"x", PREFACE.replace(b"2.0", b"2.1")])
def test_wrong_preface(server, data):
    with Socket(server.http) as connection:
        connection.send(data + frame(SETTINGS, 0, 0))
        answer = connection.read_to_end()
    assert b"200" not in answer


@case("H2C103", "HTTP/2", "another frame than SETTINGS behind the preface, or its acknowledgement", "the connection is closed (PROTOCOL_ERROR)")
@variants({
    "HEADERS": get(1),
    "PING": frame(PING, 0, 0, bytes(8)),
    "WINDOW_UPDATE": frame(WINDOW_UPDATE, 0, 0, number(1)),
    "acknowledgement": frame(SETTINGS, ACK, 0) + get(1),
})
def test_settings_first(server, data):
    with Raw(server.http, first=None) as connection:
        connection.send(PREFACE + data)
        connection.read_to_close()
        print("server:", connection.goaways)
        assert connection.goaways == [] or connection.goaways[-1][1] == "PROTOCOL_ERROR"
        assert not connection.streams


# ---- frames that are not known ----


@case("H2C104", "HTTP/2", "frames of unknown types and flags that mean nothing: on the connection, before, in and behind a request", "ignored")
def test_unknown_frames(server):
    unknown = [frame(UNKNOWN_KIND, 0xFF, stream, b"?" * 20) for stream in (0, 1, 3)] + [frame(UNKNOWN_KIND, 0, 0)]
    noise = b"".join(unknown)
    assert provoke(server.http, noise + post(1) + noise + frame(DATA, END_STREAM | 0xC6, 1, INFER_JSON) + noise) in SERVED
    assert provoke(server.http, frame(PING, 0xFE, 0, bytes(8)) + frame(HEADERS, END_HEADERS | END_STREAM | 0xD2, 1, GET_LIVE)) in SERVED


@case("H2C105", "HTTP/2", "a frame between HEADERS and CONTINUATION: unknown, DATA, PING, PRIORITY, of another stream, or CONTINUATION of another",
      "PROTOCOL_ERROR of the connection")
@variants({
    "unknown": frame(UNKNOWN_KIND, 0, 1),
    "unknown of the connection": frame(UNKNOWN_KIND, 0, 0),
    "DATA": frame(DATA, 0, 1),
    "HEADERS": get(3),
    "HEADERS of the same stream": get(1),
    "PING": frame(PING, 0, 0, bytes(8)),
    "SETTINGS": frame(SETTINGS, 0, 0),
    "PRIORITY": frame(PRIORITY, 0, 1, bytes(5)),
    "RST_STREAM": reset(1),
    "WINDOW_UPDATE": frame(WINDOW_UPDATE, 0, 0, number(1)),
    "CONTINUATION of another stream": frame(CONTINUATION, END_HEADERS, 3, GET_LIVE[20:]),
})
def test_frame_within_a_head(server, data):
    begin = frame(HEADERS, END_STREAM, 1, GET_LIVE[:20])
    assert provoke(server.http, begin + data + frame(CONTINUATION, END_HEADERS, 1, GET_LIVE[20:])) in connection_error("PROTOCOL_ERROR")


@case("H2C106", "HTTP/2", "CONTINUATION without HEADERS, or behind a head that is complete", "PROTOCOL_ERROR of the connection")
@variants({
    "alone": frame(CONTINUATION, END_HEADERS, 1, GET_LIVE),
    "behind a head": post(1) + frame(CONTINUATION, END_HEADERS, 1, b""),
    "behind CONTINUATION": frame(HEADERS, 0, 1, GET_LIVE[:9]) + frame(CONTINUATION, END_HEADERS, 1, GET_LIVE[9:]) + frame(CONTINUATION, END_HEADERS, 1),
    "behind DATA": post(1) + frame(DATA, 0, 1, b"{") + frame(CONTINUATION, END_HEADERS, 1),
})
def test_continuation_of_nothing(server, data):
    assert provoke(server.http, data) in connection_error("PROTOCOL_ERROR")


# ---- sizes ----


@case("H2C107", "HTTP/2", "a frame one byte longer than SETTINGS_MAX_FRAME_SIZE: HEADERS, DATA, unknown", "FRAME_SIZE_ERROR; of the connection where it holds a head")
@pytest.mark.parametrize("kind", [HEADERS, DATA, UNKNOWN_KIND])
def test_long_frame(server, kind):
    with Raw(server.http) as connection:
        connection.settle()
        size = connection.server_settings.get(MAX_FRAME_SIZE, 16384) + 1
        allowed = connection_error("FRAME_SIZE_ERROR") if kind == HEADERS else either("FRAME_SIZE_ERROR")
        before = b"" if kind == HEADERS else post(1)
        assert connection.provoke(before + frame(kind, 0, 1, bytes(size))) in allowed


@case("H2C108", "HTTP/2", "DATA of exactly SETTINGS_MAX_FRAME_SIZE", "taken")
def test_longest_frame(server):
    with Raw(server.http) as connection:
        connection.settle()
        size = connection.server_settings.get(MAX_FRAME_SIZE, 16384)
        connection.send(post(1) + frame(DATA, END_STREAM, 1, INFER_JSON + b" " * (size - len(INFER_JSON))))
        assert connection.answer(1).status == "200"


WRONG_SIZES = {
    "SETTINGS of 5": frame(SETTINGS, 0, 0, bytes(5)),
    "SETTINGS of 7": frame(SETTINGS, 0, 0, bytes(7)),
    "acknowledgement with settings": frame(SETTINGS, ACK, 0, bytes(6)),
    "acknowledgement with a byte": frame(SETTINGS, ACK, 0, bytes(1)),
    "PING of 0": frame(PING, 0, 0),
    "PING of 7": frame(PING, 0, 0, bytes(7)),
    "PING of 9": frame(PING, 0, 0, bytes(9)),
    "acknowledgement of PING of 6": frame(PING, ACK, 0, bytes(6)),
    "RST_STREAM of 3": post(1) + frame(RST_STREAM, 0, 1, bytes(3)),
    "RST_STREAM of 5": post(1) + frame(RST_STREAM, 0, 1, bytes(5)),
    "RST_STREAM of 0": post(1) + frame(RST_STREAM, 0, 1),
    "WINDOW_UPDATE of 3": frame(WINDOW_UPDATE, 0, 0, bytes(3)),
    "WINDOW_UPDATE of 5": frame(WINDOW_UPDATE, 0, 0, bytes(4) + b"\1"),
    "WINDOW_UPDATE of 0": post(1) + frame(WINDOW_UPDATE, 0, 1),
    "GOAWAY of 7": frame(GOAWAY, 0, 0, bytes(7)),
    "GOAWAY of 0": frame(GOAWAY, 0, 0),
    "HEADERS with half a priority": frame(HEADERS, END_HEADERS | END_STREAM | PRIORITIZED, 1, bytes(4)),
}


@case("H2C109", "HTTP/2", "frames of a length that they cannot have: SETTINGS, PING, RST_STREAM, WINDOW_UPDATE, GOAWAY, HEADERS; an acknowledgement with settings",
      "FRAME_SIZE_ERROR of the connection")
@variants(WRONG_SIZES)
def test_wrong_length(server, data):
    assert provoke(server.http, data) in connection_error("FRAME_SIZE_ERROR")


@case("H2C110", "HTTP/2", "PRIORITY of another length than 5", "FRAME_SIZE_ERROR of the stream or the connection")
@variants({
    "of 4": post(1) + frame(PRIORITY, 0, 1, bytes(4)),
    "of 6": post(1) + frame(PRIORITY, 0, 1, bytes(6)),
    "of 0": post(1) + frame(PRIORITY, 0, 1),
})
def test_wrong_length_of_priority(server, data):
    assert provoke(server.http, data) in either("FRAME_SIZE_ERROR")


@case("H2C111", "HTTP/2", "padding as long as the frame, or longer, in DATA and HEADERS; no room even for its length", "PROTOCOL_ERROR of the connection; the last FRAME_SIZE_ERROR too")
@variants({
    "DATA, longer": (post(1) + frame(DATA, END_STREAM | PADDED, 1, b"\x06{}   "), connection_error("PROTOCOL_ERROR")),
    "DATA, as long": (post(1) + frame(DATA, END_STREAM | PADDED, 1, b"\x05{}  "), connection_error("PROTOCOL_ERROR")),
    "DATA, empty": (post(1) + frame(DATA, END_STREAM | PADDED, 1), connection_error("PROTOCOL_ERROR", "FRAME_SIZE_ERROR")),
    "HEADERS, longer": (frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\xff" + GET_LIVE), connection_error("PROTOCOL_ERROR")),
    "HEADERS, as long": (frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, bytes([len(GET_LIVE) + 1]) + GET_LIVE), connection_error("PROTOCOL_ERROR")),
    "HEADERS, over the priority": (frame(HEADERS, END_HEADERS | END_STREAM | PADDED | PRIORITIZED, 1, b"\x03" + bytes(5) + b"\x82\x84"),
                                   connection_error("PROTOCOL_ERROR", "FRAME_SIZE_ERROR")),
    "HEADERS, empty": (frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1), connection_error("PROTOCOL_ERROR", "FRAME_SIZE_ERROR")),
})
def test_too_much_padding(server, data, allowed):
    assert provoke(server.http, data) in allowed


@case("H2C112", "HTTP/2", "padding in DATA and HEADERS, a priority in HEADERS, both; DATA that is all padding", "taken off; served")
@variants({
    "HEADERS": frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\x07" + GET_LIVE + bytes(7)),
    "HEADERS, 0": frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\x00" + GET_LIVE),
    "HEADERS, 255": frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\xff" + GET_LIVE + bytes(255)),
    "priority": frame(HEADERS, END_HEADERS | END_STREAM | PRIORITIZED, 1, b"\0\0\0\0\x0f" + GET_LIVE),
    "exclusive, on an idle stream": frame(HEADERS, END_HEADERS | END_STREAM | PRIORITIZED, 1, b"\x80\0\0\x07\xff" + GET_LIVE),
    "both": frame(HEADERS, END_HEADERS | END_STREAM | PADDED | PRIORITIZED, 1, b"\x02\0\0\0\0\x0f" + GET_LIVE + bytes(2)),
    "DATA": post(1) + frame(DATA, END_STREAM | PADDED, 1, b"\x03" + INFER_JSON + bytes(3)),
    "DATA, 255": post(1) + frame(DATA, END_STREAM | PADDED, 1, b"\xff" + INFER_JSON + bytes(255)),
    "DATA of padding": post(1) + frame(DATA, PADDED, 1, b"\xff" + bytes(255)) + frame(DATA, 0, 1, INFER_JSON) + frame(DATA, END_STREAM | PADDED, 1, b"\0"),
    "the head in pieces": frame(HEADERS, END_STREAM | PADDED, 1, b"\x02" + GET_LIVE[:5] + bytes(2)) + frame(CONTINUATION, END_HEADERS, 1, GET_LIVE[5:]),
})
def test_padding_and_priority(server, data):
    with Raw(server.http) as connection:
        connection.send(data)
        assert connection.answer(1).status == "200"
        connection.alive()


# ---- settings ----


@case("H2C113", "HTTP/2", "settings with values that may not be", "PROTOCOL_ERROR, of a window FLOW_CONTROL_ERROR, of the connection")
@variants({
    "ENABLE_PUSH 2": (settings((ENABLE_PUSH, 2)), connection_error("PROTOCOL_ERROR")),
    "INITIAL_WINDOW_SIZE 2^31": (settings((INITIAL_WINDOW_SIZE, 2**31)), connection_error("FLOW_CONTROL_ERROR")),
    "INITIAL_WINDOW_SIZE 2^32 - 1": (settings((INITIAL_WINDOW_SIZE, 2**32 - 1)), connection_error("FLOW_CONTROL_ERROR")),
    "MAX_FRAME_SIZE 16383": (settings((MAX_FRAME_SIZE, 16383)), connection_error("PROTOCOL_ERROR")),
    "MAX_FRAME_SIZE 0": (settings((MAX_FRAME_SIZE, 0)), connection_error("PROTOCOL_ERROR")),
    "MAX_FRAME_SIZE 2^24": (settings((MAX_FRAME_SIZE, 2**24)), connection_error("PROTOCOL_ERROR")),
    "behind a good one": (settings((HEADER_TABLE_SIZE, 100), (ENABLE_PUSH, 7)), connection_error("PROTOCOL_ERROR")),
})
def test_bad_settings(server, data, allowed):
    assert provoke(server.http, data) in allowed


@case("H2C114", "HTTP/2", "settings at the ends of their ranges, unknown ones, one twice, none", "each SETTINGS is acknowledged once; served")
def test_good_settings(server):
    with Raw(server.http) as connection:
        connection.configure((HEADER_TABLE_SIZE, 0), (ENABLE_PUSH, 0), (MAX_CONCURRENT_STREAMS, 0), (INITIAL_WINDOW_SIZE, 2**31 - 1), (MAX_FRAME_SIZE, 16384))
        connection.configure((HEADER_TABLE_SIZE, 2**32 - 1), (ENABLE_PUSH, 1), (6, 0), (MAX_FRAME_SIZE, 2**24 - 1), (0xABCD, 1), (0, 5))
        connection.configure((INITIAL_WINDOW_SIZE, 1000), (INITIAL_WINDOW_SIZE, 5000))
        connection.configure()
        connection.settle()
        assert not connection.unacknowledged
        acknowledged = [found for found in connection.seen if found.kind == SETTINGS and found.flags & ACK]
        assert len(acknowledged) == 5
        connection.alive()


@case("H2C115", "HTTP/2", "a good connection", "the server's own settings are in their ranges; it does not offer push")
def test_settings_of_the_server(server):
    for port in (server.http, server.grpc):
        with Raw(port) as connection:
            connection.settle()
            told = connection.server_settings
            assert told.get(ENABLE_PUSH, 0) == 0
            assert told.get(INITIAL_WINDOW_SIZE, 65535) < 2**31
            assert 16384 <= told.get(MAX_FRAME_SIZE, 16384) < 2**24
            assert 0 < told[MAX_CONCURRENT_STREAMS]
            connection.alive()


# ---- PING, GOAWAY, PUSH_PROMISE ----


@case("H2C116", "HTTP/2", "PING; its acknowledgement", "acknowledged with the same 8 bytes, once and in order; not answered")
def test_ping(server):
    with Raw(server.http) as connection:
        sent = [struct.pack(">Q", i * 0x0123456789ABCDE) for i in range(5)]
        connection.send(b"".join(frame(PING, 0, 0, data) + frame(PING, ACK, 0, b"whatever") for data in sent))
        connection.wait(lambda: connection.pongs == 5)
        connection.settle()
        pings = [found for found in connection.seen if found.kind == PING]
        assert all(found.flags & ACK for found in pings)
        assert [found.payload for found in pings][:5] == sent
        assert len(pings) == 7  # and those of settle


@case("H2C117", "HTTP/2", "GOAWAY while an inference runs", "the inference is answered")
@pytest.mark.parametrize("text", [b"", b"good bye"])
def test_goaway_of_the_client(server, text):
    with Raw(server.http) as connection:
        connection.send(infer(1, b"slow") + frame(GOAWAY, 0, 0, number(0) + number(0) + text))
        assert connection.answer(1).status == "200"
        assert b'"data":[7]' in connection.streams[1].body


@case("H2C118", "HTTP/2", "PUSH_PROMISE", "PROTOCOL_ERROR of the connection")
@variants({
    "in a stream": post(1) + frame(PUSH_PROMISE, END_HEADERS, 1, number(2) + GET_LIVE),
    "on an idle stream": frame(PUSH_PROMISE, END_HEADERS, 1, number(2) + GET_LIVE),
    "on the connection": frame(PUSH_PROMISE, END_HEADERS, 0, number(2) + GET_LIVE),
})
def test_push_promise(server, data):
    assert provoke(server.http, data) in connection_error("PROTOCOL_ERROR")
