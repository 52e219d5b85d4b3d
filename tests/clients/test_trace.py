"""The trace extension and the flags: which inferences are traced, and what settings are refused."""

import asyncio
import json

import grpc
import models
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from cases import case
from serving import run
from tracing import change, settings
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException
from wire import get, grpc_call, grpc_error, request

OFF = {"trace_level": ["OFF"], "trace_rate": "1000", "trace_count": "-1", "log_frequency": "0", "trace_file": "", "trace_mode": "triton"}


# ---- settings ----


@case("TR01", "HTTP", "GET /v2/trace/setting, of the server and of a model", "Triton's names, defaults, order and kinds: all strings")
def test_defaults(start_tracing):
    server = start_tracing()
    assert settings(server) == settings(server, "m") == OFF
    assert list(settings(server)) == list(OFF)


@case("TR02", "gRPC", "TraceSetting without settings", "the same as lists of strings")
def test_defaults_over_grpc(start_tracing):
    server = start_tracing()
    answer = pb.TraceSettingResponse.FromString(grpc_call(server.grpc, "TraceSetting", pb.TraceSettingRequest(model_name="m")))
    assert {name: list(value.value) for name, value in answer.settings.items()} == {
        name: value if isinstance(value, list) else [value] for name, value in OFF.items()
    }


@case("TR03", "HTTP, gRPC", "the server's metadata", "names the extension trace")
def test_extension(server):
    assert "trace" in get(server.http, "/v2").json["extensions"]


@case("TR04", "HTTP", "tritonclient http: update and get, of the server and of a model", "a model's own settings win, others follow the server")
def test_triton_http(traced, trace_path):
    client = triton_http.InferenceServerClient(traced.http_url)
    new = client.update_trace_settings("m", {"trace_rate": "5", "trace_level": ["TENSORS"]})
    assert (new["trace_rate"], new["trace_level"], new["trace_file"]) == ("5", ["TENSORS"], str(trace_path))
    assert client.get_trace_settings("n")["trace_rate"] == client.get_trace_settings()["trace_rate"] == "1"
    new = client.update_trace_settings(settings={"trace_rate": "7", "trace_count": "9"})
    assert (new["trace_rate"], new["trace_count"]) == ("7", "9")
    assert client.get_trace_settings("m")["trace_rate"] == "5"
    assert client.get_trace_settings("m")["trace_count"] == "9"
    assert client.get_trace_settings("n")["trace_rate"] == "7"
    client.close()


@case("TR05", "HTTP", "tritonclient http: None for a model's own setting, and for the server's", "the model follows again; the server goes back to its start")
def test_clearing_over_http(traced):
    client = triton_http.InferenceServerClient(traced.http_url)
    client.update_trace_settings("m", {"trace_rate": "5", "trace_level": ["OFF"], "log_frequency": "3", "trace_count": "2"})
    cleared = client.update_trace_settings("m", {"trace_rate": None, "trace_level": None, "log_frequency": None})
    assert (cleared["trace_rate"], cleared["trace_level"], cleared["log_frequency"], cleared["trace_count"]) == ("1", ["TIMESTAMPS"], "0", "2")
    client.update_trace_settings(settings={"trace_rate": "8"})
    assert client.get_trace_settings("m")["trace_rate"] == "8"
    assert client.update_trace_settings(settings={"trace_rate": None})["trace_rate"] == "1"
    client.close()


@case("TR06", "gRPC", "tritonclient grpc: update, clear, get", "likewise; an empty list of values clears")
def test_triton_grpc(traced):
    client = triton_grpc.InferenceServerClient(traced.grpc_url)
    client.update_trace_settings("m", {"trace_rate": "5", "trace_level": ["TIMESTAMPS", "TENSORS"], "trace_count": "4"})
    answer = client.get_trace_settings("m", as_json=True)["settings"]
    assert answer["trace_rate"] == {"value": ["5"]} and answer["trace_level"] == {"value": ["TIMESTAMPS", "TENSORS"]}
    answer = client.update_trace_settings("m", {"trace_rate": None, "trace_level": None}, as_json=True)["settings"]
    assert answer["trace_rate"] == {"value": ["1"]} and answer["trace_level"] == {"value": ["TIMESTAMPS"]}
    assert answer["trace_count"] == {"value": ["4"]}
    client.close()


@case("TR07", "HTTP, gRPC", "both asyncio clients", "likewise")
def test_triton_aio(traced):
    async def talk():
        async with triton_http_aio.InferenceServerClient(traced.http_url) as client:
            assert (await client.update_trace_settings("m", {"trace_rate": "3"}))["trace_rate"] == "3"
        async with triton_grpc_aio.InferenceServerClient(traced.grpc_url) as client:
            await client.update_trace_settings(settings={"trace_rate": "2"})
            return await client.get_trace_settings("m", as_json=True), await client.get_trace_settings(as_json=True)

    mine, all_of = asyncio.run(talk())
    assert mine["settings"]["trace_rate"]["value"] == ["3"] and all_of["settings"]["trace_rate"]["value"] == ["2"]


WRONG = [
    {"trace_level": ["MAX"]},
    {"trace_level": ["OFF", "TIMESTAMPS"]},
    {"trace_level": [["TIMESTAMPS"]]},
    {"trace_level": {"a": 1}},
    {"trace_rate": "x"},
    {"trace_rate": "-1"},
    {"trace_rate": "4294967296"},
    {"trace_rate": "1.5"},
    {"trace_rate": ["1", "2"]},
    {"trace_rate": True},
    {"trace_rate": "0"},
    {"trace_count": "-2"},
    {"trace_count": "2147483648"},
    {"trace_count": ""},
    {"log_frequency": "-1"},
    {"log_frequency": 0.5},
]


@pytest.mark.parametrize("wrong", WRONG, ids=json.dumps)
@case("TR08", "HTTP", "a value of the wrong kind, out of range, or by which nothing could be traced", "400; nothing is changed, whatever else is asked for")
def test_wrong_values(traced, wrong):
    before = settings(traced)
    answer = change(traced, {"log_frequency": "5", "trace_count": "7", **wrong})
    assert answer.status == 400 and answer.error
    assert settings(traced) == before


@case("TR57", "HTTP", "a number that is written as no whole one", "400 that says what is taken: a string, a whole number")
def test_numbers_that_are_not_whole(traced):
    answer = change(traced, {"trace_rate": 1.0})
    assert (answer.status, answer.error) == (400, "trace_rate: expected a string, a whole number, an array of them or null, got 1.0")
    assert change(traced, {"trace_rate": 1}).status == 200


@case("TR09", "gRPC", "the same", "INVALID_ARGUMENT")
def test_wrong_grpc_values(traced):
    for name, values in [("trace_level", ["OFF", "TENSORS"]), ("trace_rate", ["1", "2"]), ("trace_count", ["-2"]), ("log_frequency", ["x"])]:
        message = pb.TraceSettingRequest()
        message.settings[name].value.extend(values)
        code, text = grpc_error(traced.grpc, "TraceSetting", message)
        assert code == grpc.StatusCode.INVALID_ARGUMENT, text


@case("TR10", "HTTP, gRPC", "trace_file and trace_mode in an update", "501, UNIMPLEMENTED, with Triton's text: not over the network")
def test_file_and_mode_are_read_only(traced):
    text = "trace file location can not be updated through network protocol"
    for value in ("/tmp/x", None, ""):
        answer = change(traced, {"trace_file": value, "trace_rate": "9"})
        assert (answer.status, answer.error) == (501, text)
    for value in ("opentelemetry", ["triton", "triton"], [""], "Triton"):
        assert change(traced, {"trace_mode": value}).status == 501
    with triton_grpc.InferenceServerClient(traced.grpc_url) as client:
        with pytest.raises(InferenceServerException) as raised:
            client.update_trace_settings(settings={"trace_file": "x"})
    assert (raised.value.status(), raised.value.message()) == ("StatusCode.UNIMPLEMENTED", text)
    assert settings(traced)["trace_rate"] == "1"


@case("TR58", "HTTP, gRPC", "trace_mode in an update: the mode as it is, or no value", "200, OK: it stays")
def test_the_mode_as_it_is(traced):
    for value in ("triton", ["triton"], None, []):
        answer = change(traced, {"trace_mode": value, "trace_rate": "1"})
        assert (answer.status, answer.json) == (200, settings(traced))
    with triton_grpc.InferenceServerClient(traced.grpc_url) as client:
        told = client.update_trace_settings(settings={"trace_mode": "triton", "trace_rate": "1"}, as_json=True)
    assert told["settings"]["trace_mode"]["value"] == ["triton"]


@case("TR11", "HTTP", "unknown keys, an empty object, an empty body", "200: nothing is changed")
def test_nothing_to_change(traced):
    before = settings(traced)
    for body in ({}, {"other": [[{}]], "trace_speed": 1}, b"", b" "):
        answer = change(traced, body)
        assert answer.status == 200 and answer.json == before
    assert change(traced, {"other": 1}, "m").json == before


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b'"x"', b"\xff", b"{}x", b"[" * 100000])
@case("TR12", "HTTP", "a body that is no object", "400")
def test_no_object(traced, body):
    assert change(traced, body).status == 400


@case("TR13", "HTTP, gRPC", "settings of a model that is not there", "404, NOT_FOUND")
def test_unknown_model(traced):
    assert get(traced.http, "/v2/models/none/trace/setting").status == 404
    assert change(traced, {"trace_rate": "2"}, "none").status == 404
    code, _ = grpc_error(traced.grpc, "TraceSetting", pb.TraceSettingRequest(model_name="none"))
    assert code == grpc.StatusCode.NOT_FOUND


@case("TR14", "HTTP", "a path with /versions/; another method; the metrics port", "404; 405 with Allow; 404")
def test_other_paths(traced):
    assert get(traced.http, "/v2/models/m/versions/1/trace/setting").status == 404
    assert request(traced.http, "POST", "/v2/models/m/versions/1/trace/setting", b"{}").status == 404
    answer = request(traced.http, "DELETE", "/v2/trace/setting")
    assert answer.status == 405 and answer.headers["allow"] == "GET, POST"
    assert get(traced.metrics, "/v2/trace/setting").status == 404


@case("TR15", "HTTP", "numbers in place of strings, one level as a string", "taken too")
def test_kinder_than_triton(traced):
    answer = change(traced, {"trace_rate": 12, "trace_count": -1, "trace_level": "TENSORS"})
    assert answer.status == 200
    assert (answer.json["trace_rate"], answer.json["trace_level"]) == ("12", ["TENSORS"])


@case("TR16", "HTTP", "a server that was started without a file, then level TIMESTAMPS", "400: the flag that is missing; OFF is good")
def test_no_file(start_tracing):
    server = start_tracing()
    answer = change(server, {"trace_level": ["TIMESTAMPS"]})
    assert answer.status == 400 and "--trace-config=triton,file=" in answer.error
    assert change(server, {"trace_level": ["OFF"], "trace_rate": "0"}).status == 200


# ---- flags ----


@pytest.mark.parametrize(
    "settings_given, part",
    [
        (["level=MAX"], "level: expected OFF, TIMESTAMPS or TENSORS"),
        (["speed=1"], "unknown setting 'speed'"),
        (["rate=x"], "rate: expected a whole number"),
        (["level=TIMESTAMPS"], "trace file name is not given"),
        (["level=TIMESTAMPS", "triton,file=x", "rate=0"], "sample rate must be non-zero"),
        (["level=TENSORS", "mode=opentelemetry"], "triton mode only"),
        (["opentelemetry,url=https://x:1"], "there is no TLS to collectors"),
        (["opentelemetry,bsp_max_queue_size=5"], "bsp_max_export_batch_size: expected at most"),
    ],
    ids=lambda value: value if isinstance(value, str) else ";".join(value),
)
@case("TR36", "flag", "--trace-config that is wrong, or by which nothing could be traced", "exit code 2, and why")
def test_wrong_flags(settings_given, part, repository):
    ended = run("serve", "--model-repository", str(repository), *[f"--trace-config={setting}" for setting in settings_given])
    assert ended.returncode == 2 and "--trace-config: " in ended.stderr and part in ended.stderr


@pytest.mark.parametrize("flag", ["--trace-file=x", "--trace-level=OFF", "--trace-rate=1", "--trace-count=1", "--trace-log-frequency=1", "--log-frequency=1"])
@case("TR37", "flag", "Triton's old flags of traces", "exit code 2, with what to say in their place")
def test_old_flags(flag, repository):
    ended = run("serve", "--model-repository", str(repository), flag)
    assert ended.returncode == 2 and "use --trace-config=" in ended.stderr


@case("TR38", "environment", "INFERD_TRACE_CONFIG with ';' between", "as the flags")
def test_environment(start, repository, trace_path):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    config = f"level=TIMESTAMPS;rate=1;triton,file={trace_path};opentelemetry,url=http://a:1/b"
    server = start(repository, environment={"INFERD_TRACE_CONFIG": config})
    assert settings(server)["trace_rate"] == "1" and settings(server)["trace_file"] == str(trace_path)
