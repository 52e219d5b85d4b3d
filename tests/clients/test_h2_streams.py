"""HTTP/2 as RFC 9113 has it: numbers and states of streams, heads in pieces, trailers, streams that are reset or too many."""

import models
import pytest
from cases import case
from frames import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GET_LIVE, GOAWAY, HEADERS, PING, PRIORITIZED, PRIORITY, RST_STREAM, SETTINGS,
                    WINDOW_UPDATE, field, frame)
from models import BATCHED, pair, parameter
from raw_http2 import (INFER_JSON, MALFORMED, MAX_CONCURRENT_STREAMS, NOTHING, SERVED, Raw, connection_error, either, get, infer, number, post,
                       provoke, reset, stream_error, variants, window_update)
from serving import Server


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A server that takes eight streams of a connection at once."""
    repository = tmp_path_factory.mktemp("narrow")
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    models.add(repository, "stuck", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "600000"))
    running = Server(repository, "--max-streams=8")
    yield running
    running.stop()


# ---- numbers ----


@case("H2C201", "HTTP/2", "frames of a stream on stream 0: DATA, HEADERS, PRIORITY, RST_STREAM, CONTINUATION", "PROTOCOL_ERROR of the connection; PRIORITY may be ignored")
@variants({
    "DATA": (frame(DATA, END_STREAM, 0, b"x"), connection_error("PROTOCOL_ERROR")),
    "HEADERS": (frame(HEADERS, END_HEADERS | END_STREAM, 0, GET_LIVE), connection_error("PROTOCOL_ERROR")),
    "PRIORITY": (frame(PRIORITY, 0, 0, bytes(5)), connection_error("PROTOCOL_ERROR") | NOTHING),  # it means nothing any more
    "RST_STREAM": (frame(RST_STREAM, 0, 0, bytes(4)), connection_error("PROTOCOL_ERROR")),
    "CONTINUATION": (frame(CONTINUATION, END_HEADERS, 0, GET_LIVE), connection_error("PROTOCOL_ERROR")),
})
def test_stream_0(server, data, allowed):
    assert provoke(server.http, data) in allowed


@case("H2C202", "HTTP/2", "frames of the connection on a stream: SETTINGS, PING, GOAWAY", "PROTOCOL_ERROR of the connection")
@variants({
    "SETTINGS": frame(SETTINGS, 0, 1),
    "acknowledgement": frame(SETTINGS, 1, 1),
    "PING": frame(PING, 0, 1, bytes(8)),
    "GOAWAY": frame(GOAWAY, 0, 1, bytes(8)),
})
def test_connection_frame_on_a_stream(server, data):
    assert provoke(server.http, post(1) + data) in connection_error("PROTOCOL_ERROR")


@case("H2C203", "HTTP/2", "a request on an even stream", "PROTOCOL_ERROR of the connection")
@pytest.mark.parametrize("stream", [2, 2**31 - 2])
def test_even_stream(server, stream):
    assert provoke(server.http, get(stream), stream) in connection_error("PROTOCOL_ERROR")


@case("H2C204", "HTTP/2", "a request on a stream below the last one, which was never used", "no answer: PROTOCOL_ERROR or STREAM_CLOSED, or ignored")
def test_stream_below_the_last(server):
    allowed = either("PROTOCOL_ERROR", "STREAM_CLOSED") | NOTHING  # the RFC wants the connection's end; the stream counts as closed, too
    assert provoke(server.http, get(5) + get(3), 3) in allowed


@case("H2C205", "HTTP/2", "a second request on a stream that is answered", "no second answer: STREAM_CLOSED or PROTOCOL_ERROR, or ignored; field compression goes on")
def test_stream_again(server):
    with Raw(server.http) as connection:
        connection.send(get(1))
        assert connection.answer(1).status == "200"
        added = b"\x40" + field(b"x-added", b"1")[1:]
        outcome = connection.provoke(frame(HEADERS, END_HEADERS | END_STREAM, 1, GET_LIVE + added), 3)
        assert outcome in connection_error("PROTOCOL_ERROR", "STREAM_CLOSED") | NOTHING
        if outcome in NOTHING:
            assert connection.provoke(frame(HEADERS, END_HEADERS | END_STREAM, 201, GET_LIVE + b"\xbe"), 201) in SERVED


@case("H2C206", "HTTP/2", "streams with gaps between their numbers, up to the highest", "each is answered")
def test_gaps(server):
    with Raw(server.http) as connection:
        for stream in (1, 7, 9, 2**20 + 1, 2**31 - 1):
            connection.send(get(stream))
            assert connection.answer(stream).status == "200"


@case("H2C207", "HTTP/2", "the reserved bit of the stream's number, and of a WINDOW_UPDATE", "ignored")
def test_reserved_bits(server):
    with Raw(server.http) as connection:
        data = bytearray(get(1))
        data[5] |= 0x80
        connection.send(frame(WINDOW_UPDATE, 0, 0, number(2**31 + 5)) + bytes(data))
        assert connection.answer(1).status == "200"
        connection.alive()


# ---- states ----


@case("H2C208", "HTTP/2", "DATA, RST_STREAM, WINDOW_UPDATE on an idle stream", "PROTOCOL_ERROR of the connection")
@variants({
    "DATA": frame(DATA, END_STREAM, 1, b"x"),
    "RST_STREAM": reset(1),
    "WINDOW_UPDATE": window_update(1, 100),
    "DATA behind another stream": get(1) + frame(DATA, END_STREAM, 3, b"x"),
    "RST_STREAM behind another stream": get(1) + reset(3),
    "WINDOW_UPDATE behind another stream": get(1) + window_update(3, 100),
    "DATA on a stream of the server's": frame(DATA, END_STREAM, 2, b"x"),
    "RST_STREAM on a stream of the server's": reset(2),
    "WINDOW_UPDATE on a stream of the server's": window_update(2, 1),
})
def test_idle_stream(server, data):
    assert provoke(server.http, data) in connection_error("PROTOCOL_ERROR")


@case("H2C209", "HTTP/2", "PRIORITY on idle, open, half-closed and closed streams, of whatever contents", "ignored")
def test_priority_anywhere(server):
    priority = b"".join(frame(PRIORITY, 0, stream, number(depends) + b"\xff") for stream in (1, 2, 99) for depends in (0, 5, 2**31 + 7))
    with Raw(server.http) as connection:
        connection.send(priority + post(1) + priority + frame(DATA, END_STREAM, 1, INFER_JSON) + priority)
        assert connection.answer(1).status == "200"
        connection.send(priority)
        connection.alive()


@case("H2C210", "HTTP/2", "a stream that depends on itself, in PRIORITY and HEADERS", "ignored, or PROTOCOL_ERROR as RFC 7540 wants it")
@variants({
    "PRIORITY": post(1) + frame(PRIORITY, 0, 1, number(1) + b"\1") + frame(DATA, END_STREAM, 1, INFER_JSON),
    "HEADERS": frame(HEADERS, END_HEADERS | END_STREAM | PRIORITIZED, 1, number(1) + b"\1" + GET_LIVE),
})
def test_self_dependency(server, data):
    assert provoke(server.http, data) in SERVED | NOTHING | either("PROTOCOL_ERROR")


@case("H2C211", "HTTP/2", "DATA, HEADERS on a stream whose request has ended and is still being answered", "STREAM_CLOSED of the stream or the connection")
@variants({
    "DATA": frame(DATA, END_STREAM, 1, b"x"),
    "empty DATA": frame(DATA, 0, 1),
    "HEADERS": frame(HEADERS, END_HEADERS | END_STREAM, 1, field(b"x", b"y")),
    "HEADERS in pieces": frame(HEADERS, END_STREAM, 1, field(b"x", b"y")) + frame(CONTINUATION, END_HEADERS, 1, field(b"z", b"y")),
})
def test_half_closed(server, data):
    assert provoke(server.http, infer(1, b"stuck") + data) in either("STREAM_CLOSED")


@case("H2C212", "HTTP/2", "WINDOW_UPDATE, PRIORITY on a stream whose request has ended and is still being answered", "taken; the answer comes")
def test_half_closed_good(server):
    with Raw(server.http) as connection:
        connection.send(infer(1, b"slow") + window_update(1, 100) + frame(PRIORITY, 0, 1, bytes(5)))
        assert connection.answer(1).status == "200"


@case("H2C213", "HTTP/2", "RST_STREAM, WINDOW_UPDATE, PRIORITY shortly behind the end of an answer", "ignored")
def test_closed_good(server):
    with Raw(server.http) as connection:
        connection.send(get(1))
        assert connection.answer(1).ended
        assert connection.provoke(window_update(1, 10) + reset(1) + frame(PRIORITY, 0, 1, bytes(5)), 3) in NOTHING


@case("H2C214", "HTTP/2", "DATA on a stream that was answered, or that the client has reset", "STREAM_CLOSED of the stream or the connection, or ignored")
@pytest.mark.parametrize("how", ["answered", "reset"])
def test_closed(server, how):
    with Raw(server.http) as connection:
        connection.send(get(1) if how == "answered" else post(1) + reset(1))
        connection.settle()
        allowed = either("STREAM_CLOSED") | {"answer 200" if how == "answered" else "nothing"}
        assert connection.provoke(frame(DATA, END_STREAM, 1, b"x"), 1) in allowed


@case("H2C215", "HTTP/2", "HEADERS on a stream that the client has reset", "no answer: STREAM_CLOSED, PROTOCOL_ERROR, or ignored")
def test_headers_behind_a_reset(server):
    assert provoke(server.http, post(1) + reset(1) + get(1)) in either("STREAM_CLOSED", "PROTOCOL_ERROR") | NOTHING


@case("H2C216", "HTTP/2", "what a client still sends on a stream that the server has reset", "ignored; it counts for the connection's window, field compression goes on")
def test_behind_the_reset_of_the_server(server):
    with Raw(server.http) as connection:
        bad = frame(HEADERS, END_HEADERS, 1, GET_LIVE + field(b"Upper", b"x"))
        trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x40" + field(b"x-added", b"1")[1:])
        outcome = connection.provoke(bad + frame(DATA, 0, 1, bytes(1000)) + trailers)
        assert outcome in MALFORMED
        assert connection.provoke(frame(HEADERS, END_HEADERS | END_STREAM, 201, GET_LIVE + b"\xbe"), 201) in SERVED


# ---- heads in pieces, trailers ----


@case("H2C217", "HTTP/2", "a head over HEADERS and CONTINUATION frames: cut at every byte, in single bytes, with empty frames", "answered")
def test_head_in_pieces(server):
    cuts = [[0], [len(GET_LIVE)], [0, 0, 0], [1, 2, 3, 4, 5], [20, 20, 21, 22, 60]] + [[at] for at in range(1, len(GET_LIVE))]
    with Raw(server.http) as connection:
        for cut in cuts:
            stream, connection.next_stream = connection.next_stream, connection.next_stream + 2
            pieces = [GET_LIVE[begin:end] for begin, end in zip([0] + cut, cut + [len(GET_LIVE)])]
            data = frame(HEADERS, END_STREAM, stream, pieces[0])
            for i, piece in enumerate(pieces[1:], 2):
                data += frame(CONTINUATION, END_HEADERS if i == len(pieces) else 0, stream, piece)
            connection.send(data)
            assert connection.answer(stream).status == "200"


@case("H2C218", "HTTP/2", "CONTINUATION frames without end, each with fields", "the stream or the connection ends; others are served")
def test_endless_head(server):
    with Raw(server.http) as connection:
        more = frame(CONTINUATION, 0, 1, field(b"x-more", b"y" * 100) * 100)
        connection.send(frame(HEADERS, END_STREAM, 1, GET_LIVE) + more * 1000 + frame(CONTINUATION, END_HEADERS, 1))
        connection.wait(lambda: connection.goaways or connection.on(1).reset)
        assert connection.closed or connection.goaways or connection.on(1).reset
        assert connection.on(1).status != "200"
    with Raw(server.http) as connection:
        connection.alive()


@case("H2C219", "HTTP/2", "trailers behind the body, also in pieces, also of a request without DATA", "answered")
@variants({
    "behind DATA": post(1) + frame(DATA, 0, 1, INFER_JSON) + frame(HEADERS, END_HEADERS | END_STREAM, 1, field(b"x-sum", b"1")),
    "in pieces": post(1) + frame(DATA, 0, 1, INFER_JSON) + frame(HEADERS, END_STREAM, 1, field(b"x-sum", b"1")) + frame(CONTINUATION, END_HEADERS, 1, field(b"x", b"y")),
    "empty": post(1) + frame(DATA, 0, 1, INFER_JSON) + frame(HEADERS, END_HEADERS | END_STREAM, 1),
    "without DATA": frame(HEADERS, END_HEADERS, 1, GET_LIVE) + frame(HEADERS, END_HEADERS | END_STREAM, 1, field(b"x-sum", b"1")),
    "with their length told": post(1, (b"content-length", b"%d" % len(INFER_JSON))) + frame(DATA, 0, 1, INFER_JSON) + frame(HEADERS, END_HEADERS | END_STREAM, 1, field(b"x", b"1")),
})
def test_trailers(server, data):
    with Raw(server.http) as connection:
        connection.send(data)
        assert connection.answer(1).status == "200"
        connection.alive()


def trailers(*fields):
    return post(1) + frame(DATA, 0, 1, INFER_JSON) + frame(HEADERS, END_HEADERS | END_STREAM, 1, b"".join(field(*pair) for pair in fields))


@case("H2C220", "HTTP/2", "trailers that do not end the stream, or have pseudo-fields, upper case, connection-specific fields", "a malformed request: PROTOCOL_ERROR of the stream, or 400")
@variants({
    "no END_STREAM": post(1) + frame(DATA, 0, 1, b"{") + frame(HEADERS, END_HEADERS, 1, field(b"x-sum", b"1")),
    "no END_STREAM, no DATA": post(1) + frame(HEADERS, END_HEADERS, 1, field(b"x-sum", b"1")),
    ":path": trailers((b":path", b"/v2")),
    ":status": trailers((b"x", b"y"), (b":status", b"200")),
    "unknown pseudo-field": trailers((b":what", b"1")),
    "upper case": trailers((b"X-Sum", b"1")),
    "connection": trailers((b"connection", b"close")),
    "control character": trailers((b"x", b"a\nb")),
})
def test_bad_trailers(server, data):
    assert provoke(server.http, data) in MALFORMED


# ---- resets, too many ----


@case("H2C221", "HTTP/2", "RST_STREAM of inferences that run, in the middle of a body, and with a code that is not known", "nothing more on them; others are answered")
def test_reset_by_the_client(server):
    with Raw(server.http) as connection:
        connection.send(infer(1, b"stuck") + infer(3, b"slow") + post(5) + frame(DATA, 0, 5, INFER_JSON[:10]))
        connection.send(reset(1) + reset(5, 0xFFFFFF) + get(7))
        assert connection.answer(7).status == "200"
        assert connection.answer(3).status == "200"
        connection.settle()
        assert not connection.on(1).heads and not connection.on(5).heads


@case("H2C222", "HTTP/2", "more streams at once than SETTINGS_MAX_CONCURRENT_STREAMS", "REFUSED_STREAM or PROTOCOL_ERROR; when the SETTINGS were not acknowledged yet, of the stream")
@pytest.mark.parametrize("acknowledge", [True, False])
def test_too_many_streams(narrow, acknowledge):
    with Raw(narrow.http, acknowledge=acknowledge) as connection:
        connection.settle()
        assert connection.server_settings[MAX_CONCURRENT_STREAMS] == 8
        full = b"".join(post(2 * i + 1) for i in range(8))
        allowed = stream_error("REFUSED_STREAM", "PROTOCOL_ERROR")
        if acknowledge:
            allowed |= connection_error("PROTOCOL_ERROR")
        connection.next_stream = 201
        outcome = provoke_beside(connection, full + get(17), 17)
        print("server:", outcome)
        assert outcome in allowed


def provoke_beside(connection, data, stream):
    """provoke, where the first streams must go before another request is served; those that did are served on."""
    connection.settle(data)
    if connection.goaways:
        return f"GOAWAY {connection.read_to_close()[-1][1]}"
    outcome = f"RST_STREAM {connection.on(stream).reset}"
    connection.send(frame(DATA, END_STREAM, 1, INFER_JSON) + reset(3))
    assert connection.answer(1).status == "200"
    connection.alive()
    return outcome


@case("H2C223", "HTTP/2", "a stream too many whose head adds to the table of fields", "the table has it; a later request may use it")
def test_refused_stream_keeps_compression(narrow):
    with Raw(narrow.http, acknowledge=False) as connection:
        added = b"\x44" + field(b"", b"/v2/health/live")[2:]  # :path with indexing
        connection.send(b"".join(post(2 * i + 1) for i in range(8)) + frame(HEADERS, END_HEADERS | END_STREAM, 17, b"\x82\x86\x01\x01h" + added))
        connection.settle()
        assert connection.on(17).reset in ("REFUSED_STREAM", "PROTOCOL_ERROR")
        connection.send(reset(1) + reset(3))
        assert connection.provoke(frame(HEADERS, END_HEADERS | END_STREAM, 19, b"\x82\x86\x01\x01h\xbe"), 19) in SERVED


@case("H2C224", "HTTP/2", "thousands of requests, one after the other and eight at a time, on a connection that takes eight", "all are answered")
def test_streams_are_given_back(narrow):
    with Raw(narrow.http) as connection:
        for turn in range(250):
            first = 16 * turn + 1
            connection.send(b"".join(get(first + 2 * i) for i in range(8)))
            for i in range(8):
                assert connection.answer(first + 2 * i).status == "200"
