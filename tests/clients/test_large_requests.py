"""Requests that take long to decode or to answer: the server answers others meanwhile, those first who ask whether it lives."""

import gzip
import json
import random
import select
import struct
import zlib

import grpc
import models
import pytest
from cases import case
from models import BATCHED, pair
from serving import threads_of, wait_until
from streaming import Stream
from tritonclient.grpc import service_pb2 as pb
from wire import SERVICE, Http2, Socket, get, infer_message

COUNT = 15_000_000
NUMBERS_COUNT = 2_000_000
NUMBERS = b'{"inputs":[{"name":"IN","shape":[1,%d],"datatype":"INT8","data":[' % NUMBERS_COUNT + b"1," * (NUMBERS_COUNT - 1) + b"1]}]}"
BOMB = 256 << 20


@pytest.fixture
def served(start, repository):
    for datatype in ("INT8", "INT64"):
        models.add(repository, "id_" + datatype.lower(), BATCHED + pair(datatype, "-1"))
    return start(repository)


def lives_meanwhile(server, waiting):
    """Health is told while the answer on the other connection is not there yet."""
    for _ in range(3):
        assert get(server.http, "/v2/health/live").status == 200
    return not select.select([waiting], [], [], 0)[0]


def send(connection, body, *fields):
    head = ["POST /v2/models/id_int8/infer HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", "Connection: close", *fields]
    connection.send("\r\n".join(head).encode() + b"\r\n\r\n" + body)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@case("DC01", "HTTP", "30 MB of numbers in JSON, plain and compressed", "health is told on another connection before they are answered")
def test_json(served, packed):
    body = b'{"inputs":[{"name":"IN","shape":[1,%d],"datatype":"INT8","data":[' % COUNT + b"1," * (COUNT - 1) + b"1]}]}"
    with Socket(served.http) as connection:
        send(connection, gzip.compress(body, 1) if packed else body, *["Content-Encoding: gzip"] * packed)
        assert lives_meanwhile(served, connection.socket)
        answer = connection.read_response("POST")
    assert answer.status == 200 and len(answer.json["outputs"][0]["data"]) == COUNT


@case("DC02", "HTTP", "15 MB of bytes whose answer is JSON", "the same")
def test_json_answer(served):
    tensor = {"name": "IN", "shape": [1, COUNT], "datatype": "INT8", "parameters": {"binary_data_size": COUNT}}
    head = json.dumps({"inputs": [tensor]}).encode()
    with Socket(served.http) as connection:
        send(connection, head + bytes(COUNT), f"Inference-Header-Content-Length: {len(head)}")
        assert lives_meanwhile(served, connection.socket)
        answer = connection.read_response("POST")
    assert answer.status == 200 and len(answer.json["outputs"][0]["data"]) == COUNT


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@case("DC03", "gRPC", "15,000,000 numbers in typed contents, by ModelInfer and ModelStreamInfer", "all of them come back")
def test_typed_contents(served, stream):
    request = pb.ModelInferRequest(model_name="id_int64")
    tensor = request.inputs.add(name="IN", datatype="INT64", shape=[1, COUNT])
    tensor.contents.int64_contents.extend([1] * COUNT)
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc}", options=options) as channel:
        kind, response = (channel.stream_stream, pb.ModelStreamInferResponse) if stream else (channel.unary_unary, pb.ModelInferResponse)
        method = kind(SERVICE + ("ModelStreamInfer" if stream else "ModelInfer"), pb.ModelInferRequest.SerializeToString, response.FromString)
        if stream:
            (answer,) = [message.infer_response for message in method(iter([request]))]
        else:
            answer = method(request)
    assert len(answer.raw_output_contents[0]) == 8 * COUNT
    assert get(served.http, "/v2/health/live").status == 200


def bomb(size):
    """A packed message of so many zeros."""
    packer, chunk = zlib.compressobj(1, wbits=31), bytes(1 << 20)
    packed = b"".join(packer.compress(chunk) for _ in range(size >> 20)) + packer.flush()
    return struct.pack(">BI", 1, len(packed)) + packed


@pytest.mark.parametrize("method", ["ModelInfer", "ModelStreamInfer", "ServerLive"])
@case("DC04", "gRPC", "a gzip message of 1 MB that becomes 256 MiB, more than is allowed", "health is told on another connection before it is refused: RESOURCE_EXHAUSTED")
def test_packed_message(start, repository, method):
    server = start(repository, f"--max-request-size={BOMB - 1}")
    with Http2(server.grpc) as connection:
        call = connection.begin("POST", SERVICE + method, [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", "gzip")])
        connection.data(call, bomb(BOMB))
        for _ in range(3):
            assert get(server.http, "/v2/health/live").status == 200
        while select.select([connection.socket], [], [], 0)[0]:
            connection.receive()
        assert not connection.streams[call]["ended"]
        fields = connection.answer(call)["fields"]
    assert fields["grpc-status"] == "8" and "when decompressed" in fields["grpc-message"]


@case("DC05", "gRPC", "ModelStreamInfer with gzip: 40 requests, some of which are unpacked by other threads", "answers in the order of the requests")
def test_packed_stream(served):
    noise = random.Random(1)
    sizes = [noise.choice((1, 10, 2000, 500_000)) for _ in range(40)]
    requests = []
    for i, size in enumerate(sizes):
        data = noise.choice((bytes, noise.randbytes))(size)
        requests.append(infer_message("id_int8", ("IN", "INT8", [1, size], data), id=str(i)))
    with Stream(served.grpc, compression=grpc.Compression.Gzip) as stream:
        stream.send(*requests)
        answers = [answer.infer_response for answer in stream.rest()]
    assert [answer.id for answer in answers] == [str(i) for i in range(len(sizes))]
    for request, answer in zip(requests, answers):
        assert answer.raw_output_contents[0] == request.raw_input_contents[0]


@case("DC06", "gRPC", "the same by ModelInfer, calls whose clients leave in the middle between them", "all answered; the server goes on")
def test_packed_calls(served):
    message = infer_message("id_int8", ("IN", "INT8", [1, COUNT], bytes(COUNT))).SerializeToString()
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc}", options=options) as channel:
        method = channel.unary_unary(SERVICE + "ModelInfer", response_deserializer=pb.ModelInferResponse.FromString)
        calls = [method.future(message, compression=grpc.Compression.Gzip) for _ in range(9)]
        for call in calls[::3]:
            call.cancel()
        for i, call in enumerate(calls):
            if i % 3:
                assert len(call.result().raw_output_contents[0]) == COUNT
    assert get(served.http, "/v2/health/live").status == 200


def occupy_decoders(server):
    """More large requests than there are decoders, all on their way: the channel and calls of gRPC, the sockets of HTTP."""
    message = infer_message("id_int8", ("IN", "INT8", [1, COUNT], bytes(COUNT))).SerializeToString()
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc}", options=options)
    method = channel.unary_unary(SERVICE + "ModelInfer", response_deserializer=pb.ModelInferResponse.FromString)
    calls = [method.future(message, compression=grpc.Compression.Gzip) for _ in range(3)]
    wait_until(lambda: threads_of(server, "decoder") > 0)  # one of them has come
    connections = [Socket(server.http) for _ in range(9)]
    for i, connection in enumerate(connections):  # the last one is larger than what waits in a socket that is not accepted
        packed = i % 3 == 0
        send(connection, gzip.compress(NUMBERS, 1) if packed else NUMBERS, *["Content-Encoding: gzip"] * packed)
    return channel, calls, connections


@case("DC07", "both", "SIGTERM while large requests are decoded and unpacked by other threads, and more wait for them", "all that has come is answered, then exit 0")
def test_end_while_decoding(start, repository):
    models.add(repository, "id_int8", BATCHED + pair("INT8", "-1"))
    server = start(repository, "--exit-timeout-secs=600")
    channel, calls, connections = occupy_decoders(server)
    server.signal()
    for connection in connections:
        answer = connection.read_response("POST")
        assert answer.status == 200 and len(answer.json["outputs"][0]["data"]) == NUMBERS_COUNT
        connection.socket.close()
    # Those that had not reached the server are not taken any more.
    codes = [call.code() for call in calls]
    assert grpc.StatusCode.OK in codes and set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}, calls
    assert all(len(call.result().raw_output_contents[0]) == COUNT for call in calls if call.code() == grpc.StatusCode.OK)
    channel.close()
    assert server.wait() == 0


@case("DC08", "both", "the same with --exit-timeout-secs=0", "exit 1 at once, with what was waited for in the log; connections end, answered or not")
def test_end_without_time_while_decoding(start, repository):
    models.add(repository, "id_int8", BATCHED + pair("INT8", "-1"))
    server = start(repository, "--exit-timeout-secs=0")
    channel, calls, connections = occupy_decoders(server)
    server.signal()
    assert server.wait() == 1
    assert "exit timeout of 0 s has passed: " in server.log
    for connection in connections:
        connection.read_to_end()
        connection.socket.close()
    assert all(call.code() in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE) for call in calls)
    channel.close()
