"""The calls over gRPC that do not infer: health, metadata, config, statistics, and methods that are not there."""

import grpc
import models
import pytest
import tritonclient.grpc as triton
from cases import case
from tritonclient.grpc import service_pb2 as pb
from wire import SERVICE, get, grpc_call, grpc_error


@pytest.fixture
def client(server):
    with triton.InferenceServerClient(server.grpc_url) as connected:
        yield connected


@case("GC01", "gRPC", "ServerLive, ServerReady", "true")
def test_health(client):
    assert client.is_server_live()
    assert client.is_server_ready()


@case("GC02", "gRPC", "ModelReady of ready models and versions", "true")
def test_model_ready(client):
    assert client.is_model_ready("plain")
    assert client.is_model_ready("versions", "10")


@case("GC03", "gRPC", "ModelReady of an unknown model or version", "OK with ready = false")
def test_unknown_model_is_not_ready(client):
    assert client.is_model_ready("nothing") is False
    assert client.is_model_ready("versions", "3") is False


@case("GC04", "gRPC", "a model version that is no number", "INVALID_ARGUMENT with it, in every call")
@pytest.mark.parametrize(
    "method,message",
    [
        ("ModelReady", pb.ModelReadyRequest(name="plain", version="x")),
        ("ModelMetadata", pb.ModelMetadataRequest(name="plain", version="-1")),
        ("ModelConfig", pb.ModelConfigRequest(name="plain", version="1.0")),
        ("ModelStatistics", pb.ModelStatisticsRequest(name="plain", version="99999999999999999999")),
        ("ModelInfer", pb.ModelInferRequest(model_name="plain", model_version=" 1")),
    ],
)
def test_version_that_is_no_number(server, method, message):
    code, text = grpc_error(server.grpc, method, message)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    version = getattr(message, "version", "") or getattr(message, "model_version", "")
    assert "expected a number" in text and f"'{version}'" in text


@case("GC05", "gRPC", "ServerMetadata", "the same as over HTTP")
def test_server_metadata(server, client):
    assert client.get_server_metadata(as_json=True) == get(server.http, "/v2").json


@case("GC06", "gRPC", "ModelMetadata", "the same as over HTTP")
def test_model_metadata(server, client):
    message = client.get_model_metadata("versions")
    expected = get(server.http, "/v2/models/versions").json
    assert (message.name, list(message.versions), message.platform) == ("versions", ["1", "2", "10"], "identity")
    assert [(t.name, t.datatype, list(t.shape)) for t in message.inputs] == [
        (t["name"], t["datatype"], t["shape"]) for t in expected["inputs"]
    ]


@case("GC07", "gRPC", "ModelConfig", "the message of the config that HTTP shows as JSON")
def test_model_config(server, client):
    config = client.get_model_config("batching").config
    assert config.max_batch_size == 8
    assert config.dynamic_batching.max_queue_delay_microseconds == 2000
    assert config.input[0].name == get(server.http, "/v2/models/batching/config").json["input"][0]["name"]


@case("GC08", "gRPC", "ModelStatistics of one model and of all", "every counter; all ready versions")
def test_statistics(client):
    one = client.get_inference_statistics("versions", "2").model_stats
    assert [(entry.name, entry.version) for entry in one] == [("versions", "2")]
    assert one[0].inference_stats.HasField("cache_miss")
    names = {entry.name for entry in client.get_inference_statistics().model_stats}
    assert {"plain", "versions", "id_fp32"} <= names


@case("GC09", "gRPC", "metadata, config of an unknown model", "NOT_FOUND with its name")
@pytest.mark.parametrize("method", ["ModelMetadata", "ModelConfig"])
def test_unknown_model(server, method):
    message = getattr(pb, method + "Request")(name="nothing")
    code, text = grpc_error(server.grpc, method, message)
    assert code == grpc.StatusCode.NOT_FOUND
    assert "nothing" in text


@case("GC10", "gRPC", "statistics of an unknown model", "INVALID_ARGUMENT (not NOT_FOUND): the protocol's rule")
def test_statistics_of_an_unknown_model(server):
    code, text = grpc_error(server.grpc, "ModelStatistics", pb.ModelStatisticsRequest(name="nothing"))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "nothing" in text


@case("GC13", "gRPC", "a method or service that does not exist", "UNIMPLEMENTED with the path")
@pytest.mark.parametrize("path", [SERVICE + "Nothing", "/other.Service/ServerLive", "/x"])
def test_unknown_method(server, path):
    code, text = grpc_error(server.grpc, path, b"")
    assert code == grpc.StatusCode.UNIMPLEMENTED
    assert path in text


# grpc.health.v1: HealthCheckRequest { 1: service }, HealthCheckResponse { 1: status }
HEALTH = "/grpc.health.v1.Health/Check"


@case("GC14", "gRPC", "grpc.health.v1 Check of the server, of its service, and of any other name", "SERVING: the name is ignored")
@pytest.mark.parametrize("service", [b"", b"inference.GRPCInferenceService", b"readiness", b"id_int32"])
def test_health_check(server, service):
    request = b"\x0a" + bytes([len(service)]) + service if service else b""
    assert grpc_call(server.grpc, HEALTH, request) == b"\x08\x01"


@case("GC15", "gRPC", "grpc.health.v1 Check, under any name, of a server that is not ready", "NOT_SERVING")
@pytest.mark.parametrize("service", [b"", b"readiness"])
def test_health_check_of_a_server_that_is_not_ready(start, repository, service):
    models.add(repository, "bad", models.PLAIN + models.pair("INT32", "1") + models.parameter("fail_load", "not today"))
    request = b"\x0a" + bytes([len(service)]) + service if service else b""
    assert grpc_call(start(repository).grpc, HEALTH, request) == b"\x08\x02"


@case("GC16", "gRPC", "calls on the HTTP port", "the same answers: gRPC is recognised there")
def test_grpc_on_the_http_port(server):
    with triton.InferenceServerClient(server.http_url) as client:
        assert client.is_server_ready()
        assert client.get_model_metadata("plain").name == "plain"


@case("GC17", "gRPC", "calls on the metrics port", "UNIMPLEMENTED: it serves /metrics only")
def test_grpc_on_the_metrics_port(server):
    code, _ = grpc_error(server.metrics, "ServerLive", b"")
    assert code == grpc.StatusCode.UNIMPLEMENTED
