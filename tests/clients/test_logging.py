"""The log: its three forms, what it tells of requests, and the logging extension that changes it while the server runs."""

import asyncio
import json
import re

import grpc
import models
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from cases import case
from serving import Server, run, wait_until
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException
from wire import Socket, get, grpc_call, grpc_error, grpc_infer, infer_input, infer_message, post_infer, request

DEFAULTS = {
    "log_file": "",
    "log_info": True,
    "log_warning": True,
    "log_error": True,
    "log_verbose_level": 0,
    "log_format": "default",
}
GOOD = {"inputs": [infer_input([1, 2])]}


@pytest.fixture
def running(start, repository):
    """A server of the test's own, for settings last until its end."""
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    models.add(repository, "bad", models.BATCHED + models.pair("INT32", "-1") + models.parameter("fail_executions", "every_n:1"))
    return start(repository)


def settings(server):
    answer = get(server.http, "/v2/logging")
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    return answer.json


def change(server, body):
    return request(server.http, "POST", "/v2/logging", body if isinstance(body, (bytes, str)) else json.dumps(body))


def lines(server, word):
    """The log's lines with a word in them; waits for the first."""
    server.wait_for(re.escape(word))
    return [line for line in server.log.split("\n") if word in line]


def last(server, word):
    return lines(server, word)[-1]


def fields(line):
    """The fields of a line of the default form, as a dict."""
    found = re.findall(r' ([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "]+)', line)
    return {name: value[1:-1] if value.startswith('"') else value for name, value in found}


# ---- the extension ----


@case("LG01", "HTTP", "GET /v2/logging", "all six settings with Triton's names, kinds and defaults, in its order")
def test_defaults_over_http(running):
    assert settings(running) == DEFAULTS
    assert list(settings(running)) == list(DEFAULTS)


@case("LG02", "gRPC", "LogSettings without settings", "the same as typed values")
def test_defaults_over_grpc(running):
    answer = pb.LogSettingsResponse.FromString(grpc_call(running.grpc, "LogSettings", pb.LogSettingsRequest()))
    kinds = {name: value.WhichOneof("parameter_choice") for name, value in answer.settings.items()}
    assert kinds == {
        "log_file": "string_param",
        "log_info": "bool_param",
        "log_warning": "bool_param",
        "log_error": "bool_param",
        "log_verbose_level": "uint32_param",
        "log_format": "string_param",
    }
    assert {name: getattr(value, kinds[name]) for name, value in answer.settings.items()} == DEFAULTS


@case("LG03", "HTTP", "tritonclient http: update_log_settings, get_log_settings", "changed, and the same for other clients; the others stay")
def test_triton_http(running):
    client = triton_http.InferenceServerClient(running.http_url)
    new = {"log_info": False, "log_verbose_level": 7, "log_format": "ISO8601"}
    assert client.update_log_settings(new) == {**DEFAULTS, **new}
    assert client.get_log_settings() == settings(running) == {**DEFAULTS, **new}
    client.close()


@case("LG04", "gRPC", "tritonclient grpc: update_log_settings, get_log_settings", "likewise")
def test_triton_grpc(running):
    client = triton_grpc.InferenceServerClient(running.grpc_url)
    client.update_log_settings({"log_warning": False, "log_error": False, "log_verbose_level": 1, "log_format": "json"})
    answer = client.get_log_settings(as_json=True)["settings"]
    assert answer["log_warning"] == {"bool_param": False}
    assert answer["log_verbose_level"] == {"uint32_param": 1}
    assert answer["log_format"] == {"string_param": "json"}
    assert settings(running) == {**DEFAULTS, "log_warning": False, "log_error": False, "log_verbose_level": 1, "log_format": "json"}
    client.close()


@case("LG05", "HTTP, gRPC", "both asyncio clients", "likewise")
def test_triton_aio(running):
    async def talk():
        async with triton_http_aio.InferenceServerClient(running.http_url) as client:
            assert (await client.update_log_settings({"log_verbose_level": 2}))["log_verbose_level"] == 2
        async with triton_grpc_aio.InferenceServerClient(running.grpc_url) as client:
            await client.update_log_settings({"log_info": False})
            return await client.get_log_settings(as_json=True)

    answer = asyncio.run(talk())["settings"]
    assert answer["log_verbose_level"] == {"uint32_param": 2} and answer["log_info"] == {"bool_param": False}


WRONG = [
    {"log_info": "true"},
    {"log_info": 1},
    {"log_warning": []},
    {"log_error": {"a": 1}},
    {"log_verbose_level": True},
    {"log_verbose_level": -1},
    {"log_verbose_level": 1.5},
    {"log_verbose_level": 2**31},
    {"log_verbose_level": 2**32},
    {"log_verbose_level": 10**30},
    {"log_verbose_level": "1"},
    {"log_format": "JSON"},
    {"log_format": ""},
    {"log_format": 1},
]


@pytest.mark.parametrize("wrong", WRONG, ids=json.dumps)
@case("LG06", "HTTP", "a value of the wrong kind or out of range", "400 with the name and what was expected; nothing is changed, whatever else is asked for")
def test_wrong_values(running, wrong):
    answer = change(running, {"log_info": False, "log_verbose_level": 3, **wrong, "log_warning": wrong.get("log_warning", False)})
    (name,) = wrong
    assert answer.status == 400 and answer.error.startswith(f"{name}: expected ")
    assert settings(running) == DEFAULTS


@case("LG07", "gRPC", "values of the wrong kind, and none", "INVALID_ARGUMENT with the name; nothing is changed")
def test_wrong_grpc_values(running):
    value = pb.LogSettingsRequest.SettingValue
    for name, wrong in [
        ("log_info", value(uint32_param=1)),
        ("log_warning", value(string_param="true")),
        ("log_error", value()),
        ("log_verbose_level", value(bool_param=True)),
        ("log_verbose_level", value(uint32_param=2**31)),
        ("log_format", value(bool_param=True)),
        ("log_format", value(string_param="xml")),
    ]:
        message = pb.LogSettingsRequest(settings={"log_info": value(bool_param=False)})
        message.settings[name].CopyFrom(wrong)
        code, text = grpc_error(running.grpc, "LogSettings", message)
        assert code == grpc.StatusCode.INVALID_ARGUMENT and text.startswith(f"{name}: expected "), text
    assert settings(running) == DEFAULTS


@case("LG08", "HTTP, gRPC", "log_file", "501, UNIMPLEMENTED with Triton's text: not over the network; null is nothing")
def test_log_file_is_read_only(running):
    answer = change(running, {"log_file": "/tmp/x", "log_info": False})
    text = "log file location can not be updated through network protocol"
    assert (answer.status, answer.error) == (501, text)
    with triton_grpc.InferenceServerClient(running.grpc_url) as client:
        with pytest.raises(InferenceServerException) as raised:
            client.update_log_settings({"log_file": "/tmp/x"})
    assert raised.value.status() == "StatusCode.UNIMPLEMENTED" and raised.value.message() == text
    assert change(running, {"log_file": None}).status == 200
    assert settings(running) == DEFAULTS


@case("LG09", "HTTP", "members that are null or no settings, an empty object, an empty body", "200: nothing is changed")
def test_nothing_to_change(running):
    for body in ({}, {"log_info": None, "log_format": None}, {"other": 1, "": [[{}]]}, b"", b" \n"):
        answer = change(running, body)
        assert answer.status == 200 and answer.json == DEFAULTS, body


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"null", b'"x"', b"{}{}", b"{'a':1}", b"\xff", b"[" * 100000])
@case("LG10", "HTTP", "a body that is no object", "400; nothing is changed")
def test_no_object(running, body):
    assert change(running, body).status == 400
    assert settings(running) == DEFAULTS


@case("LG11", "HTTP", "another method", "405 with Allow: GET, POST")
def test_method(running):
    answer = request(running.http, "PUT", "/v2/logging", b"{}")
    assert answer.status == 405 and answer.headers["allow"] == "GET, POST"


@case("LG12", "HTTP, gRPC", "the server's metadata", "names the extension logging")
def test_extension(running):
    assert "logging" in get(running.http, "/v2").json["extensions"]
    answer = pb.ServerMetadataResponse.FromString(grpc_call(running.grpc, "ServerMetadata", pb.ServerMetadataRequest()))
    assert "logging" in answer.extensions


@case("LG13", "HTTP", "the metrics port", "404: it serves /metrics only")
def test_not_on_the_metrics_port(running):
    assert get(running.metrics, "/v2/logging").status == 404


# ---- what requests leave in the log ----


@case("LG14", "HTTP", "log_verbose_level 1 and an inference with an id", "one line at its end: client, method, path, status, bytes, duration, id, model")
def test_a_line_for_a_request(running):
    assert change(running, {"log_verbose_level": 1}).status == 200
    answer = post_infer(running.http, "m", {**GOOD, "id": "id-1"})
    told = fields(last(running, "request_id=id-1"))
    assert re.fullmatch(r"127\.0\.0\.1:\d+", told["client"])
    assert int(told["duration_us"]) > 0
    del told["client"], told["duration_us"]
    assert told == {
        "protocol": "HTTP/1.1",
        "method": "POST",
        "path": "/v2/models/m/infer",
        "status": "200",
        "bytes": str(len(answer.body)),
        "request_id": "id-1",
        "model": "m",
    }
    assert len(lines(running, "request_id=id-1")) == 1


@case("LG15", "gRPC", "the same over gRPC, good and refused", "protocol gRPC and the status of gRPC")
def test_a_line_for_a_grpc_call(running):
    change(running, {"log_verbose_level": 1})
    grpc_infer(running.grpc, infer_message("m", ("IN", "INT32", [1, 1], bytes(4)), id="g1"))
    told = fields(last(running, "request_id=g1"))
    assert (told["protocol"], told["status"], told["model"]) == ("gRPC", "0", "m")
    assert told["path"] == "/inference.GRPCInferenceService/ModelInfer"
    grpc_error(running.grpc, "ModelInfer", infer_message("none", ("IN", "INT32", [1, 1], bytes(4)), id="g2"))
    running.wait_for("status=5 .*request_id=g2")
    grpc_error(running.grpc, "/inference.GRPCInferenceService/None", b"")
    assert fields(last(running, "GRPCInferenceService/None"))["status"] == "12"


@case("LG16", "HTTP", "other calls, unknown paths", "lines too, without an id")
def test_other_calls(running):
    change(running, {"log_verbose_level": 1})
    assert get(running.http, "/v2/models/m").status == 200
    assert get(running.http, "/nowhere").status == 404
    told = fields(last(running, "/nowhere"))
    assert (told["method"], told["status"]) == ("GET", "404") and "request_id" not in told
    assert fields(last(running, "path=/v2/models/m "))["status"] == "200"


@case("LG17", "HTTP", "log_verbose_level 0", "no line for a request")
def test_no_line(running):
    assert post_infer(running.http, "m", {**GOOD, "id": "quiet"}).status == 200
    change(running, {"log_verbose_level": 1})
    assert post_infer(running.http, "m", {**GOOD, "id": "loud"}).status == 200
    lines(running, "request_id=loud")
    assert "quiet" not in running.log


@case("LG18", "HTTP", "a refused inference, at level 1", "a line that tells why, with id and model")
def test_why_it_was_refused(running):
    change(running, {"log_verbose_level": 1})
    answer = post_infer(running.http, "m", {"id": "r1", "inputs": [infer_input([1], name="NO")]})
    assert answer.status == 400
    line = last(running, "inference failed")
    told = fields(line)
    assert answer.error in line and (told["request_id"], told["model"]) == ("r1", "m")
    assert " I" not in line[:2] and line.startswith("V")


@case("LG19", "HTTP, gRPC", "an inference that the engine fails, at level 0", "a warning with id, model and reason")
def test_engine_failures_are_warnings(running):
    answer = post_infer(running.http, "bad", {**GOOD, "id": "w1"})
    assert answer.status == 500
    line = last(running, "request_id=w1")
    assert line.startswith("W") and "fail_executions" in line and fields(line)["model"] == "bad"
    grpc_error(running.grpc, "ModelInfer", infer_message("bad", ("IN", "INT32", [1, 1], bytes(4)), id="w2"))
    running.wait_for("^W.*request_id=w2")


@case("LG20", "HTTP", "hundreds of failing inferences", "at most 20 warnings a second; how many were left out is told later")
def test_a_flood_of_failures(running):
    def told():
        for i in range(100):
            assert post_infer(running.http, "bad", {**GOOD, "id": f"f{i}"}).status == 500
        return "warnings about failed inferences were left out" in running.log

    wait_until(told)
    seconds = [line.split(".")[0] for line in lines(running, "inference failed")]
    assert max(seconds.count(second) for second in seconds) <= 40  # the server's seconds begin at another moment


HOSTILE = ['a"b', "a\nI1122 20:03:25.829575 1 x.c:1] forged", "\x1b[2J", "a\\b", "a=b c", "\x00nul", "\u0085\u009b31m", "日本", "x" * 5000, "\x7f\t"]


@pytest.mark.parametrize("identity", HOSTILE, ids=lambda text: ascii(text[:12]))
@case("LG21", "HTTP", "hostile request ids, default form", "one line, printable, that a reader of name=value takes apart")
def test_hostile_ids(running, identity):
    change(running, {"log_verbose_level": 1})
    assert post_infer(running.http, "m", {**GOOD, "id": identity}).status == 200
    line = last(running, "path=/v2/models/m/infer")
    assert line.isprintable() and line.startswith("V") and len(line) < 4096
    told = fields(line)
    assert told["status"] == "200" and told["model"] == "m"
    plain = re.sub(rb'\\(?:x(..)|(["\\]))', lambda m: bytes.fromhex(m[1].decode()) if m[1] else m[2], told["request_id"].encode())
    assert plain == identity.encode() if len(identity) < 150 else identity.encode().startswith(plain.removesuffix(b"..."))


@pytest.mark.parametrize("identity", HOSTILE, ids=lambda text: ascii(text[:12]))
@case("LG22", "HTTP", "hostile request ids, JSON lines", "one JSON object a line, with the id as it was sent (long ones cut)")
def test_hostile_ids_in_json(running, identity):
    change(running, {"log_verbose_level": 1, "log_format": "json"})
    assert post_infer(running.http, "m", {**GOOD, "id": identity}).status == 200
    told = json.loads(last(running, '"path":"/v2/models/m/infer"'))
    assert told["request_id"] == identity if len(identity) < 150 else identity.startswith(told["request_id"].removesuffix("..."))


@case("LG23", "flag", "--log-format=json --log-verbose=1", "every line is an object with time, level, thread, file, line, message; numbers are numbers")
def test_json_lines(start, repository):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    running = start(repository, "--log-format=json", "--log-verbose=1")
    assert settings(running)["log_format"] == "json"
    assert post_infer(running.http, "m", {**GOOD, "id": "j"}).status == 200
    lines(running, '"request_id":"j"')
    running.stop()
    objects = [json.loads(line) for line in running.log.split("\n") if line]
    for told in objects:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", told["time"])
        assert told["level"] in ("error", "warning", "info", "verbose")
        assert told["file"].endswith(".c") and isinstance(told["line"], int) and isinstance(told["thread"], int)
        assert told["message"]
    (mine,) = [told for told in objects if told.get("request_id") == "j"]
    assert (mine["status"], mine["model"], mine["level"]) == (200, "m", "verbose") and isinstance(mine["duration_us"], int)


@case("LG24", "HTTP", "log_format changed while the server runs", "the next lines have the new form, ISO8601 as Triton's")
def test_formats_change(running):
    change(running, {"log_verbose_level": 1, "log_format": "ISO8601"})
    get(running.http, "/iso")
    assert re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ V \d+ call_log\.c:\d+\] "request answered" ', last(running, "/iso"))
    change(running, {"log_format": "json"})
    get(running.http, "/json")
    assert json.loads(last(running, "/json"))["path"] == "/json"
    change(running, {"log_format": "default"})
    get(running.http, "/default")
    assert re.match(r'V\d{4} \d\d:\d\d:\d\d\.\d{6} \d+ call_log\.c:\d+\] "request answered" ', last(running, "/default"))


@case("LG25", "flag", "--log-file", "lines are appended there, none on stderr; the settings name it")
def test_log_file(tmp_path, repository):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    path = tmp_path / "a log.txt"
    path.write_text("what was there\n")
    running = Server(repository, f"--log-file={path}", wait=False)
    try:
        wait_until(lambda: "server ready in" in path.read_text())
        port = int(re.search(r'HTTP listening on \S*:(\d+)"$', path.read_text(), re.M).group(1))
        assert get(port, "/v2/logging").json["log_file"] == str(path)
        running.stop()
    finally:
        running.kill()
    text = path.read_text()
    assert text.startswith("what was there\n") and "stopped" in text
    assert running.log.strip() == ""


@case("LG26", "flag", "--log-file in a folder that does not exist", "exit code 1, and why")
def test_log_file_cannot_be_opened(repository, tmp_path):
    ended = run("serve", "--model-repository", str(repository), f"--log-file={tmp_path}/none/x")
    assert ended.returncode == 1 and "cannot open --log-file" in ended.stderr and "No such file" in ended.stderr


@case("LG27", "HTTP", "a client that resets its connection in the middle of an inference", "a line: broken off, status 0")
def test_broken_off(start, repository):
    models.add(repository, "slow", models.PLAIN + models.pair("INT32", "1") + models.parameter("execute_delay_ms", "5000"))
    running = start(repository, "--log-verbose=1", "--http-thread-count=1")
    body = json.dumps({"id": "gone", "inputs": [infer_input([1], shape=[1])]}).encode()
    with Socket(running.http) as connection:
        connection.send(b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert get(running.http, "/v2").status == 200  # the only loop has taken the bytes before
        connection.abort()
    line = running.wait_for(r"request broken off.*request_id=gone.*").group(0)
    assert "status=0" in line and "bytes=0" in line


@case("LG28", "HTTP", "log_info, log_warning, log_error false", "no more lines of that kind")
def test_kinds_are_switched_off(running):
    change(running, {"log_warning": False})
    assert post_infer(running.http, "bad", {**GOOD, "id": "silent"}).status == 500
    change(running, {"log_warning": True})
    assert post_infer(running.http, "bad", {**GOOD, "id": "heard"}).status == 500
    lines(running, "request_id=heard")
    assert "silent" not in running.log
    change(running, {"log_info": False})
    running.stop()
    assert "stopped" not in running.log
