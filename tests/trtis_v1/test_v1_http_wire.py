"""TRTIS v1 over HTTP byte by byte: the text headers in their full grammar, paths, formats, statuses."""

import http.client
import json
import struct

import pytest
from cases import case
from old_client import server_status_pb2
from tensorrtserver.api import api_pb2

INPUT = struct.pack("<4i", 1, 2, 3, 4)
HEADER = 'batch_size: 1 input { name: "IN" } output { name: "OUT" }'


def call(server, method, path, body=None, headers=None, port=None):
    connection = http.client.HTTPConnection("127.0.0.1", port or server.http, timeout=60)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def infer(server, header=HEADER, body=INPUT, model="fixed", query="", **more):
    return call(server, "POST", f"/api/infer/{model}{query}", body, {"NV-InferRequest": header, **more})


def answer(server, **arguments):
    """The response header of a good inference, from NV-InferResponse's text, and the tensors' bytes."""
    status, headers, body = infer(server, **arguments)
    assert status == 200, headers["NV-Status"]
    return headers["NV-InferResponse"], body


@case("VW01", "v1 HTTP", "an inference, byte by byte", "NV-Status, NV-InferResponse, the tensor and the header as text behind it")
def test_answer(server):
    status, headers, body = infer(server)
    assert status == 200 and headers["Content-Type"] == "application/octet-stream"
    assert headers["NV-Status"].startswith('code: SUCCESS server_id: "inference:0" request_id: ')
    line = 'model_name: "fixed" model_version: 1 batch_size: 1 output { name: "OUT" raw { dims: 4 batch_byte_size: 16 } }'
    assert headers["NV-InferResponse"] == line
    text = 'model_name: "fixed"\nmodel_version: 1\nbatch_size: 1\noutput {\n  name: "OUT"\n  raw {\n    dims: 4\n    batch_byte_size: 16\n  }\n}\n'
    assert body == INPUT + text.encode()


@case("VW02", "v1 HTTP", "?format=binary", "the header behind the tensors as protobuf")
def test_binary_trailer(server):
    _, _, body = infer(server, query="?format=binary")
    header = api_pb2.InferResponseHeader.FromString(body[16:])
    assert (header.model_name, header.output[0].raw.batch_byte_size) == ("fixed", 16)


@case("VW03", "v1 HTTP", "each spelling of the text grammar", "understood alike")
@pytest.mark.parametrize("header", [
    'batch_size:1 input{name:"IN"} output{name:"OUT"}',
    'batch_size: 1, input { name: "IN" }; output { name: "OUT" };',
    'batch_size: 1 input: { name: "IN" } output: < name: "OUT" >',
    "batch_size: 1 input { name: 'IN' } output { name: 'OUT' }",
    'batch_size: 0x1 input { name: "I" "N" } output { name: "\\117UT" }',
    'batch_size: 01 input { name: "IN" dims: [4] } output { name: "OUT" } # a comment',
    'input { dims: 4 name: "IN" batch_byte_size: 16 } output { name: "OUT" } batch_size: 1',
    'id: 0 flags: 0 correlation_id: 0 batch_size: 1 input < name: "\\x49N" > output < name: "OUT" >',
    '\tbatch_size : 1   input   {   name : "IN"   }   output { name: "OUT" }   ',
])  # fmt: skip
def test_grammar(server, header):
    assert answer(server, header=header)[1][:16] == INPUT


@case("VW04", "v1 HTTP", "a header that is no text protobuf, or has unknown fields", "400 without a body and without NV-Status")
@pytest.mark.parametrize("header", [
    "{", "batch_size: one", 'batch_size: 1 input { name: "IN"', "unknown_field: 1", 'batch_size: -1 input { name: "IN" }',
    "batch_size: 99999999999999999999", "batch_size: 1 batch_size: 1", 'input { nome: "IN" }', '"', "batch_size 1", "\xff\xfe",
])  # fmt: skip
def test_broken_header(server, header):
    status, headers, body = infer(server, header=header.encode("latin-1"))
    assert (status, body, headers["NV-Status"]) == (400, b"", None)


@case("VW05", "v1 HTTP", "no NV-InferRequest at all", "400 (the old server crashed)")
def test_missing_header(server):
    assert call(server, "POST", "/api/infer/fixed", INPUT)[0] == 400


@case("VW06", "v1 HTTP", "a request id", "comes back, also with an error")
def test_id(server):
    assert answer(server, header="id: 18446744073709551615 " + HEADER)[0].endswith(" id: 18446744073709551615")
    status, headers, body = infer(server, header="id: 7 " + HEADER, body=b"")
    assert (status, headers["NV-InferResponse"], body) == (400, "id: 7", b"")


@case("VW07", "v1 HTTP", "a failed inference without an id", "NV-InferResponse with an empty value, NV-Status with the kind")
def test_failure(server):
    status, headers, body = infer(server, body=b"")
    assert (status, headers["NV-InferResponse"], body) == (400, "", b"")
    assert headers["NV-Status"].startswith('code: INVALID_ARG msg: "')


@case("VW08", "v1 HTTP", "kinds of failures", "400 with the code of v1")
@pytest.mark.parametrize("model, header, body, code", [
    ("nowhere", HEADER, INPUT, "UNAVAILABLE"),
    ("fixed/77", HEADER, INPUT, "UNAVAILABLE"),
    ("fixed", HEADER, INPUT[:15], "INVALID_ARG"),
    ("fixed", HEADER, INPUT + b"x", "INVALID_ARG"),
    ("fixed", HEADER.replace("batch_size: 1", "batch_size: 0"), b"", "INVALID_ARG"),
    ("fixed", HEADER.replace("batch_size: 1", "batch_size: 9"), INPUT * 9, "INVALID_ARG"),
    ("fixed", HEADER.replace("IN", "NONE"), INPUT, "INVALID_ARG"),
    ("fixed", HEADER.replace("OUT", "NONE"), INPUT, "INVALID_ARG"),
    ("fixed", 'batch_size: 1 output { name: "OUT" }', b"", "INVALID_ARG"),
    ("fixed", 'batch_size: 1 input { name: "IN" dims: 5 } output { name: "OUT" }', INPUT + b"1234", "INVALID_ARG"),
    ("fixed", 'batch_size: 1 input { name: "IN" batch_byte_size: 17 } output { name: "OUT" }', INPUT, "INVALID_ARG"),
    ("id_int32", HEADER, INPUT, "INVALID_ARG"),
    ("id_int32", 'batch_size: 1 input { name: "IN" dims: -1 } output { name: "OUT" }', INPUT, "INVALID_ARG"),
    ("id_int32", 'batch_size: 8 input { name: "IN" dims: 9223372036854775807 } output { name: "OUT" }', INPUT, "INVALID_ARG"),
    ("strings", HEADER, b"\1\0\0\0a\1\0\0\0b", "INVALID_ARG"),
    ("strings", 'batch_size: 1 input { name: "IN" batch_byte_size: 18446744073709551615 } output { name: "OUT" }', b"", "INVALID_ARG"),
    ("fixed", 'batch_size: 1 input { name: "IN" } output { name: "OUT" cls { count: 0 } }', INPUT, "INVALID_ARG"),
    ("failing", 'batch_size: 1 input { name: "IN" dims: 4 } output { name: "OUT" }', INPUT, "INTERNAL"),
])  # fmt: skip
def test_failure_kinds(server, model, header, body, code):
    status, headers, content = infer(server, header, body, model)
    assert (status, content) == (400, b"") and headers["NV-Status"].startswith(f"code: {code} msg: "), headers["NV-Status"]


@case("VW09", "v1 HTTP", "text from a client in an error message", "escaped: quotes, backslashes, control characters, UTF-8")
def test_escaped_message(server):
    header = HEADER.replace('"IN"', '"a\\"b\\\\c\\n\\303\\244"')
    _, headers, _ = infer(server, header=header)
    assert 'a\\"b\\\\c\\n\\303\\244' in headers["NV-Status"]


@case("VW10", "v1 HTTP", "no outputs named", "the header alone")
def test_no_outputs(server):
    line, body = answer(server, header='batch_size: 1 input { name: "IN" }')
    assert line == 'model_name: "fixed" model_version: 1 batch_size: 1' and body.startswith(b"model_name")


@case("VW11", "v1 HTTP", "outputs in another order than the config's", "in the order asked for, header and body")
def test_output_order(server):
    header = 'batch_size: 1 input { name: "A" dims: 1 } input { name: "B" } output { name: "Y" } output { name: "X" }'
    body = struct.pack("<iff", 5, 1.0, 2.0)
    line, answered = answer(server, header=header, body=body, model="pair")
    assert line.index('"Y"') < line.index('"X"') and answered[:12] == body[4:] + body[:4]


@case("VW12", "v1 HTTP", "inputs in another order than the config's", "taken from the body in the order of the header")
def test_input_order(server):
    header = 'batch_size: 1 input { name: "B" } input { name: "A" dims: 1 } output { name: "X" }'
    assert answer(server, header=header, body=struct.pack("<ffi", 1.0, 2.0, 5), model="pair")[1][:4] == struct.pack("<i", 5)


@case("VW13", "v1 HTTP", "classes", "in the header behind the body, not in the line of NV-InferResponse")
def test_classes(server):
    header = 'batch_size: 1 input { name: "IN" } output { name: "OUT" cls { count: 2 } }'
    line, body = answer(server, header=header, body=struct.pack("<4f", 1, 4, 2, 3), model="labelled")
    assert line == 'model_name: "labelled" model_version: 1 batch_size: 1 output { name: "OUT" }'
    assert b'cls {\n      idx: 1\n      value: 4.0\n      label: "bee"\n    }' in body


@case("VW14", "v1 HTTP", "an explicit version in the path", "that version")
def test_version(server):
    line, _ = answer(server, header='batch_size: 1 input { name: "IN" dims: 4 } output { name: "OUT" }', model="versions/2")
    assert "model_version: 2" in line


@case("VW15", "v1 HTTP", "paths that are none of v1's", "400, empty, without NV-Status")
@pytest.mark.parametrize("method, path", [
    ("GET", "/api/"), ("GET", "/api/nothing"), ("GET", "/api/health"), ("GET", "/api/health/well"), ("POST", "/api/infer/"),
    ("POST", "/api/infer/fixed/one"), ("POST", "/api/infer/fixed/1/2"), ("POST", "/api/modelcontrol/load/"),
    ("POST", "/api/modelcontrol/stop/fixed"), ("GET", "/api/sharedmemorycontrol/nothing"),
    ("POST", "/api/sharedmemorycontrol/register/name"), ("POST", "/api/sharedmemorycontrol/register/name//key/x/1"),
])  # fmt: skip
def test_unknown_paths(server, method, path):
    status, headers, body = call(server, method, path, b"" if method == "POST" else None, {"NV-InferRequest": HEADER})
    assert (status, body, headers["NV-Status"]) == (400, b"", None)


@case("VW16", "v1 HTTP", "a known path by another method", "405 with Allow, empty, without NV-Status")
@pytest.mark.parametrize("method, path, allow", [
    ("POST", "/api/health/live", "GET"), ("POST", "/api/status", "GET"), ("GET", "/api/infer/fixed", "POST"),
    ("GET", "/api/modelcontrol/load/fixed", "POST"), ("PUT", "/api/status/fixed", "GET"), ("DELETE", "/api/repository/index", "GET"),
    ("POST", "/api/sharedmemorycontrol/status", "GET"),
])  # fmt: skip
def test_wrong_methods(server, method, path, allow):
    status, headers, body = call(server, method, path, b"" if method != "GET" else None)
    assert (status, body, headers["NV-Status"], headers["Allow"]) == (405, b"", None, allow)


@case("VW17", "v1 HTTP", "health", "200, empty, with NV-Status")
@pytest.mark.parametrize("what", ["live", "ready"])
def test_health(server, what):
    status, headers, body = call(server, "GET", f"/api/health/{what}")
    assert (status, body) == (200, b"") and headers["NV-Status"].startswith("code: SUCCESS ")


@case("VW18", "v1 HTTP", "status as text, without a format", "protobuf text")
def test_status_text(server):
    from google.protobuf import text_format

    _, _, body = call(server, "GET", "/api/status/fixed")
    told = text_format.Parse(body.decode(), server_status_pb2.ServerStatus())
    assert list(told.model_status) == ["fixed"] and told.id == "inference:0"


@case("VW19", "v1 HTTP", "status as binary", "protobuf, the same message")
def test_status_binary(server):
    _, headers, body = call(server, "GET", "/api/status/fixed?format=binary")
    assert headers["Content-Type"] == "application/octet-stream"
    assert list(server_status_pb2.ServerStatus.FromString(body).model_status) == ["fixed"]


@case("VW20", "v1 HTTP", "status as JSON, by format or by Accept", "ProtoJSON, which protobuf's own parser reads")
@pytest.mark.parametrize("query, headers", [("?format=json", {}), ("", {"Accept": "application/json"})])
def test_status_json(server, query, headers):
    from google.protobuf import json_format

    _, told, body = call(server, "GET", f"/api/status/fixed{query}", None, headers)
    message = json_format.Parse(body, server_status_pb2.ServerStatus())
    assert told["Content-Type"] == "application/json" and list(message.model_status) == ["fixed"]
    assert isinstance(json.loads(body)["uptimeNs"], str)


@case("VW21", "v1 HTTP", "/api/status/ with a slash at the end", "all models")
def test_status_with_a_slash(server):
    assert call(server, "GET", "/api/status/?format=binary")[2] and call(server, "GET", "/api/status/")[0] == 200


@case("VW22", "v1 HTTP", "status of an unknown model", "400 with INVALID_ARG and its name")
def test_unknown_status(server):
    status, headers, body = call(server, "GET", "/api/status/nowhere")
    assert (status, body) == (400, b"") and headers["NV-Status"].startswith("code: INVALID_ARG msg: ") and "nowhere" in headers["NV-Status"]


@case("VW23", "v1 HTTP", "profile, as clients before 1.7 call it", "200, empty")
def test_profile(server):
    for command in ("start", "stop"):
        status, headers, body = call(server, "GET", f"/api/profile?cmd={command}")
        assert (status, body) == (200, b"") and headers["NV-Status"].startswith("code: SUCCESS ")


@case("VW24", "v1 HTTP", "calls on the gRPC port", "the same answers")
def test_on_the_grpc_port(server):
    assert call(server, "GET", "/api/health/ready", port=server.grpc)[0] == 200


@case("VW25", "v1 HTTP", "calls on the metrics port", "400: it serves /metrics only")
def test_on_the_metrics_port(server):
    assert call(server, "GET", "/api/health/ready", port=server.metrics)[0] == 400


@case("VW26", "v1 HTTP", "the header in any case, its value up to the limit of a head; a longer one", "taken; 431")
def test_header_size(server):
    padding = " " * 50000
    assert infer(server, header=HEADER.replace(" ", padding, 1))[0] == 200
    assert infer(server, header=HEADER.replace(" ", " " * 70000, 1))[0] == 431
    assert call(server, "POST", "/api/infer/fixed", INPUT, {"nv-inferrequest": HEADER})[0] == 200


@case("VW27", "v1 HTTP", "a header of a million nested or repeated things", "400 or an answer, soon; the server goes on")
@pytest.mark.parametrize("header", ["input {" * 4000, 'input { name: "IN" } ' * 2500, "input { dims: [" + "1," * 20000 + "1] }"])
def test_greedy_header(server, header):
    assert infer(server, header="batch_size: 1 " + header)[0] == 400
    assert infer(server)[0] == 200


@case("VW28", "v1 HTTP", "every prefix of a good header", "an answer, never a crash")
def test_cut_header(server):
    for size in range(len(HEADER)):
        assert infer(server, header=HEADER[:size])[0] in (200, 400)
    assert infer(server)[0] == 200


@case("VW29", "v1 HTTP", "a timeout that has passed when the model is done", "400 with UNAVAILABLE")
def test_timeout(server):
    header = 'batch_size: 1 input { name: "IN" dims: 4 } output { name: "OUT" } timeout_microseconds: 1000'
    status, headers, _ = infer(server, header, INPUT, "slow")
    assert status == 400 and headers["NV-Status"].startswith("code: UNAVAILABLE msg: ")


@case("VW30", "v1 HTTP", "a body with a Content-Encoding; one that is there twice", "501, 400, without NV-Status: its bytes are not taken for the tensor's")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_content_encoding(server, coding):
    status, headers, _ = infer(server, **{"Content-Encoding": coding})
    assert (status, headers["NV-Status"]) == (501, None)
    assert infer(server, **{"Content-Encoding": coding, "content-encoding": coding})[0] == 400
    assert infer(server, **{"Content-Encoding": "identity"})[0] == 200
