"""tritonclient: the settings of the log, read and changed. A server of its own: they are the same for everybody."""

import re

import peer_models
import peers
import pytest
from cases import case, triton_differs
from models import BATCHED, add

SETTINGS = {"log_file", "log_info", "log_warning", "log_error", "log_verbose_level", "log_format"}
DEFAULTS = {"log_info": True, "log_warning": True, "log_error": True, "log_verbose_level": 0, "log_format": "default"}


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    repository = tmp_path_factory.mktemp("log") / "models"
    repository.mkdir()
    add(repository, "model", BATCHED + peer_models.INTEGERS)
    running = peers.start(repository)
    yield running
    running.stop()


@pytest.fixture
def client(settled, connect):
    """A client of that server; afterwards its settings are what they were."""
    connected = connect(settled)
    yield connected
    connected.update_log_settings(dict(DEFAULTS))



@case("CL01", "four clients", "get_log_settings", "every setting, with the types of the protocol", does="get_log_settings")
def test_log_settings(client):
    settings = client.told("get_log_settings")
    assert set(settings) == SETTINGS
    assert (settings["log_info"], settings["log_warning"], settings["log_error"]) == (True, True, True)
    assert (settings["log_verbose_level"], settings["log_format"]) == (0, "default")


@case("CL02", "four clients", "update_log_settings, one and several", "the new settings in the answer and later", does="update_log_settings")
@pytest.mark.parametrize("changes", [
    {"log_verbose_level": 1},
    {"log_warning": False},
    {"log_info": False, "log_error": False, "log_format": "ISO8601"},
])
def test_update_log(client, changes):
    before = client.told("get_log_settings")
    assert client.told("update_log_settings", dict(changes)) == {**before, **changes}
    assert client.told("get_log_settings") == {**before, **changes}


@case("CL03", "four clients", "update_log_settings with nothing", "the settings as they are")
def test_update_log_with_nothing(client):
    assert client.told("update_log_settings", {}) == client.told("get_log_settings")


@case("CL04", "four clients", "update_log_settings with an unknown format", "INVALID_ARGUMENT; nothing has changed", fails="update_log_settings")
@triton_differs("UNAVAILABLE", only="HTTP clients")
def test_unknown_log_format(client):
    check_refused_log(client, {"log_format": "fancy"})


@case("CL06", "HTTP clients", "update_log_settings with a value of another type", "INVALID_ARGUMENT; nothing has changed")
@triton_differs("an error of the server's (500), though the client's")
@pytest.mark.parametrize("changes", [{"log_info": "yes"}, {"log_verbose_level": "much"}, {"log_verbose_level": -1}, {"log_format": 1}])
def test_log_settings_of_wrong_types(client, changes):
    check_refused_log(client, changes)


@case("CL07", "four clients", "update_log_settings with a setting that does not exist", "it is ignored; the settings as they are")
def test_unknown_log_setting(client):
    assert client.told("update_log_settings", {"log_everything": True}) == client.told("get_log_settings")


def check_refused_log(client, changes):
    before = client.told("get_log_settings")
    with client.refused("INVALID_ARGUMENT"):
        client.update_log_settings(changes)
    assert client.told("get_log_settings") == before


@case("CL05", "four clients", "update_log_settings with log_file", "UNIMPLEMENTED: no client may choose where the server writes")
def test_log_file(client):
    with client.refused("UNIMPLEMENTED"):
        client.update_log_settings({"log_file": "elsewhere"})


@case("CL08", "gRPC clients", "get_log_settings with as_json=True", "the JSON of the message")
def test_as_json(client):
    assert client.get_log_settings(as_json=True)["settings"]["log_info"] == {"bool_param": True}


@case("AU32", "log", "the lines that are there once the server is ready", "level, time, thread, file and line, and the message in quotes, as Triton has it")
def test_lines(settled):
    lines = [line for line in settled.log.split("\n") if re.match(r"[IWEV]\d{4} ", line) and not line.endswith("] ")]  # Triton's tables
    assert any("istening" in line or "Started" in line for line in lines)
    for line in lines:
        assert re.match(r'[IWEV]\d{4} \d\d:\d\d:\d\d\.\d{6} \d+ \w+\.\w+:\d+\] "(?:[^"\\]|\\.)*"', line), line
