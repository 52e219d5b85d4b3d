"""Loads that bring a configuration or files of their own."""

import json

import grpc
import pytest
import repository as rp
from cases import case
from repository import EXPLICIT, config_json, infer, refused, rows_of
from tritonclient.grpc import service_pb2 as pb
from wire import get, grpc_error, request


# ---- configurations that come with a load ----


@case("RP40", "HTTP, gRPC", "a load with a config", "it stands in for that of the folder, until the next load without one")
def test_config(calls, controlled):
    calls.load("spare", config=config_json(max_batch_size=2))
    assert get(controlled.http, "/v2/models/spare/config").json["max_batch_size"] == 2
    calls.load("spare")
    assert get(controlled.http, "/v2/models/spare/config").json["max_batch_size"] == 8


@case("RP41", "HTTP, gRPC", "a load with the config that the server itself tells, changed in one place", "the change, and nothing else")
def test_config_there_and_back(calls, controlled):
    calls.load("spare")
    config = get(controlled.http, "/v2/models/spare/config").json
    config["max_batch_size"] = 5
    calls.load("spare", config=json.dumps(config))
    assert get(controlled.http, "/v2/models/spare/config").json == config


@case("RP42", "HTTP, gRPC", "loads with configs that are wrong, of each kind in the test's table", "400 with the reason; what is loaded goes on")
@pytest.mark.parametrize(
    "config,part",
    [
        ("", ""),
        ("{", ""),
        ("[]", ""),
        ("null", ""),
        ('{"max_bach_size":1}', "max_batch_size"),
        (config_json(max_batch_size="many"), "max_batch_size"),
        (config_json(max_batch_size=-1), "max_batch_size"),
        (config_json(max_batch_size=1 << 40), "max_batch_size"),
        (config_json(name="another"), "the config is named 'another'"),
        (config_json(backend="nothing"), "there is no engine 'nothing'"),
        (config_json(backend="../identity"), "cannot be the name of a backend"),
        (config_json(input=[]), "must specify at least one input"),
        (config_json(version_policy={"specific": {"versions": [9]}}), "no folder"),
        (config_json(parameters={"fail_load": {"string_value": "out of order"}}), "out of order"),
        ('{"a":' * 200 + "1" + "}" * 200, ""),
    ],
)
def test_wrong_config(calls, controlled, config, part):
    calls.load("spare")
    with refused(400, "load failed for model 'spare'", part):
        calls.load("spare", config=config)
    assert infer(controlled, "spare", 3) == (200, [3])


@case("RP43", "gRPC", "load parameters of the wrong kind", "INVALID_ARGUMENT with what was expected")
@pytest.mark.parametrize(
    "key,kind,value,part",
    [
        ("config", "bytes_param", b"{}", "parameter 'config': expected a string"),
        ("config", "bool_param", False, "parameter 'config': expected a string"),
        ("config", "int64_param", 0, "parameter 'config': expected a string"),
        ("file:1/x", "string_param", "", "parameter 'file:1/x': expected bytes"),
        ("file:1/x", "int64_param", 5, "parameter 'file:1/x': expected bytes"),
        ("files:1/x", "bytes_param", b"", "unknown parameter 'files:1/x'"),
        ("", "string_param", "", "unknown parameter ''"),
    ],
)
def test_wrong_kinds_grpc(controlled, key, kind, value, part):
    message = pb.RepositoryModelLoadRequest(model_name="spare")
    setattr(message.parameters[key], kind, value)
    code, text = grpc_error(controlled.grpc, "RepositoryModelLoad", message)
    assert code == grpc.StatusCode.INVALID_ARGUMENT and part in text


@case("RP44", "HTTP", "load bodies that are wrong, of each kind in the test's table", "400 with the member, what was expected and got")
@pytest.mark.parametrize(
    "body,part",
    [
        (b"{", "not JSON"),
        (b"\x00", "not JSON"),
        (b'"config"', "request: expected an object"),
        (b'{"parameters":[]}', "parameters: expected an object"),
        (b'{"parameters":null}', "parameters: expected an object, got null"),
        (b'{"parameters":{},"parameters":{}}', "twice"),
        (b'{"parameters":{"config":null}}', "parameters.config: expected a string"),
        (b'{"parameters":{"config":{}}}', "parameters.config: expected a string"),
        (b'{"parameters":{"config":5}}', "parameters.config: expected a string"),
        (b'{"parameters":{"config":true}}', "parameter 'config': expected a string"),
        (b'{"parameters":{"config":"{}","config":"{}"}}', "twice"),
        (b'{"parameters":{"confg":"{}"}}', "unknown parameter 'confg'"),
        (b'{"parameters":{"unload_dependents":true}}', "unknown parameter 'unload_dependents'"),
        (b'{"parameters":{"file:1/x":"!"}}', "parameters.file:1/x"),
        (b'{"parameters":{"file:1/x":"QQ=Q"}}', "parameters.file:1/x"),
        (b'{"parameters":{"file:1/x":1}}', "parameters.file:1/x: expected a string"),
        (b'{"parameters":{"config":"{}","file:1/x":false}}', "parameter 'file:1/x': expected bytes"),
    ],
)
def test_wrong_bodies(controlled, body, part):
    answer = request(controlled.http, "POST", "/v2/repository/models/spare/load", body)
    assert (answer.status, part in answer.error) == (400, True), answer.error


# ---- files that come with a load ----


@case("RP50", "HTTP, gRPC", "a load with config and files of a model that is in no repository", "it serves, with the given version; unloaded it is not known any more")
def test_files(calls, controlled):
    calls.load("given", config=config_json(), files={"7/weights": bytes(range(256)), "labels.txt": b""})
    assert rows_of(calls, "given") == [("7", "READY", "")]
    assert infer(controlled, "given", 1) == (200, [1])
    (folder,) = controlled.temporary.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "7" / "weights").read_bytes() == bytes(range(256))
    calls.unload("given")
    assert rows_of(calls, "given") == []
    assert not list(controlled.temporary.iterdir())
    assert infer(controlled, "given", 1)[0] == 404


@case("RP51", "HTTP, gRPC", "a load with config and files of a model of the repository", "they are the whole folder, until the next load")
def test_files_in_place_of_a_folder(calls, controlled):
    calls.load("spare", config=config_json(), files={"3/x": b"x"})
    assert rows_of(calls, "spare") == [("3", "READY", "")]
    calls.load("spare")
    assert rows_of(calls, "spare") == [("1", "READY", "")]
    assert not list(controlled.temporary.iterdir())


@case("RP52", "HTTP, gRPC", "files with which the load fails", "400; what is loaded goes on; nothing of the files is left")
def test_files_with_a_failing_load(calls, controlled):
    calls.load("spare")
    with refused(400, "out of order"):
        calls.load("spare", config=config_json(parameters={"fail_load": {"string_value": "out of order"}}), files={"3/x": b"x"})
    with refused(400, "no version folder"):
        calls.load("spare", config=config_json(), files={"x": b"x"})
    with refused(400, "out of order"):
        calls.load("given", config=config_json(parameters={"fail_load": {"string_value": "out of order"}}), files={"3/x": b"x"})
    assert rows_of(calls, "given") == []
    assert rows_of(calls, "spare") == [("1", "READY", "")]
    assert not list(controlled.temporary.iterdir())


@case("RP53", "HTTP, gRPC", "files without a config", "400: they are taken together only")
def test_files_without_config(calls):
    with refused(400, "'file:1/x': files are taken together with 'config' only"):
        calls.load("given", files={"1/x": b"x"})


@case("RP54", "HTTP, gRPC", "files whose paths lead out of the folder, or are no plain paths", "400 with the path; nothing is written anywhere")
@pytest.mark.parametrize(
    "path",
    ["../escaped", "1/../../escaped", "/escaped", "1/./escaped", "1//escaped", "1/escaped/", "", "1/..", ".", "1/esc\nped",
     "1/\x7fescaped", "1/" + "e" * 256, "/".join("e" * 17), "1/" + "/".join(["e" * 200] * 6)],
)
def test_paths(calls, controlled, path):
    with refused(400, "load failed for model 'given': file '" if path else "load failed for model 'given': file ''"):
        calls.load("given", config=config_json(), files={"1/good": b"x", path: b"x"})
    assert not list(controlled.temporary.iterdir())
    assert not [found for found in controlled.repository.parent.rglob("*") if found.name.startswith("esc")]


@case("RP55", "HTTP, gRPC", "files that are in each other's way, and a config.pbtxt", "400 with the path")
@pytest.mark.parametrize("paths,part", [(("1/x", "1/x/y"), "another file"), (("1", "1/x"), "another file"), (("1/x", "config.pbtxt"), "'config'")])
def test_files_in_the_way(calls, controlled, paths, part):
    with refused(400, "load failed for model 'given': file '", part):
        calls.load("given", config=config_json(), files={path: b"x" for path in paths})


@case("RP56", "HTTP", "a file given twice", "400")
def test_file_twice(controlled):
    body = json.dumps({"parameters": {"config": config_json(), "file:1/x": "", "FILE": ""}}).replace("FILE", "file:1/x")
    answer = request(controlled.http, "POST", "/v2/repository/models/given/load", body)
    assert (answer.status, "another file has this path" in answer.error) == (400, True)


@case("RP57", "HTTP, gRPC", "more than 4096 files", "400 with the bound")
def test_many_files(calls):
    with refused(400, "expected at most 4096 files, got 4097"):
        calls.load("given", config=config_json(), files={f"1/{i}": b"" for i in range(4097)})


@case("RP58", "HTTP, gRPC", "a file larger than --max-request-size", "413; RESOURCE_EXHAUSTED")
def test_huge_file(start, repository, tmp_path):
    running = start(repository, EXPLICIT, "--max-request-size=100000", environment={"TMPDIR": str(tmp_path)})
    with refused(413, "100000"):
        rp.Http(running).load("given", config=config_json(), files={"1/x": bytes(80_000)})
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "100000"):
        rp.Grpc(running).load("given", config=config_json(), files={"1/x": bytes(100_000)})
    rp.Http(running).load("given", config=config_json(), files={"1/x": bytes(70_000)})
    rp.Grpc(running).load("other", config=config_json(), files={"1/x": bytes(90_000)})
    assert len(list(tmp_path.glob("inferd-model-*"))) == 2
    running.stop()
    assert not list(tmp_path.glob("inferd-model-*"))


@case("RP59", "HTTP, gRPC", "files when TMPDIR is no folder", "400 with its name; other loads go on")
def test_no_temporary_folder(start, repository):
    rp.add(repository, "m")
    running = start(repository, EXPLICIT, environment={"TMPDIR": "/nonexistent/folder"})
    for calls in (rp.Http(running), rp.Grpc(running)):
        with refused(400, "/nonexistent/folder"):
            calls.load("given", config=config_json(), files={"1/x": b""})
        calls.load("m")
