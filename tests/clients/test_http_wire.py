"""HTTP/1.1 itself, over bare sockets: what is malformed is refused, what is unusual works."""

import json

import pytest
from cases import case
from wire import Socket, exchange, infer_input

BODY = json.dumps({"inputs": [infer_input([1, 2])]}).encode()
POST = b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\n"


def refused(server, data, status, *parts):
    """The answer has this status, tells these parts, and the connection is closed behind it."""
    with Socket(server.http) as connection:
        connection.send(data)
        answer = connection.read_response()
        assert answer.status == status, (answer.status, answer.body)
        for part in parts:
            assert part in answer.error, answer.error
        assert answer.headers["connection"] == "close"
        assert connection.read_to_end() == b""


@case("HW01", "HTTP/1.1", "something that is no HTTP", "400, and the connection is closed")
@pytest.mark.parametrize("data", [b"GARBAGE\r\n\r\n", b"\r\n\r\nhello world\r\n\r\n", b"GET /a b HTTP/1.1\r\n\r\n", b"GET\r\n\r\n"])
def test_no_http(server, data):
    refused(server, data, 400, "request line")


@case("HW02", "HTTP/1.1", "the beginning of a TLS handshake", "400, and the connection is closed")
def test_tls_handshake(server):
    refused(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), 400)


@case("HW03", "HTTP/1.1", "another HTTP version", "505 with those that there are")
def test_other_version(server):
    refused(server, b"GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505, "HTTP/1.1")


@case("HW04", "HTTP/1.1", "no Host, or two", "400")
def test_host(server):
    refused(server, b"GET /v2 HTTP/1.1\r\n\r\n", 400, "Host")
    refused(server, b"GET /v2 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Host")


@case("HW05", "HTTP/1.1", "a head larger than 64 KiB", "431")
def test_large_head(server):
    refused(server, b"GET /v2 HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 70000 + b"\r\n\r\n", 431, "limit")


@case("HW06", "HTTP/1.1", "a request line larger than 64 KiB", "414")
def test_large_request_line(server):
    refused(server, b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414, "limit")


@case("HW07", "HTTP/1.1", "more than 128 header fields", "431")
def test_many_fields(server):
    fields = b"".join(b"X-%d: y\r\n" % i for i in range(130))
    refused(server, b"GET /v2 HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n", 431, "limit")


@case("HW08", "HTTP/1.1", "a malformed header field", "400")
@pytest.mark.parametrize("field", [b"A b: c", b": c", b"nocolon", b"A : c", b" folded: c", b"A: \x00", b"A: \x01b", b"A\xe4: c"])
def test_malformed_field(server, field):
    refused(server, b"GET /v2 HTTP/1.1\r\nHost: h\r\n" + field + b"\r\n\r\n", 400)


@case("HW09", "HTTP/1.1", "lines that end in LF alone", "400")
def test_bare_line_feed(server):
    refused(server, b"GET /v2 HTTP/1.1\nHost: h\n\n", 400, "LF")


@case("HW10", "HTTP/1.1", "Content-Length twice with different values", "400: request smuggling")
def test_two_content_lengths(server):
    refused(server, POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, "Content-Length")


@case("HW11", "HTTP/1.1", "Content-Length with Transfer-Encoding", "400: request smuggling")
def test_content_length_with_chunks(server):
    refused(server, POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "Transfer-Encoding")


@case("HW12", "HTTP/1.1", "a Content-Length that is no number", "400")
@pytest.mark.parametrize("value", [b"-5", b"abc", b"0x10", b"5 5", b"", b"+5", b"18446744073709551616"])
def test_bad_content_length(server, value):
    refused(server, POST + b"Content-Length: " + value + b"\r\n\r\n", 400, "Content-Length")


@case("HW13", "HTTP/1.1", "a transfer coding that is not chunked", "501")
def test_unknown_transfer_coding(server):
    refused(server, POST + b"Transfer-Encoding: gzip\r\n\r\n", 501, "chunked")


@case("HW14", "HTTP/1.1", "broken chunks", "400")
@pytest.mark.parametrize("chunks", [b"zz\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"2\r\nabc\r\n", b"1\nx\n"])
def test_broken_chunks(server, chunks):
    refused(server, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n", 400, "chunk")


@case("HW15", "HTTP/1.1", "a body in chunks, with extensions and trailers", "200")
def test_chunked_body(server):
    chunks = b"".join(b"%x;x=y\r\n%s\r\n" % (1, BODY[i : i + 1]) for i in range(len(BODY))) + b"0\r\nTrailer: t\r\n\r\n"
    answer = exchange(server.http, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert answer.status == 200, answer.body


@case("HW27", "HTTP/1.1", "blanks in front of a chunk's extension; empty elements in Transfer-Encoding (RFC 9112, RFC 9110)", "200")
def test_lenient_chunks(server):
    chunks = b"%x \t;x=y\r\n%s\r\n0 ;z\r\n\r\n" % (len(BODY), BODY)
    for value in (b"chunked", b"chunked, ", b", chunked,,"):
        answer = exchange(server.http, POST + b"Transfer-Encoding: " + value + b"\r\n\r\n" + chunks)
        assert answer.status == 200, answer.body


@case("HW16", "HTTP/1.1", "Expect: 100-continue", "100 first, then the answer")
def test_expect_continue(server):
    with Socket(server.http) as connection:
        connection.send(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        first = b""
        while not first.endswith(b"\r\n\r\n"):
            first += connection.socket.recv(1)
        assert first.startswith(b"HTTP/1.1 100 ")
        connection.send(BODY)
        assert connection.read_response().status == 200


@case("HW17", "HTTP/1.1", "another expectation", "417")
def test_other_expectation(server):
    refused(server, POST + b"Expect: coffee\r\nContent-Length: 2\r\n\r\n{}", 417, "100-continue")


@case("HW18", "HTTP/1.1", "many requests at once on a connection (pipelining)", "the answers in the same order")
def test_pipelining(server):
    with Socket(server.http) as connection:
        requests = b""
        for i in range(50):
            body = json.dumps({"id": str(i), "inputs": [infer_input([i])]}).encode()
            requests += POST + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        connection.send(requests)
        reader = connection.socket.makefile("rb")
        for i in range(50):
            assert reader.readline() == b"HTTP/1.1 200 OK\r\n"
            length = 0
            while (line := reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert json.loads(reader.read(length))["id"] == str(i)


@case("HW19", "HTTP/1.1", "a request byte by byte", "200")
def test_byte_by_byte(server):
    with Socket(server.http) as connection:
        for byte in POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY:
            connection.send(bytes([byte]))
        assert connection.read_response().status == 200


@case("HW20", "HTTP/1.0", "a request without Host", "200, and the connection is closed")
def test_http_1_0(server):
    with Socket(server.http) as connection:
        connection.send(b"GET /v2/health/live HTTP/1.0\r\n\r\n")
        answer = connection.read_to_end()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in answer


@case("HW21", "HTTP/1.1", "Connection: close", "the answer, then the connection is closed")
def test_connection_close(server):
    with Socket(server.http) as connection:
        connection.send(b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert connection.read_response().status == 200
        assert connection.read_to_end() == b""


@case("HW22", "HTTP/1.1", "an error of the inference", "the connection stays usable")
def test_connection_survives_errors(server):
    with Socket(server.http) as connection:
        for body, status in [(b"{}", 400), (BODY, 200), (b"", 400), (BODY, 200)]:
            connection.send(POST + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            assert connection.read_response().status == status


@case("HW23", "HTTP/1.1", "a client that leaves in the middle of head, body or answer", "nothing: the server goes on")
def test_clients_that_leave(server):
    whole = POST + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    for size in range(0, len(whole) + 1, 7):
        with Socket(server.http) as connection:
            connection.send(whole[:size])
    assert exchange(server.http, whole).status == 200


@case("HW24", "HTTP/1.1", "an unknown path with a large body announced", "404 at once, without waiting for the body")
def test_early_refusal(server):
    with Socket(server.http) as connection:
        connection.send(b"POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
        assert connection.read_response().status == 404


@case("HW25", "HTTP/2", "the HTTP/2 preface and then garbage", "the connection is closed")
@pytest.mark.parametrize("data", [b"XX\r\n\r\n" + bytes(100), b"SM\r\n\r\n\xff\xff\xff\x04\0\0\0\0\0" + bytes(1000), b"SM\r\n\r\n" + b"\xaa" * 200])
def test_broken_http2(server, data):
    with Socket(server.http) as connection:
        connection.send(b"PRI * HTTP/2.0\r\n\r\n" + data)
        connection.read_to_end()


@case("HW26", "HTTP/2", "a part of the preface, then the end", "the connection is closed")
def test_cut_preface(server):
    for size in range(1, 24):
        with Socket(server.http) as connection:
            connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[:size])
            connection.close_sending()
            connection.read_to_end()
