"""tritonclient: the settings of the traces, read and changed. A server of its own: they are the same for everybody."""

import peer_models
import peers
import pytest
from cases import case, triton_differs
from models import BATCHED, add


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    repository = tmp_path_factory.mktemp("trace") / "models"
    repository.mkdir()
    add(repository, "model", BATCHED + peer_models.INTEGERS)
    add(repository, "other", BATCHED + peer_models.INTEGERS)
    trace_file = repository.with_name("trace.json")
    running = peers.start(repository, f"--trace-config=triton,file={trace_file}")
    running.trace_file = str(trace_file)
    yield running
    running.stop()


@pytest.fixture
def client(settled, connect):
    """A client of that server; afterwards its settings are what they were."""
    connected = connect(settled)
    yield connected
    connected.update_trace_settings("model", dict.fromkeys(["trace_level", "trace_rate", "trace_count", "log_frequency"]))
    connected.update_trace_settings(settings={"trace_level": ["OFF"], "trace_rate": "1000", "trace_count": "-1", "log_frequency": "0"})



@case("CT01", "four clients", "get_trace_settings", "every setting, off from the start", does="get_trace_settings")
def test_trace_settings(client, settled):
    assert client.told("get_trace_settings") == {
        "trace_level": ["OFF"],
        "trace_rate": "1000",
        "trace_count": "-1",
        "log_frequency": "0",
        "trace_file": settled.trace_file,
        "trace_mode": "triton",
    }


@case("CT02", "four clients", "update_trace_settings of all models", "the new settings in the answer, later, and of each model", does="update_trace_settings")
def test_update_trace(client):
    changes = {"trace_level": ["TIMESTAMPS", "TENSORS"], "trace_rate": "5", "trace_count": "7", "log_frequency": "3"}
    answer = client.told("update_trace_settings", settings=dict(changes))
    assert {key: answer[key] for key in changes} == changes
    assert client.told("get_trace_settings") == answer
    assert client.told("get_trace_settings", "model") == answer


@case("CT03", "four clients", "update_trace_settings of one model", "its own; the other's and the common ones stay")
def test_update_trace_of_a_model(client):
    common = client.told("get_trace_settings")
    answer = client.told("update_trace_settings", "model", {"trace_level": ["TIMESTAMPS"], "trace_rate": "2"})
    assert answer == {**common, "trace_level": ["TIMESTAMPS"], "trace_rate": "2"}
    assert client.told("get_trace_settings", "model") == answer
    assert client.told("get_trace_settings") == client.told("get_trace_settings", "other") == common


@case("CT04", "four clients", "update_trace_settings of one model with None", "the common setting counts again")
def test_clear_trace(client):
    common = client.told("get_trace_settings")
    client.update_trace_settings("model", {"trace_rate": "2"})
    assert client.told("update_trace_settings", "model", {"trace_rate": None}) == common
    assert client.told("update_trace_settings", settings={"trace_rate": "9"})["trace_rate"] == "9"
    assert client.told("get_trace_settings", "model")["trace_rate"] == "9"


@case("CT05", "four clients", "update_trace_settings with OFF beside another level, with a rate, count or frequency that is no number",
      "INVALID_ARGUMENT; nothing has changed", fails="update_trace_settings")
@pytest.mark.parametrize("changes", [
    {"trace_level": ["OFF", "TENSORS"]}, {"trace_rate": "often"}, {"trace_count": "-2"}, {"trace_count": ""}, {"log_frequency": "x"},
])
def test_bad_trace_settings(client, changes):
    check_refused_trace(client, changes)


@case("CT09", "four clients", "update_trace_settings with an unknown level, with a negative rate", "INVALID_ARGUMENT; nothing has changed")
@triton_differs("taken without a word")
@pytest.mark.parametrize("changes", [{"trace_level": ["LOUD"]}, {"trace_rate": "-1"}])
def test_trace_settings_that_mean_nothing(client, changes):
    check_refused_trace(client, changes)


def check_refused_trace(client, changes):
    before = client.told("get_trace_settings")
    with client.refused("INVALID_ARGUMENT"):
        client.update_trace_settings(settings=changes)
    assert client.told("get_trace_settings") == before


@case("CT06", "four clients", "update_trace_settings with trace_file", "UNIMPLEMENTED: no client may choose where the server writes")
def test_trace_file(client):
    with client.refused("UNIMPLEMENTED"):
        client.update_trace_settings(settings={"trace_file": "elsewhere"})


@case("CT07", "four clients", "get_trace_settings, update_trace_settings of an unknown model", "NOT_FOUND", fails="get_trace_settings")
@triton_differs("INVALID_ARGUMENT; Triton's later versions have NOT_FOUND")
@pytest.mark.parametrize("arguments", [["get_trace_settings", "nothing"], ["update_trace_settings", "nothing", {"trace_rate": "1"}]])
def test_trace_of_an_unknown_model(client, arguments):
    with client.refused("NOT_FOUND", "nothing"):
        getattr(client, arguments[0])(*arguments[1:])


@case("CT08", "gRPC clients", "get_trace_settings with as_json=True", "the JSON of the message")
def test_as_json(client):
    assert client.get_trace_settings(as_json=True)["settings"]["trace_level"] == {"value": ["OFF"]}
