"""Content-Encoding of requests and Accept-Encoding of answers."""

import gzip
import json
import zlib

import pytest
from cases import case
from wire import exchange, get, infer_input, post_infer, request

BODY = json.dumps({"inputs": [infer_input([1, 2, 3])]}).encode()
PACK = {"gzip": gzip.compress, "deflate": zlib.compress}
UNPACK = {"gzip": gzip.decompress, "deflate": zlib.decompress}


def infer(server, body=BODY, **headers):
    return post_infer(server.http, "id_int32", body, {name.replace("_", "-"): value for name, value in headers.items()})


@case("HZ01", "HTTP", "Content-Encoding gzip, deflate, identity and empty", "200")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "GZIP", "identity", ""])
def test_request_codings(server, coding):
    answer = infer(server, PACK.get(coding.lower(), bytes)(BODY), Content_Encoding=coding)
    assert answer.status == 200, answer.body


@case("HZ02", "HTTP", "another Content-Encoding", "501, with Accept-Encoding naming those that there are")
@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "x"])
def test_unknown_request_coding(server, coding):
    answer = infer(server, Content_Encoding=coding)
    assert answer.status == 501
    assert coding in answer.error and "gzip" in answer.error
    assert answer.headers["accept-encoding"] == "gzip, deflate"


@case("TP07", "HTTP", "Content-Encoding in several lines", "400: expected it once, on infer and elsewhere")
@pytest.mark.parametrize("codings", [("identity", "gzip"), ("gzip", "identity"), ("gzip", "gzip")])
def test_several_request_codings(server, codings):
    for path in ("models/id_int32/infer", "models/id_int32/generate", "repository/index"):
        head = f"POST /v2/{path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(BODY)}\r\n"
        lines = "".join(f"Content-Encoding: {coding}\r\n" for coding in codings)
        answer = exchange(server.http, (head + lines + "\r\n").encode() + BODY)
        assert answer.status == 400
        assert answer.error == "header content-encoding: expected it once, got it 2 times"


@case("TP08", "HTTP", "a compressed body to a call that takes none, a trace setting or a load", "501 with the coding; identity is taken")
@pytest.mark.parametrize("path", ["trace/setting", "logging", "repository/index", "repository/models/m/load", "models/id_int32/generate",
                                  "systemsharedmemory/region/r/register"])
def test_calls_with_plain_bodies(server, path):
    for coding, body in (("gzip", gzip.compress(b"{}")), ("br", b"{}")):
        answer = request(server.http, "POST", f"/v2/{path}", body, {"Content-Encoding": coding})
        assert answer.status == 501
        assert answer.error == f"Content-Encoding: expected identity, or none, got '{coding}'"
    assert "Content-Encoding" not in request(server.http, "POST", f"/v2/{path}", b"{}", {"Content-Encoding": "identity"}).body.decode()


@case("HZ03", "HTTP", "a compressed body that is broken, cut, followed by more or not compressed at all", "400 with the coding")
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("break_it", [lambda b: b[:-3], lambda b: b + b"x", lambda b: BODY, lambda b: b"", lambda b: b[:12] + b"\xff" + b[13:]])
def test_broken_request(server, coding, break_it):
    answer = infer(server, break_it(PACK[coding](BODY)), Content_Encoding=coding)
    assert answer.status == 400
    assert answer.error.startswith(f"Content-Encoding {coding}: ")


@case("HZ11", "HTTP", "a gzip body of several members (RFC 1952); more than the limit together; a last one that is cut", "200; 413; 400")
def test_members(server):
    members = b"".join(gzip.compress(part) for part in (BODY[:9], b"", BODY[9:]))
    answer = infer(server, members, Content_Encoding="gzip")
    assert (answer.status, answer.json["outputs"][0]["data"]) == (200, [1, 2, 3])
    assert infer(server, gzip.compress(bytes(35 << 20)) * 2, Content_Encoding="gzip").status == 413
    for cut in (members[:-1], members + b"\x1f", members + members[:11]):
        assert infer(server, cut, Content_Encoding="gzip").status == 400
    assert infer(server, zlib.compress(BODY) * 2, Content_Encoding="deflate").status == 400


@case("HZ04", "HTTP", "a small compressed body that unpacks to more than the limit", "413 with the limit")
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_bomb(server, coding):
    bomb = PACK[coding](bytes(70 << 20))
    assert len(bomb) < 100_000
    answer = infer(server, bomb, Content_Encoding=coding)
    assert answer.status == 413
    assert "67108864" in answer.error


@case("HZ05", "HTTP", "the header length with a compressed body", "it counts the uncompressed JSON")
def test_header_length_of_a_compressed_body(server):
    tensor = {"name": "IN", "shape": [1, 2], "datatype": "INT32", "parameters": {"binary_data_size": 8}}
    text = json.dumps({"inputs": [tensor]}).encode()
    body = gzip.compress(text + b"\1\0\0\0\2\0\0\0")
    answer = infer(server, body, Content_Encoding="gzip", Inference_Header_Content_Length=str(len(text)))
    assert answer.json["outputs"][0]["data"] == [1, 2]


@case("HZ06", "HTTP", "Accept-Encoding with one coding: the client asks for it", "a compressed answer, JSON and binary")
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_answer_coding(server, coding):
    answer = infer(server, Accept_Encoding=coding)
    assert answer.headers["content-encoding"] == coding
    assert json.loads(UNPACK[coding](answer.body))["outputs"][0]["data"] == [1, 2, 3]
    body = json.dumps({"inputs": [infer_input([1])], "parameters": {"binary_data_output": True}}).encode()
    answer = infer(server, body, Accept_Encoding=coding)
    length = int(answer.headers["inference-header-content-length"])  # of the uncompressed JSON
    assert UNPACK[coding](answer.body)[length:] == b"\1\0\0\0"


@case("HZ07", "HTTP", "the lists of codings that libraries send by default", "a plain answer: cheapest, and never br")
@pytest.mark.parametrize("accept", ["gzip, deflate, br", "gzip, deflate", "*", "br", "identity", "gzip, identity", "gzip;q=0"])
def test_default_lists(server, accept):
    answer = infer(server, Accept_Encoding=accept)
    assert "content-encoding" not in answer.headers
    assert answer.json["outputs"][0]["data"] == [1, 2, 3]


@case("HZ08", "HTTP", "weights", "the highest one wins")
@pytest.mark.parametrize("accept,coding", [("gzip;q=0.5, deflate;q=0.9, identity;q=0.1", "deflate"), ("gzip, identity;q=0", "gzip")])
def test_weights(server, accept, coding):
    assert infer(server, Accept_Encoding=accept).headers["content-encoding"] == coding


@case("HZ10", "HTTP", "Accept-Encoding in several lines, which are one list; * for the codings that are not named", "as if it were one line; * gives them a weight")
@pytest.mark.parametrize("lines,coding", [(["identity", "gzip"], None), (["br;q=0.1", "identity;q=0, gzip"], "gzip"), (["identity;q=0", "*;q=0.5"], "gzip"),
                                          (["gzip;q=0, *", "", "identity;q=0.5"], "deflate"), (["gzip"], "gzip"), ([], None)])
def test_lists_in_lines(server, lines, coding):
    head = f"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nContent-Length: {len(BODY)}\r\n"
    answer = exchange(server.http, (head + "".join(f"Accept-Encoding: {line}\r\n" for line in lines) + "\r\n").encode() + BODY)
    assert (answer.status, answer.headers.get("content-encoding")) == (200, coding)


@case("HZ09", "HTTP", "Accept-Encoding gzip on calls that do not infer, and on errors", "plain answers")
def test_other_answers_are_plain(server):
    for path in ("/v2", "/v2/models/plain", "/v2/models/plain/config", "/v2/models/stats", "/metrics", "/nothing"):
        assert "content-encoding" not in get(server.http, path, **{"Accept-Encoding": "gzip"}).headers
    answer = request(server.http, "POST", "/v2/models/nothing/infer", BODY, {"Accept-Encoding": "gzip"})
    assert answer.error
