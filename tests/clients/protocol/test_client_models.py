"""tritonclient: health, metadata, configuration and statistics."""

import models
import peer_models
import peers
import pytest
from cases import case, triton_differs
from models import BATCHED, add
from serving import wait_until
from triton_client import Client, integers
from tritonclient.utils import InferenceServerException

UNKNOWN = [("nothing", ""), ("versions", "7")]
METADATA_EXTENSIONS = {"classification", "model_configuration", "binary_tensor_data", "parameters", "statistics"}


@pytest.fixture(scope="module")
def ailing(tmp_path_factory):
    """A server with a model that cannot be loaded beside one that can."""
    repository = tmp_path_factory.mktemp("ailing") / "models"
    repository.mkdir()
    add(repository, "good", BATCHED + peer_models.INTEGERS)
    add(repository, "broken", BATCHED + peer_models.INTEGERS + models.parameter("fail_load", "out of order"))
    running = peers.start(repository)
    yield running
    running.stop()


# ---- health ----


@case("CH01", "four clients", "is_server_live", "true", does="is_server_live")
def test_live(client):
    assert client.is_server_live() is True


@case("CH02", "four clients", "is_server_ready", "true", does="is_server_ready")
def test_ready(client):
    assert client.is_server_ready() is True


@case("CH03", "four clients", "is_server_ready with a model that could not be loaded", "false, yet live", fails="is_server_ready")
def test_not_ready(ailing, connect):
    client = connect(ailing)
    assert client.is_server_ready() is False
    assert client.is_server_live() is True


@case("CH04", "four clients", "is_model_ready, of a model and of each version", "true", does="is_model_ready")
def test_model_ready(client):
    assert client.is_model_ready("versions") is True
    assert all(client.is_model_ready("versions", str(version)) for version in peer_models.VERSIONS)


@case("CH05", "four clients", "is_model_ready of a model or version that is unknown", "false", fails="is_model_ready")
@pytest.mark.parametrize("name, version", UNKNOWN)
def test_unknown_model_is_not_ready(client, name, version):
    assert client.is_model_ready(name, version) is False


@case("CH06", "four clients", "is_model_ready of a model that could not be loaded", "false")
def test_broken_model_is_not_ready(ailing, connect):
    client = connect(ailing)
    assert client.is_model_ready("broken") is False
    assert client.is_model_ready("good") is True


@case("CH07", "gRPC clients", "is_model_ready of a version that is no number", "INVALID_ARGUMENT")
def test_ready_version_that_is_no_number(client):
    with client.refused("INVALID_ARGUMENT"):
        client.is_model_ready("versions", "new")


@case("CH08", "HTTP clients", "is_model_ready of a version that is no number", "false")
def test_ready_version_that_is_no_number_over_http(client):
    assert client.is_model_ready("versions", "new") is False


@case("CH09", "four clients", "calls that no server refuses, to a port where nobody listens", "the client's or its transport's error, no answer",
      fails="is_server_live get_server_metadata get_model_repository_index get_log_settings unregister_system_shared_memory unregister_cuda_shared_memory")
@pytest.mark.parametrize("method", [
    "is_server_live", "get_server_metadata", "get_model_repository_index", "get_log_settings", "unregister_system_shared_memory",
    "unregister_cuda_shared_memory",
])
def test_nobody_listens(form, runner, method):
    (port,) = peers.free_ports(1)
    with Client(form, f"127.0.0.1:{port}", runner) as client:
        with pytest.raises((InferenceServerException, OSError)):
            getattr(client, method)()


# ---- metadata ----


@case("CM01", "four clients", "get_server_metadata", "name, version and extensions", does="get_server_metadata")
def test_server_metadata(client):
    answer = client.told("get_server_metadata")
    assert set(answer) == {"name", "version", "extensions"}
    assert answer["name"] == peers.PEER
    assert METADATA_EXTENSIONS <= set(answer["extensions"])


@case("CM02", "four clients", "get_model_metadata", "versions, platform, tensors with their batch dimension", does="get_model_metadata")
def test_model_metadata(client):
    tensor = {"name": "IN", "datatype": "INT32", "shape": [-1, -1]}
    assert client.told("get_model_metadata", "versions") == {
        "name": "versions",
        "versions": [str(version) for version in peer_models.VERSIONS],
        "platform": peers.BACKEND,
        "inputs": [tensor],
        "outputs": [{**tensor, "name": "OUT"}],
    }


@case("CM03", "four clients", "get_model_metadata of one version", "only that version")
def test_metadata_of_a_version(client):
    assert client.told("get_model_metadata", "versions", "2")["versions"] == ["2"]


@case("CM04", "four clients", "get_model_metadata of a model that does not batch", "shapes as configured")
def test_metadata_without_batching(client):
    assert [tensor["shape"] for tensor in client.told("get_model_metadata", "plain")["inputs"]] == [[2, 3]]


@case("CM05", "four clients", "get_model_metadata of an unknown model or version", "NOT_FOUND with the name", fails="get_model_metadata")
@pytest.mark.parametrize("name, version", UNKNOWN)
def test_metadata_of_an_unknown_model(client, name, version):
    with client.refused("NOT_FOUND", name):
        client.get_model_metadata(name, version)


@case("CM06", "four clients", "get_model_metadata, get_model_config of a model that could not be loaded", "UNAVAILABLE with the name")
@triton_differs("NOT_FOUND: it has no version; inferd tells with UNAVAILABLE why it has none")
@pytest.mark.parametrize("method", ["get_model_metadata", "get_model_config"])
def test_metadata_of_a_broken_model(ailing, connect, method):
    client = connect(ailing)
    with client.refused("UNAVAILABLE", "broken"):
        getattr(client, method)("broken")


@case("CM07", "gRPC clients", "get_model_metadata, get_model_config, get_inference_statistics of a version that is no number", "INVALID_ARGUMENT")
@pytest.mark.parametrize("method", ["get_model_metadata", "get_model_config", "get_inference_statistics"])
def test_version_that_is_no_number(client, method):
    with client.refused("INVALID_ARGUMENT"):
        getattr(client, method)("versions", "new")


@case("CM08", "HTTP clients", "the same over HTTP, where a version is part of the path", "NOT_FOUND")
@pytest.mark.parametrize("method", ["get_model_metadata", "get_model_config", "get_inference_statistics"])
def test_version_that_is_no_number_over_http(client, method):
    with client.refused("NOT_FOUND"):
        getattr(client, method)("versions", "new")


# ---- configuration ----


@case("CM09", "four clients", "get_model_config", "what the file says, defaults filled in, numbers as numbers; the group of instances that it leaves out has the model's name", does="get_model_config")
def test_config(client):
    config = client.told("get_model_config", "batching")
    assert (config["name"], config["backend"], config["max_batch_size"]) == ("batching", peers.BACKEND, 8)
    assert config["version_policy"] == {"latest": {"num_versions": 1}}
    assert [(tensor["name"], tensor["data_type"], tensor["dims"]) for tensor in config["input"]] == [("IN", "TYPE_INT32", [-1])]
    assert config["dynamic_batching"]["max_queue_delay_microseconds"] == 2000
    assert config["dynamic_batching"]["preferred_batch_size"] == [8]
    assert config["instance_group"][0]["count"] == 1
    assert config["instance_group"][0]["name"] == "batching"


@case("CM10", "four clients", "get_model_config of an unknown model or version", "NOT_FOUND with the name", fails="get_model_config")
@pytest.mark.parametrize("name, version", UNKNOWN)
def test_config_of_an_unknown_model(client, name, version):
    with client.refused("NOT_FOUND", name):
        client.get_model_config(name, version)


@case("CM11", "gRPC clients", "metadata, config and statistics with as_json=True", "the JSON of the message: 64-bit integers as strings, zeros left out")
def test_as_json(client):
    assert client.get_server_metadata(as_json=True)["name"] == peers.PEER
    assert client.get_model_metadata("plain", as_json=True)["inputs"][0]["shape"] == ["2", "3"]
    config = client.get_model_config("batching", as_json=True)["config"]
    assert config["dynamic_batching"]["max_queue_delay_microseconds"] == "2000"
    assert client.get_inference_statistics("plain", as_json=True)["model_stats"][0]["name"] == "plain"


# ---- statistics ----


@case("CS01", "four clients", "get_inference_statistics of a model", "every counter; batches of 1 and 3 count 4 inferences in 2 executions", does="get_inference_statistics")
def test_statistics(client):
    def counters():
        (entry,) = client.told("get_inference_statistics", "id_int32")["model_stats"]
        return entry

    before = counters()
    client.infer_array("id_int32", integers(1))
    client.infer_array("id_int32", integers(1, 2, 3).reshape(3, 1))
    wait_until(lambda: counters()["inference_count"] - before["inference_count"] == 4)
    after = counters()
    assert set(after) == {"name", "version", "last_inference", "inference_count", "execution_count", "inference_stats", "batch_stats",
                          "memory_usage", "response_stats"}
    assert (after["name"], after["version"]) == ("id_int32", "1")
    assert after["last_inference"] >= before["last_inference"]
    assert after["execution_count"] - before["execution_count"] == 2
    for counter, difference in [("success", 2), ("fail", 0), ("queue", 2), ("compute_input", 2), ("compute_infer", 2), ("compute_output", 2)]:
        assert after["inference_stats"][counter]["count"] - before["inference_stats"][counter]["count"] == difference
    assert {entry["batch_size"] for entry in after["batch_stats"]} >= {1, 3}


@case("CS02", "four clients", "get_inference_statistics of all models and of one version", "all ready versions; that version")
def test_statistics_of_all(client):
    entries = client.told("get_inference_statistics")["model_stats"]
    assert {(entry["name"], entry["version"]) for entry in entries} >= {("plain", "1"), *(("versions", str(v)) for v in peer_models.VERSIONS)}
    entries = client.told("get_inference_statistics", "versions", "2")["model_stats"]
    assert [(entry["name"], entry["version"]) for entry in entries] == [("versions", "2")]


@case("CS03", "four clients", "a request that fails in the model, and one that is refused before", "the first counts as failed, the other not")
def test_failures_in_statistics(client):
    def fails():
        return client.told("get_inference_statistics", "failing")["model_stats"][0]["inference_stats"]["fail"]["count"]

    before = fails()
    with client.refused("INTERNAL"):
        client.infer_array("failing", integers(1))
    with client.refused("INVALID_ARGUMENT"):
        client.infer_array("failing", integers(*range(9)).reshape(9, 1))
    wait_until(lambda: fails() > before)
    assert fails() == before + 1


@case("CS04", "four clients", "get_inference_statistics of an unknown model or version", "INVALID_ARGUMENT (not NOT_FOUND): the protocol's rule", fails="get_inference_statistics")
@pytest.mark.parametrize("name, version", UNKNOWN)
def test_statistics_of_an_unknown_model(client, name, version):
    with client.refused("INVALID_ARGUMENT", name):
        client.get_inference_statistics(name, version)


@case("CS05", "four clients", "get_inference_statistics of a model that could not be loaded", "INVALID_ARGUMENT with the name")
def test_statistics_of_a_broken_model(ailing, connect):
    client = connect(ailing)
    with client.refused("INVALID_ARGUMENT", "broken"):
        client.get_inference_statistics("broken")


@case("CS06", "four clients", "get_inference_statistics of a model that answers once", "response_stats is empty")
def test_no_response_statistics(client):
    (entry,) = client.told("get_inference_statistics", "id_int32")["model_stats"]
    assert entry["response_stats"] == {}
