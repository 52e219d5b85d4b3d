"""gRPC's framing over bare HTTP/2: what a gRPC library would never send."""

import gzip
import json
import struct

import h2.exceptions
import pytest
from cases import case
from wire import SERVICE, Http2, infer_input, infer_message, request

OK, INTERNAL, UNIMPLEMENTED, RESOURCE_EXHAUSTED, INVALID_ARGUMENT = "0", "13", "12", "8", "3"


def frame(message, compressed=0):
    return struct.pack(">BI", compressed, len(message)) + message


MESSAGE = infer_message("id_int32", ("IN", "INT32", [1, 1], b"\1\0\0\0")).SerializeToString()


def call(port, body, *headers, method="ModelInfer", content_type="application/grpc", verb="POST"):
    """Sends a body; the HTTP status, and all header and trailer fields."""
    head = [("content-type", content_type), ("te", "trailers"), *headers]
    with Http2(port) as connection:
        stream = connection.begin(verb, SERVICE + method, head)
        try:
            connection.data(stream, body)
        except h2.exceptions.StreamClosedError:
            pass  # the server has answered without waiting for the body
        answer = connection.answer(stream)
    return int(answer["fields"][":status"]), {**answer["fields"], **answer["trailers"]}


def refused(server, code, body, *headers, **more):
    status, fields = call(server.grpc, body, *headers, **more)
    assert status == 200
    assert fields["grpc-status"] == code, fields
    assert fields["grpc-message"]
    return fields["grpc-message"]


@case("GW01", "gRPC", "a well-formed call", "grpc-status 0 in the trailers")
def test_good_call(server):
    status, fields = call(server.grpc, frame(MESSAGE))
    assert (status, fields["grpc-status"], fields["content-type"]) == (200, OK, "application/grpc")


@case("GW02", "gRPC", "no message", "UNIMPLEMENTED: expected one message, got none")
def test_no_message(server):
    assert "one" in refused(server, UNIMPLEMENTED, b"")


@case("GW03", "gRPC", "two messages in a unary call", "UNIMPLEMENTED: expected one message, got more")
def test_two_messages(server):
    assert "one" in refused(server, UNIMPLEMENTED, frame(MESSAGE) * 2)


@case("GW04", "gRPC", "a message that is cut", "INTERNAL: it ends in the middle")
@pytest.mark.parametrize("size", [1, 4, 5, 10])
def test_cut_message(server, size):
    refused(server, INTERNAL, frame(MESSAGE)[:size])


@case("GW05", "gRPC", "a message that announces more than the limit", "RESOURCE_EXHAUSTED with the limit")
def test_huge_message(server):
    assert "67108864" in refused(server, RESOURCE_EXHAUSTED, b"\0\xff\xff\xff\xff")


@case("GW06", "gRPC", "a compressed flag without grpc-encoding, or an unknown flag", "INTERNAL")
@pytest.mark.parametrize("flag", [1, 2, 255])
def test_unexpected_flag(server, flag):
    refused(server, INTERNAL, frame(MESSAGE, flag))


@case("GW07", "gRPC", "a grpc-encoding that is not known", "UNIMPLEMENTED with its name")
def test_unknown_encoding(server):
    assert "snappy" in refused(server, UNIMPLEMENTED, frame(MESSAGE), ("grpc-encoding", "snappy"))


@case("GW08", "gRPC", "a message that is no gzip though it says so", "INTERNAL")
def test_broken_gzip(server):
    refused(server, INTERNAL, frame(b"no gzip", 1), ("grpc-encoding", "gzip"))
    refused(server, INTERNAL, frame(gzip.compress(MESSAGE)[:-6], 1), ("grpc-encoding", "gzip"))


@case("GW17", "gRPC", "a gzip message of several members (RFC 1952)", "unpacked as one; within one limit: RESOURCE_EXHAUSTED beyond it")
def test_gzip_members(server):
    members = b"".join(gzip.compress(part) for part in (MESSAGE[:7], b"", MESSAGE[7:]))
    status, fields = call(server.grpc, frame(members, 1), ("grpc-encoding", "gzip"))
    assert (status, fields["grpc-status"]) == (200, OK), fields
    refused(server, RESOURCE_EXHAUSTED, frame(gzip.compress(bytes(35 << 20)) * 2, 1), ("grpc-encoding", "gzip"))


@case("GW09", "gRPC", "a small gzip message that unpacks to more than the limit", "RESOURCE_EXHAUSTED")
def test_gzip_bomb(server):
    bomb = gzip.compress(bytes(70 << 20))
    assert len(bomb) < 100_000
    refused(server, RESOURCE_EXHAUSTED, frame(bomb, 1), ("grpc-encoding", "gzip"))


@case("GW10", "gRPC", "a grpc-timeout that is none", "INTERNAL with its form")
@pytest.mark.parametrize("timeout", ["5", "S", "123456789S", "5x", "-1S", "1.5S"])
def test_bad_timeout(server, timeout):
    assert "grpc-timeout" in refused(server, INTERNAL, frame(MESSAGE), ("grpc-timeout", timeout))


@case("GW11", "gRPC", "another message format than protobuf", "415")
def test_other_format(server):
    status, _ = call(server.grpc, frame(MESSAGE), content_type="application/grpc+json")
    assert status == 415


@case("GW12", "gRPC", "gRPC over HTTP/1.1, or by another method than POST", "505; 405")
def test_grpc_over_http1(server):
    answer = request(server.grpc, "POST", SERVICE + "ModelInfer", frame(MESSAGE), {"Content-Type": "application/grpc"})
    assert answer.status == 505
    status, _ = call(server.grpc, frame(MESSAGE), verb="PUT")
    assert status == 405


@case("GW13", "gRPC", "an error text with line feeds and other characters", "percent-encoded in grpc-message")
def test_percent_encoded_message(server):
    message = infer_message("ä\n%", ("IN", "INT32", [1, 1], b"\1\0\0\0")).SerializeToString()
    text = refused(server, "5", frame(message))
    assert "%C3%A4%0A%25" in text


@case("GW14", "gRPC", "a call that is reset while its model runs", "the request is cancelled; the connection goes on")
def test_reset_call(server):
    stuck = infer_message("stuck", ("IN", "INT32", [1, 1], b"\1\0\0\0")).SerializeToString()
    head = [("content-type", "application/grpc"), ("te", "trailers")]
    with Http2(server.grpc) as connection:
        for _ in range(5):
            stream = connection.begin("POST", SERVICE + "ModelInfer", head)
            connection.data(stream, frame(stuck))
            connection.h2.reset_stream(stream, error_code=8)
            connection.flush()
        stream = connection.begin("POST", SERVICE + "ModelInfer", head)
        connection.data(stream, frame(MESSAGE))
        assert connection.answer(stream)["trailers"]["grpc-status"] == OK


@case("GW15", "HTTP/2", "plain HTTP calls over HTTP/2, beside gRPC calls on the same connection", "each gets its answer")
def test_http_and_grpc_on_one_connection(server):
    with Http2(server.grpc) as connection:
        ready = connection.begin("GET", "/v2/health/ready", end=True)
        infer = connection.begin("POST", SERVICE + "ModelInfer", [("content-type", "application/grpc"), ("te", "trailers")])
        missing = connection.begin("GET", "/nothing", end=True)
        connection.data(infer, frame(MESSAGE))
        assert connection.answer(ready)["fields"][":status"] == "200"
        assert connection.answer(infer)["trailers"]["grpc-status"] == OK
        assert connection.answer(missing)["body"] == b'{"error":"Not Found"}'


@case("GW16", "HTTP/2", "100 inferences at once on a connection", "every one its own answer")
def test_many_streams(server):
    with Http2(server.http) as connection:
        streams = {}
        for i in range(100):
            stream = connection.begin("POST", "/v2/models/batching/infer", [("content-type", "application/json")])
            connection.data(stream, json.dumps({"id": str(i), "inputs": [infer_input([i])]}).encode())
            streams[i] = stream
        for i, stream in streams.items():
            answer = json.loads(connection.answer(stream)["body"])
            assert (answer["id"], answer["outputs"][0]["data"]) == (str(i), [i])
