"""Nothing in TRTIS v1 gets round what the server refuses elsewhere: permissions, limits, deadlines."""

import http.client
import struct

import grpc
import models
import numpy as np
import pytest
from cases import case
from old_client import RAW, Collector, InferContext, InferenceServerException, ProtocolType, ServerHealthContext, ServerStatusContext

SERVICE = "/nvidia.inferenceserver.GRPCService/"
TOKEN = "a-token-that-is-long-enough"
HEADER = 'batch_size: 1 input { name: "IN" dims: 1 } output { name: "OUT" }'


def call(server, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    answer = response.status, response.headers, response.read()
    connection.close()
    return answer


def rpc(server, method, request=b"", metadata=None, timeout=60):
    """The status code and message bytes of a unary call."""
    with grpc.insecure_channel(server.grpc_url) as channel:
        try:
            return grpc.StatusCode.OK, channel.unary_unary(SERVICE + method)(request, metadata=metadata, timeout=timeout)
        except grpc.RpcError as error:
            return error.code(), b""


@pytest.fixture
def guarded(start, repository, tmp_path):
    """A server whose health is everybody's and whose metadata and inference need a token; the rest is nobody's."""
    models.add(repository, "fixed", models.BATCHED + models.pair("INT32", "1"))
    secrets = tmp_path / "tokens"
    secrets.write_text(TOKEN + "\n")
    secrets.chmod(0o600)
    return start(repository, "--restrict=health:public", f"--restrict=metadata,inference,statistics,model-config:{secrets}")


@case("VG01", "v1 HTTP, v1 gRPC", "calls without a token where one is needed", "401, UNAUTHENTICATED, before any body is read")
def test_no_token(guarded):
    assert call(guarded, "GET", "/api/status")[0] == 401
    assert call(guarded, "POST", "/api/infer/fixed", struct.pack("<i", 1), NV_InferRequest=HEADER)[0] == 401
    for method in ("Status", "Infer", "Profile"):
        assert rpc(guarded, method)[0] == grpc.StatusCode.UNAUTHENTICATED


@case("VG02", "v1 HTTP, v1 gRPC", "calls that no rule opens", "403, PERMISSION_DENIED, also with a token")
def test_nobodys_calls(guarded):
    bearer = f"Bearer {TOKEN}"
    for path in ("/api/modelcontrol/load/fixed", "/api/sharedmemorycontrol/unregisterall"):
        assert call(guarded, "POST", path, b"", Authorization=bearer)[0] == 403
    assert call(guarded, "GET", "/api/repository/index", Authorization=bearer)[0] == 403
    for method in ("ModelControl", "SharedMemoryControl", "Repository"):
        assert rpc(guarded, method, metadata=[("authorization", bearer)])[0] == grpc.StatusCode.PERMISSION_DENIED


@case("VG03", "v1 HTTP", "the old client with a token in its headers", "served")
def test_token(guarded):
    headers = [f"Authorization: Bearer {TOKEN}"]
    context = InferContext(guarded.http_url, ProtocolType.HTTP, "fixed", http_headers=headers)
    assert int(context.run({"IN": [np.array([7], np.int32)]}, {"OUT": RAW})["OUT"][0][0]) == 7


@case("VG04", "v1 HTTP, v1 gRPC", "health, which is open to everybody", "served without a token")
def test_open_health(guarded):
    for wire in ((guarded.http_url, ProtocolType.HTTP), (guarded.grpc_url, ProtocolType.GRPC)):
        assert ServerHealthContext(*wire).is_ready()


@case("VG05", "v1 HTTP, v1 gRPC", "status, where one of metadata, config and statistics is closed",
      "refused: it tells all three")
def test_status_needs_all(start, repository):
    server = start(repository, "--restrict=health,metadata,statistics:public")
    assert call(server, "GET", "/api/status")[0] == 403
    assert rpc(server, "Status")[0] == grpc.StatusCode.PERMISSION_DENIED
    assert call(server, "GET", "/api/health/live")[0] == 200


@case("VG06", "v1 HTTP, v1 gRPC", "unknown paths and methods without a token", "401: nothing is learnt about what exists")
def test_unknown_without_token(guarded):
    assert call(guarded, "GET", "/api/nothing")[0] == 401
    assert rpc(guarded, "Nothing")[0] == grpc.StatusCode.UNAUTHENTICATED


@case("VG07", "v1 HTTP, v1 gRPC", "more requests than may wait", "UNAVAILABLE for those, results for the others")
def test_full_queue(start, repository):
    models.add(repository, "slow", 'backend: "identity"\n' + models.pair("INT32", "1") + models.parameter("execute_delay_ms", "200"))
    server = start(repository, "--max-queue-size=2")
    for wire in ((server.http_url, ProtocolType.HTTP), (server.grpc_url, ProtocolType.GRPC)):
        collector = Collector(InferContext(*wire, "slow"))
        for i in range(10):
            collector.run({"IN": [np.array([i], np.int32)]}, {"OUT": RAW})
        results = collector.results()
        failed = [result for result in results if isinstance(result, InferenceServerException)]
        assert failed and len(failed) < 10 and all("maximum queue size" in error.message() for error in failed)


@case("VG08", "v1 HTTP, v1 gRPC", "a body or message over the limit", "413; RESOURCE_EXHAUSTED; the server goes on")
def test_large_bodies(start, repository):
    models.add(repository, "bytes", models.BATCHED + models.pair("UINT8", "-1"))
    server = start(repository, "--max-request-size=10000")
    header = 'batch_size: 1 input { name: "IN" dims: 20000 } output { name: "OUT" }'
    assert call(server, "POST", "/api/infer/bytes", bytes(20000), NV_InferRequest=header)[0] == 413
    assert rpc(server, "Infer", bytes(20000))[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
    result = InferContext(server.http_url, ProtocolType.HTTP, "bytes").run({"IN": [np.zeros(100, np.uint8)]}, {"OUT": RAW})
    assert len(result["OUT"][0]) == 100


@case("VG09", "v1 gRPC", "grpc-timeout that passes while the model runs", "DEADLINE_EXCEEDED; the late result is dropped")
def test_grpc_deadline(server):
    from tensorrtserver.api import grpc_service_pb2

    request = grpc_service_pb2.InferRequest(model_name="stuck", model_version=-1, raw_input=[struct.pack("<i", 1)])
    request.meta_data.batch_size = 1
    request.meta_data.input.add(name="IN", dims=[1])
    message = request.SerializeToString()
    assert rpc(server, "Infer", message, timeout=0.5)[0] == grpc.StatusCode.DEADLINE_EXCEEDED
    by_server = rpc(server, "Infer", message, metadata=[("grpc-timeout", "500m")], timeout=None)  # the client itself waits on
    assert by_server[0] == grpc.StatusCode.DEADLINE_EXCEEDED


@case("VG10", "v1 gRPC", "messages that are no protobuf, or cut short", "request_status with INVALID_ARG, and the server goes on")
def test_broken_messages(server):
    from tensorrtserver.api import grpc_service_pb2, request_status_pb2

    good = grpc_service_pb2.InferRequest(model_name="fixed", model_version=-1, raw_input=[struct.pack("<4i", 1, 2, 3, 4)])
    good.meta_data.batch_size = 1
    good.meta_data.input.add(name="IN")
    whole = good.SerializeToString()
    for size in range(len(whole)):
        code, answer = rpc(server, "Infer", whole[:size])
        told = grpc_service_pb2.InferResponse.FromString(answer).request_status
        assert code == grpc.StatusCode.OK and told.code in (request_status_pb2.INVALID_ARG, request_status_pb2.UNAVAILABLE), size
    told = grpc_service_pb2.InferResponse.FromString(rpc(server, "Infer", whole)[1]).request_status
    assert told.code == request_status_pb2.SUCCESS
    assert ServerStatusContext(server.grpc_url, ProtocolType.GRPC, "fixed").get_server_status().model_status["fixed"].config.name == "fixed"
