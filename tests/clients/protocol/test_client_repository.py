"""tritonclient: the model repository: its index, loading and unloading."""

import json

import peer_models
import peers
import pytest
from cases import case, triton_differs
from models import BATCHED, add, parameter
from serving import wait_until
from triton_client import integers, same
from tritonclient.utils import InferenceServerException

CONFIG = BATCHED + peer_models.INTEGERS


@pytest.fixture(scope="module")
def explicit(tmp_path_factory):
    """A server that loads what it is told to: of its models only "resident" from the start."""
    repository = tmp_path_factory.mktemp("explicit") / "models"
    repository.mkdir()
    for name in ("resident", "spare", "changing"):
        add(repository, name, CONFIG)
    add(repository, "two", CONFIG + "version_policy { all {} }", versions=(1, 2))
    add(repository, "broken", CONFIG + parameter("fail_load", "out of order"))
    running = peers.start(repository, "--model-control-mode=explicit", "--load-model=resident")
    running.repository = repository
    yield running
    running.stop()


@pytest.fixture
def client(explicit, connect):
    """A client of that server; afterwards all that a test loaded is unloaded."""
    connected = connect(explicit)
    yield connected
    loaded = [entry["name"] for entry in connected.told("get_model_repository_index") if entry.get("state") == "READY"]
    for name in set(loaded) - {"resident"}:
        connected.unload_model(name)


def state(client, name):
    """The entries of a model in the index: version -> state, and the reason where there is one."""
    entries = [entry for entry in client.told("get_model_repository_index") if entry["name"] == name]
    return {entry.get("version", ""): (entry.get("state", ""), entry.get("reason", "")) for entry in entries}


def config_json(**more):
    """A configuration for load_model."""
    tensor = {"data_type": "TYPE_INT32", "dims": [-1]}
    config = {"backend": peers.BACKEND, "max_batch_size": 8, "input": [{"name": "IN", **tensor}], "output": [{"name": "OUT", **tensor}]}
    return json.dumps({**config, **more})


# ---- the index ----


@case("CR01", "four clients", "get_model_repository_index", "every model of the repository, with the state of those that were loaded", does="get_model_repository_index")
def test_index(client):
    index = client.told("get_model_repository_index")
    names = [entry["name"] for entry in index]
    assert {"resident", "spare", "changing", "two", "broken"} <= set(names)
    assert state(client, "resident") == {"1": ("READY", "")}


@case("CR02", "four clients", "get_model_repository_index of a model with two versions", "an entry for each version")
def test_index_of_versions(client):
    client.load_model("two")
    assert state(client, "two") == {"1": ("READY", ""), "2": ("READY", "")}


@case("CR03", "four clients", "get_model_repository_index after unload_model", "UNAVAILABLE, unloaded")
def test_index_after_unload(client):
    client.load_model("spare")
    client.unload_model("spare")
    wait_until(lambda: state(client, "spare")["1"][0] != "UNLOADING")
    assert state(client, "spare") == {"1": ("UNAVAILABLE", "unloaded")}


@case("CR04", "four clients", "get_model_repository_index with a model that could not be loaded", "UNAVAILABLE with the reason")
def test_index_of_a_broken_model(client):
    with client.refused("INVALID_ARGUMENT"):
        client.load_model("broken")
    ((name, reason),) = state(client, "broken").values()
    assert name == "UNAVAILABLE" and "out of order" in reason


@case("CR05", "gRPC clients", "get_model_repository_index with as_json=True", "the JSON of the message")
def test_index_as_json(client):
    assert {"name": "resident", "version": "1", "state": "READY"} in client.get_model_repository_index(as_json=True)["models"]


# ---- loading ----


@case("CR10", "four clients", "load_model", "the model is ready and infers; the index says so", does="load_model")
def test_load(client):
    assert client.is_model_ready("spare") is False
    assert client.load_model("spare") is None
    assert client.is_model_ready("spare") is True
    assert same(client.infer_array("spare", integers(1)), integers(1))
    assert state(client, "spare") == {"1": ("READY", "")}


@case("CR11", "four clients", "load_model of a model that is loaded", "loaded anew, with what its file says now")
def test_reload(client, explicit):
    config = explicit.repository / "changing" / "config.pbtxt"
    client.load_model("changing")
    assert client.told("get_model_config", "changing")["max_batch_size"] == 8
    before = config.read_text()
    try:
        config.write_text(before.replace("max_batch_size: 8", "max_batch_size: 4"))
        client.load_model("changing")
        assert client.told("get_model_config", "changing")["max_batch_size"] == 4
        with client.refused("INVALID_ARGUMENT"):
            client.infer_array("changing", integers(*range(8)).reshape(8, 1))
    finally:
        config.write_text(before)


@case("CR12", "four clients", "load_model of a model that is not in the repository", "INTERNAL with its name", fails="load_model")
def test_load_unknown(client):
    with client.refused("INTERNAL", "nothing"):
        client.load_model("nothing")


@case("CR13", "four clients", "load_model of a model that cannot be loaded", "an error with the reason; the model is not ready")
def test_load_broken(client):
    with client.refused("INVALID_ARGUMENT", "broken", "out of order"):
        client.load_model("broken")
    assert client.is_model_ready("broken") is False


@case("CR14", "four clients", "load_model of a loaded model that cannot be loaded any more", "an error; the loaded one goes on")
def test_failing_reload(client, explicit):
    config = explicit.repository / "changing" / "config.pbtxt"
    client.load_model("changing")
    before = config.read_text()
    try:
        config.write_text(before + parameter("fail_load", "out of order"))
        with client.refused("INVALID_ARGUMENT", "changing", "out of order"):
            client.load_model("changing")
        assert client.is_model_ready("changing") is True
        assert same(client.infer_array("changing", integers(1)), integers(1))
    finally:
        config.write_text(before)


@case("CR15", "four clients", "load_model with a config", "it counts instead of the file's, until the model is unloaded")
def test_load_with_config(client):
    client.load_model("spare", config=config_json(max_batch_size=2))
    assert client.told("get_model_config", "spare")["max_batch_size"] == 2
    assert same(client.infer_array("spare", integers(1, 2).T.copy()), integers(1, 2).T)
    client.unload_model("spare")
    wait_unloaded(client, "spare")
    client.load_model("spare")
    assert client.told("get_model_config", "spare")["max_batch_size"] == 8


@case("CR25", "four clients", "load_model without a config of a model that was loaded with one", "loaded anew, with the file's")
@triton_differs("it stays as it is, since the file has not changed")
def test_load_without_config_again(client):
    client.load_model("spare", config=config_json(max_batch_size=2))
    client.load_model("spare")
    assert client.told("get_model_config", "spare")["max_batch_size"] == 8


@case("CR16", "four clients", "load_model with a config and files", "a model that the repository does not have, with the given version")
def test_load_with_files(client):
    client.load_model("given", config=config_json(), files={"file:7/model.py": peers.MODEL_PY.read_bytes()})
    assert client.told("get_model_metadata", "given")["versions"] == ["7"]
    assert same(client.infer_array("given", integers(1)), integers(1))


@case("CR17", "four clients", "load_model with files but no config", "INVALID_ARGUMENT")
@triton_differs("INTERNAL, without a reason")
def test_load_files_without_config(client):
    with client.refused("INVALID_ARGUMENT"):
        client.load_model("given", files={"file:1/model.py": b""})


@case("CR18", "four clients", "load_model with a config that is no JSON, no configuration, not this model's", "INVALID_ARGUMENT; a loaded model goes on")
@triton_differs("INTERNAL, without a reason")
@pytest.mark.parametrize("config", ["{", '{"max_batch_size": "many"}', '{"nothing": 1}', config_json(name="another")])
def test_load_bad_config(client, config):
    client.load_model("spare")
    with client.refused("INVALID_ARGUMENT"):
        client.load_model("spare", config=config)
    assert same(client.infer_array("spare", integers(1)), integers(1))


@case("CR19", "four clients", "load_model with files that lie outside of the model's folder", "an error, and no file there")
@pytest.mark.parametrize("path", ["file:../escaped", "file:1/../../escaped", "file:/escaped"])
def test_load_files_outside(client, explicit, path):
    with pytest.raises(InferenceServerException):
        client.load_model("given", config=config_json(), files={path: b"x"})
    assert not list(explicit.repository.parent.rglob("escaped"))


# ---- unloading ----


@case("CR20", "four clients", "unload_model", "the model is not ready any more; requests are refused", does="unload_model")
def test_unload(client):
    client.load_model("spare")
    assert client.unload_model("spare") is None
    wait_unloaded(client, "spare")
    assert client.is_model_ready("resident") is True
    with pytest.raises(InferenceServerException, match="spare"):
        client.infer_array("spare", integers(1))


@case("CR21", "four clients", "unload_model of a model that is not loaded, or not there", "done")
@pytest.mark.parametrize("name", ["spare", "nothing"])
def test_unload_unknown(client, name):
    assert client.unload_model(name) is None


@case("CR22", "four clients", "unload_model with unload_dependents", "done")
def test_unload_dependents(client):
    client.load_model("spare")
    client.unload_model("spare", unload_dependents=True)
    wait_unloaded(client, "spare")


@case("CR23", "four clients", "load_model and unload_model, again and again", "each time as the first")
def test_again_and_again(client):
    for _ in range(3):
        client.load_model("spare")
        assert same(client.infer_array("spare", integers(1)), integers(1))
        client.unload_model("spare")
        wait_unloaded(client, "spare")


@case("CR24", "four clients", "load_model, unload_model on a server whose models are fixed", "UNAVAILABLE", fails="unload_model")
@pytest.mark.parametrize("method", ["load_model", "unload_model"])
def test_fixed_models(peer, connect, method):
    fixed = connect(peer)
    with fixed.refused("UNAVAILABLE"):
        getattr(fixed, method)("plain")
    assert fixed.is_model_ready("plain") is True


def wait_unloaded(client, name):
    wait_until(lambda: not client.is_model_ready(name))

