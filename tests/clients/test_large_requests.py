"""Requests that take long to decode or to answer: the server answers others meanwhile, those first who ask whether it lives."""

import gzip
import json
import select

import grpc
import models
import pytest
from cases import case
from models import BATCHED, pair
from tritonclient.grpc import service_pb2 as pb
from wire import SERVICE, Socket, get

COUNT = 15_000_000


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
