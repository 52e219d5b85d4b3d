"""HTTP/2's fields: what makes a request malformed (RFC 9113 section 8), and their compression (RFC 7541)."""

import hpack
import pytest
from cases import case
from frames import CONTINUATION, DATA, END_HEADERS, END_STREAM, GET_LIVE, HEADERS, field, frame
from raw_http2 import (HEADER_TABLE_SIZE, INFER_JSON, MALFORMED, SERVED, Raw, connection_error, get, infer, post, provoke, variants)

LENGTH = len(INFER_JSON)


def request(*fields):
    """A head of just these fields."""
    return frame(HEADERS, END_HEADERS | END_STREAM, 1, b"".join(field(*pair) for pair in fields))


METHOD, SCHEME, AUTHORITY, PATH = (b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", b"/v2/health/live")


# ---- malformed requests ----


@case("H2C301", "HTTP/2", "pseudo-fields that are missing, twice, empty, late, unknown, or of responses; none at all", "a malformed request: PROTOCOL_ERROR of the stream, or 400")
@variants({
    "no :method": request(SCHEME, AUTHORITY, PATH),
    "no :scheme": request(METHOD, AUTHORITY, PATH),
    "no :path": request(METHOD, SCHEME, AUTHORITY),
    "two :method": request(METHOD, METHOD, SCHEME, AUTHORITY, PATH),
    "two :scheme": request(METHOD, SCHEME, SCHEME, AUTHORITY, PATH),
    "two :authority": request(METHOD, SCHEME, AUTHORITY, AUTHORITY, PATH),
    "two :path": request(METHOD, SCHEME, AUTHORITY, PATH, PATH),
    "empty :path": request(METHOD, SCHEME, AUTHORITY, (b":path", b"")),
    "empty :method": request((b":method", b""), SCHEME, AUTHORITY, PATH),
    "empty :scheme": request(METHOD, (b":scheme", b""), AUTHORITY, PATH),
    "relative :path": request(METHOD, SCHEME, AUTHORITY, (b":path", b"v2/health/live")),
    "* of GET": request(METHOD, SCHEME, AUTHORITY, (b":path", b"*")),
    "late :path": request(METHOD, SCHEME, AUTHORITY, (b"x", b"y"), PATH),
    "late :authority": request(METHOD, SCHEME, PATH, (b"x", b"y"), AUTHORITY),
    "unknown": request(METHOD, SCHEME, AUTHORITY, PATH, (b":what", b"y")),
    ":protocol": request(METHOD, SCHEME, AUTHORITY, PATH, (b":protocol", b"websocket")),
    "upper case": request((b":Method", b"GET"), SCHEME, AUTHORITY, PATH),
    ":status": request(METHOD, SCHEME, AUTHORITY, PATH, (b":status", b"200")),
    "only a colon": request(METHOD, SCHEME, AUTHORITY, PATH, (b":", b"x")),
    "none": request((b"x", b"y")),
    "no field": request(),
    "space in :path": request(METHOD, SCHEME, AUTHORITY, (b":path", b"/v2/health /live")),
    "NUL in :path": request(METHOD, SCHEME, AUTHORITY, (b":path", b"/v2/health/live\0")),
    "space in :method": request((b":method", b"GET "), SCHEME, AUTHORITY, PATH),
    "space in :authority": request(METHOD, SCHEME, (b":authority", b"a b"), PATH),
})
def test_pseudo_fields(server, data):
    assert provoke(server.http, data) in MALFORMED


@case("H2C302", "HTTP/2", "fields in upper case, of connections, with control characters or blanks at their ends; te other than trailers", "a malformed request: PROTOCOL_ERROR of the stream, or 400")
@variants({
    "upper case": get(1, (b"X-Upper", b"y")),
    "one letter in upper case": get(1, (b"x-uppeR", b"y")),
    "connection": get(1, (b"connection", b"close")),
    "keep-alive": get(1, (b"keep-alive", b"5")),
    "proxy-connection": get(1, (b"proxy-connection", b"close")),
    "transfer-encoding": get(1, (b"transfer-encoding", b"chunked")),
    "upgrade": get(1, (b"upgrade", b"h2c")),
    "te: gzip": get(1, (b"te", b"gzip")),
    "te: trailers, gzip": get(1, (b"te", b"trailers, gzip")),
    "NUL in a value": get(1, (b"x", b"a\0b")),
    "LF in a value": get(1, (b"x", b"a\nb")),
    "CR in a value": get(1, (b"x", b"a\rb")),
    "CR LF in a value": get(1, (b"x", b"a\r\nb: c")),
    "blank before a value": get(1, (b"x", b" a")),
    "blank behind a value": get(1, (b"x", b"a ")),
    "tab before a value": get(1, (b"x", b"\ta")),
    "tab behind a value": get(1, (b"x", b"a\t")),
    "blank in a name": get(1, (b"a b", b"c")),
    "NUL in a name": get(1, (b"a\0", b"c")),
    "LF in a name": get(1, (b"a\n", b"c")),
    "colon in a name": get(1, (b"a:b", b"c")),
    "DEL in a name": get(1, (b"a\x7f", b"c")),
    "0xff in a name": get(1, (b"a\xff", b"c")),
    "empty name": get(1, (b"", b"c")),
})
def test_bad_fields(server, data):
    assert provoke(server.http, data) in MALFORMED


@case("H2C303", "HTTP/2", "fields that look odd but may be: te: trailers, empty values, tabs within, bytes above 127, cookies in pieces, 'connection' within names and values",
      "served")
@variants({
    "te": get(1, (b"te", b"trailers")),
    "empty": get(1, (b"x", b"")),
    "tab within": get(1, (b"x", b"a\tb c")),
    "above 127": get(1, (b"x", "ä".encode() + b"\xff")),
    "cookies": get(1, (b"cookie", b"a=b"), (b"cookie", b"c=d")),
    "names": get(1, (b"x-connection", b"close"), (b"connections", b"1"), (b"te-x", b"y")),
    "all characters of a token": get(1, (b"!#$%&'*+-.^_`|~09az", b"y")),
    "host instead of :authority": request(METHOD, SCHEME, PATH, (b"host", b"h")),
    "host beside :authority": get(1, (b"host", b"h")),
    "another order": request(PATH, AUTHORITY, SCHEME, METHOD, (b"x", b"y")),
    "another scheme": request(METHOD, (b":scheme", b"https"), AUTHORITY, PATH),
})
def test_odd_fields(server, data):
    assert provoke(server.http, data) in SERVED


@case("H2C304", "HTTP/2", "a content-length that is not the length of DATA, not a number, or told twice in different ways", "a malformed request: PROTOCOL_ERROR of the stream, or 400")
@variants({
    "more DATA": post(1, (b"content-length", b"%d" % (LENGTH - 1))) + frame(DATA, END_STREAM, 1, INFER_JSON),
    "more DATA in a second frame": post(1, (b"content-length", b"%d" % LENGTH)) + frame(DATA, 0, 1, INFER_JSON) + frame(DATA, END_STREAM, 1, b" "),
    "less DATA": post(1, (b"content-length", b"%d" % (LENGTH + 1))) + frame(DATA, END_STREAM, 1, INFER_JSON),
    "less DATA, then an empty frame": post(1, (b"content-length", b"%d" % (LENGTH + 1))) + frame(DATA, 0, 1, INFER_JSON) + frame(DATA, END_STREAM, 1),
    "less DATA, then trailers": post(1, (b"content-length", b"1")) + frame(HEADERS, END_HEADERS | END_STREAM, 1, field(b"x", b"y")),
    "no DATA": get(1, (b"content-length", b"1")),
    "DATA of 0": post(1, (b"content-length", b"0")) + frame(DATA, END_STREAM, 1, b" "),
    "no number": post(1, (b"content-length", b"x")) + frame(DATA, END_STREAM, 1, INFER_JSON),
    "negative": post(1, (b"content-length", b"-1")) + frame(DATA, END_STREAM, 1, INFER_JSON),
    "plus": post(1, (b"content-length", b"+%d" % LENGTH)) + frame(DATA, END_STREAM, 1, INFER_JSON),
    "hexadecimal": post(1, (b"content-length", b"0x%x" % LENGTH)) + frame(DATA, END_STREAM, 1, INFER_JSON),
    "empty": post(1, (b"content-length", b"")) + frame(DATA, END_STREAM, 1, INFER_JSON),
    "beyond 64 bits": post(1, (b"content-length", b"18446744073709551616")) + frame(DATA, END_STREAM, 1, INFER_JSON),
    "two, different": post(1, (b"content-length", b"%d" % LENGTH), (b"content-length", b"%d" % (LENGTH + 1))) + frame(DATA, END_STREAM, 1, INFER_JSON),
})
def test_bad_content_length(server, data):
    assert provoke(server.http, data) in MALFORMED


@case("H2C305", "HTTP/2", "a content-length that is right, over several frames and with padding; 0 without DATA", "answered")
@variants({
    "one frame": post(1, (b"content-length", b"%d" % LENGTH)) + frame(DATA, END_STREAM, 1, INFER_JSON),
    "three": post(1, (b"content-length", b"%d" % LENGTH)) + frame(DATA, 0, 1, INFER_JSON[:5]) + frame(DATA, 8, 1, b"\x04" + INFER_JSON[5:] + bytes(4)) + frame(DATA, END_STREAM, 1),
    "zero": get(1, (b"content-length", b"0")),
})
def test_good_content_length(server, data):
    with Raw(server.http) as connection:
        connection.send(data)
        assert connection.answer(1).status == "200"
        connection.alive()


@case("H2C306", "HTTP/2", "a malformed request between two good ones, on one connection, a hundred times", "only it fails")
def test_malformed_among_good(server):
    with Raw(server.http) as connection:
        for i in range(100):
            first = 6 * i + 1
            bad = frame(HEADERS, END_HEADERS | END_STREAM, first + 2, GET_LIVE + field(b"Upper", b"x"))
            connection.send(get(first) + bad + infer(first + 4))
            assert connection.answer(first).status == "200"
            assert connection.answer(first + 4).status == "200"
            wrong = connection.answer(first + 2)
            assert wrong.reset == "PROTOCOL_ERROR" or wrong.status == "400"


# ---- compression ----


BAD_BLOCKS = {
    "index 0": b"\x80",
    "index beyond the static table": b"\xbe",
    "a large index": b"\xff\x80\x80\x01",
    "an index without end": b"\xff" + b"\xff" * 12,
    "an index that is cut": b"\xff\x80",
    "a name's index beyond the tables, with indexing": b"\x7e\x01x",
    "a name's index beyond the tables, without": b"\x0f\x2f\x01x",
    "a name's index beyond the tables, never": b"\x1f\x2f\x01x",
    "a name that is cut": b"\x00\x0aabc",
    "a value that is cut": b"\x00\x01a\x0abc",
    "a value that is missing": b"\x00\x01a",
    "a length without end": b"\x00\x7f" + b"\xff" * 12 + b"\x01",
    "a table larger than allowed": b"\x3f\xe2\x1f",
    "a table much larger than allowed": b"\x3f\xff\xff\xff\xff\x07",
    "Huffman padding of 8 bits": b"\x00\x01a\x82\x1f\xff",
    "Huffman padding that is not of ones": b"\x00\x01a\x81\x18",
    "EOS in Huffman code": b"\x00\x01a\x84\xff\xff\xff\xff",
    "a Huffman code that is cut": b"\x00\x01a\x82\xff\xfe",
    "a Huffman name that is cut": b"\x00\x82\xff\xfe\x01a",
}


@case("H2C307", "HTTP/2", "heads that cannot be decoded: indexes of nothing, strings and numbers that are cut or too large, a table too large, wrong Huffman code",
      "COMPRESSION_ERROR of the connection")
@pytest.mark.parametrize("block", BAD_BLOCKS.values(), ids=BAD_BLOCKS.keys())
def test_compression_errors(server, block):
    size_update = block.startswith(b"\x3f")
    data = frame(HEADERS, END_HEADERS | END_STREAM, 1, block + GET_LIVE if size_update else GET_LIVE + block)
    assert provoke(server.http, data) in connection_error("COMPRESSION_ERROR")


@case("H2C308", "HTTP/2", "a change of the table's size in the middle of a head; a good one, two of them, at its begin", "COMPRESSION_ERROR; served")
def test_size_update(server):
    for size in (b"\x20", b"\x3f\xe1\x1f"):
        assert provoke(server.http, frame(HEADERS, END_HEADERS | END_STREAM, 1, GET_LIVE + size)) in connection_error("COMPRESSION_ERROR")
        assert provoke(server.http, frame(HEADERS, END_HEADERS | END_STREAM, 1, GET_LIVE + size + field(b"x", b"y"))) in connection_error("COMPRESSION_ERROR")
        assert provoke(server.http, frame(HEADERS, END_HEADERS | END_STREAM, 1, size + GET_LIVE)) in SERVED
    assert provoke(server.http, frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x20\x3f\xe1\x1f" + GET_LIVE)) in SERVED


@case("H2C309", "HTTP/2", "an undecodable head in CONTINUATION, in trailers, on a stream that is closed", "COMPRESSION_ERROR of the connection: what comes later could not be read")
@variants({
    "CONTINUATION": frame(HEADERS, END_STREAM, 1, GET_LIVE) + frame(CONTINUATION, END_HEADERS, 1, b"\x80"),
    "trailers": post(1) + frame(DATA, 0, 1, INFER_JSON) + frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80"),
    "behind a malformed field": frame(HEADERS, END_HEADERS | END_STREAM, 1, GET_LIVE + field(b"Upper", b"x") + b"\x80"),
})
def test_compression_errors_elsewhere(server, data):
    assert provoke(server.http, data) in connection_error("COMPRESSION_ERROR")


def indexed_path(path):
    """:path with indexing."""
    return b"\x44" + bytes([len(path)]) + path


def short_head(path):
    """GET, http, :authority h, and the :path given in code."""
    return b"\x82\x86\x01\x01h" + path


def ask(connection, block):
    """The answer to a head."""
    stream, connection.next_stream = connection.next_stream, connection.next_stream + 2
    connection.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, block))
    return connection.answer(stream)


LIVE, NONE = b"/v2/health/live", b"/v2/none"


@case("H2C310", "HTTP/2", "fields that were indexed on earlier requests; new ones push them on", "each index means the same field as to the client")
def test_dynamic_table(server):
    with Raw(server.http) as connection:
        assert ask(connection, short_head(indexed_path(LIVE))).status == "200"
        assert ask(connection, short_head(b"\xbe")).status == "200"
        assert ask(connection, short_head(indexed_path(NONE))).status == "404"
        assert ask(connection, short_head(b"\xbe")).status == "404"
        assert ask(connection, short_head(b"\xbf")).status == "200"
        assert ask(connection, short_head(b"\x04\x0f" + LIVE)).status == "200"  # not indexed
        assert ask(connection, short_head(b"\x14\x0f" + LIVE)).status == "200"  # never indexed
        assert ask(connection, short_head(b"\xbe")).status == "404"
        assert ask(connection, short_head(b"\x7e\x0f" + LIVE)).status == "200"  # the name by the table, the value anew
        assert ask(connection, short_head(b"\xbe")).status == "200"
        assert ask(connection, short_head(b"\xc0")).status == "200"


@case("H2C311", "HTTP/2", "a table of 80 bytes: two entries do not fit, one larger than it empties it", "old entries are gone (COMPRESSION_ERROR), the new one is there")
def test_eviction(server):
    small = b"\x3f\x31"  # 80 bytes; an entry takes 32 and its text
    for entries, wrong in (([LIVE, NONE], b"\xbf"), ([LIVE, b"/v2/" + b"x" * 60], b"\xbe")):
        with Raw(server.http) as connection:
            assert ask(connection, small + short_head(indexed_path(entries[0]))).status == "200"
            assert ask(connection, short_head(b"\xbe")).status == "200"
            assert ask(connection, short_head(indexed_path(entries[1]))).status == "404"
            if len(entries[1]) < 40:
                assert ask(connection, short_head(b"\xbe")).status == "404"
            assert connection.provoke(frame(HEADERS, END_HEADERS | END_STREAM, 201, short_head(wrong)), 201) in connection_error("COMPRESSION_ERROR")


@case("H2C312", "HTTP/2", "a table that is set to 0 and to 4096 again", "it is empty then")
def test_emptied_table(server):
    with Raw(server.http) as connection:
        assert ask(connection, short_head(indexed_path(LIVE))).status == "200"
        assert ask(connection, b"\x20\x3f\xe1\x1f" + short_head(indexed_path(NONE))).status == "404"
        assert ask(connection, short_head(b"\xbe")).status == "404"
        assert connection.provoke(frame(HEADERS, END_HEADERS | END_STREAM, 201, short_head(b"\xbf")), 201) in connection_error("COMPRESSION_ERROR")


@case("H2C313", "HTTP/2", "a thousand heads of an encoder that indexes and uses Huffman code, with ever new fields", "each is understood")
def test_encoder_of_a_client(server):
    with Raw(server.http) as connection:
        encoder = hpack.Encoder()
        for i in range(1000):
            path = ("/v2/health/live", f"/v2/models/m{i}", "/v2/models/id_int32/ready")[i % 3]
            fields = [(":method", "GET"), (":scheme", "http"), (":authority", f"host{i % 7}"), (":path", path), (f"x-{i % 50}", "~\\^|<>{}" * (i % 9) + str(i))]
            answer = ask(connection, encoder.encode(fields, huffman=i % 5 != 0))
            assert answer.status == ("200", "404", "200")[i % 3]
            assert i % 3 != 1 or f"'m{i}'".encode() in answer.body


@case("H2C314", "HTTP/2", "every byte in the value of a field, in Huffman code and plain", "those that may be are served")
def test_every_byte(server):
    wrong = {0, 10, 13}  # RFC 9113 section 8.2.1; a server may refuse the other control characters
    with Raw(server.http) as connection:
        encoder = hpack.Encoder()
        for value in range(256):
            for huffman in (True, False):
                text = b"a" + bytes([value]) + b"b"
                block = encoder.encode([(":method", "GET"), (":scheme", "http"), (":authority", "h"), (":path", "/v2/health/live"), (b"x", text)], huffman=huffman)
                answer = ask(connection, block)
                if value in wrong:
                    assert answer.reset == "PROTOCOL_ERROR" or answer.status == "400", value
                elif value >= 32 and value != 127 or value == 9:
                    assert answer.status == "200", value


@case("H2C315", "HTTP/2", "SETTINGS_HEADER_TABLE_SIZE of 0, and larger ones later", "the server's heads can be decoded: it uses no larger table than it may")
def test_table_of_the_client(server):
    with Raw(server.http, first=[(HEADER_TABLE_SIZE, 0)]) as connection:
        for size in (None, 0, 4096, 100, 0, 1 << 20, 50, 4096):
            if size is not None:
                connection.configure((HEADER_TABLE_SIZE, size))
            for _ in range(3):
                connection.alive()
                assert connection.answer(connection.open(path=b"/v2")).fields["content-type"] == "application/json"
