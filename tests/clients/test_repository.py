"""The model repository extension: what models there are, loading and unloading them, and what is refused. How all that
goes beside other calls is in test_repository_traffic.py."""

import asyncio
import json
import os
import shutil

import grpc
import pytest
import repository as rp
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from cases import case
from models import parameter
from repository import EXPLICIT, config_json, infer, refused, rows_of
from serving import run
from tritonclient.grpc import service_pb2 as pb
from wire import SERVICE, get, grpc_error, request

ALL_VERSIONS = "version_policy { all {} }"


# ---- the index ----


@case("RP01", "HTTP, gRPC", "the index of a server that has loaded one model of two", "the loaded one with version and state, of the other only the name")
def test_index(calls):
    assert calls.index() == [("resident", "1", "READY", ""), ("spare", *rows_of(calls, "spare")[0])]
    assert rows_of(calls, "spare")[0] in [("", "", ""), ("1", "UNAVAILABLE", "unloaded")]  # as other tests left it


@case("RP02", "HTTP, gRPC", "the index of a model with several versions", "a row for each, ascending by number")
def test_index_of_versions(calls, fresh):
    fresh("several", ALL_VERSIONS, versions=(10, 9, 2))
    calls.load("several")
    assert rows_of(calls, "several") == [("2", "READY", ""), ("9", "READY", ""), ("10", "READY", "")]


@case("RP03", "HTTP, gRPC", "the index with ready = true", "only what is ready")
def test_index_of_ready_models(calls):
    assert calls.index(ready=True) == [("resident", "1", "READY", "")]


@case("RP04", "HTTP", "the index with an empty body, {}, and ready = false", "the same: everything")
def test_index_bodies(controlled):
    answers = [request(controlled.http, "POST", "/v2/repository/index", body).body for body in (b"", b"{}", b'{"ready":false}', b" \n")]
    assert len(set(answers)) == 1 and b"spare" in answers[0]


@case("RP05", "HTTP", "the index with a body that is wrong", "400: what was expected, and what was got")
@pytest.mark.parametrize(
    "body,part",
    [
        (b"{", "not JSON"),
        (b"[]", "expected an object"),
        (b'{"ready":1}', "ready: expected true or false, got 1"),
        (b'{"ready":null}', "ready: expected true or false"),
        (b'{"ready":true,"ready":true}', "twice"),
    ],
)
def test_index_with_a_wrong_body(controlled, body, part):
    answer = request(controlled.http, "POST", "/v2/repository/index", body)
    assert (answer.status, part in answer.error) == (400, True), answer.error


@case("RP74", "HTTP", "index, load and unload with members of other names and any kind", "ignored, as in the bodies of other calls and by Triton")
def test_unknown_members(controlled):
    bodies = [{name: value, "ready": True, "parameters": {}} for name in ("raedy", "unload_dependents", "") for value in (None, [{}], "x", 10**30)]
    for body in map(json.dumps, bodies):
        answer = request(controlled.http, "POST", "/v2/repository/index", body)
        assert (answer.status, [model["name"] for model in answer.json]) == (200, ["resident"])
        for call in ("load", "unload"):
            answer = request(controlled.http, "POST", f"/v2/repository/models/spare/{call}", body)
            assert (answer.status, answer.body) == (200, b"")


@case("RP06", "HTTP", "GET of the index, of load and of unload", "405 with Allow: POST")
@pytest.mark.parametrize("path", ["index", "x/index", "models/m/load", "models/m/unload", "x/models/m/load"])
def test_wrong_method(controlled, path):
    answer = get(controlled.http, "/v2/repository/" + path)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


@case("RP07", "HTTP", "index, load and unload of a repository by name", "501: names of repositories are not supported")
@pytest.mark.parametrize("path", ["index", "models/spare/load", "models/spare/unload"])
def test_repository_name_http(controlled, path):
    answer = request(controlled.http, "POST", "/v2/repository/some/" + path, b"")
    assert (answer.status, answer.error) == (501, "'repository_name' specification is not supported")


@case("RP08", "gRPC", "index, load and unload with a repository_name", "UNIMPLEMENTED")
@pytest.mark.parametrize("method", ["RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"])
def test_repository_name_grpc(controlled, method):
    code, text = grpc_error(controlled.grpc, method, getattr(pb, method + "Request")(repository_name="some"))
    assert (code, text) == (grpc.StatusCode.UNIMPLEMENTED, "'repository_name' specification is not supported")


@case("RP09", "HTTP, gRPC", "the index after a folder has come and gone", "it is there, and is not any more")
def test_index_follows_the_repository(calls, controlled, fresh):
    fresh("comes")
    assert rows_of(calls, "comes") == [("", "", "")]
    shutil.rmtree(controlled.repository / "comes")
    assert rows_of(calls, "comes") == []


@case("RP10", "HTTP, gRPC", "the index with a folder whose name is no UTF-8", "a valid message with something in its place")
def test_index_with_an_odd_name(calls, controlled):
    odd = os.fsencode(controlled.repository) + b"/odd\xff"
    os.mkdir(odd)
    try:
        assert ("odd?", "", "", "") in calls.index()
    finally:
        os.rmdir(odd)


@case("RP11", "HTTP, gRPC", "server metadata", "the extensions model_repository and model_repository(unload_dependents)")
def test_extensions(controlled):
    assert {"model_repository", "model_repository(unload_dependents)"} <= set(get(controlled.http, "/v2").json["extensions"])


# ---- loading ----


@case("RP20", "HTTP, gRPC", "a load", "an empty answer, and the model serves; before it is not found")
def test_load(calls, controlled, fresh):
    fresh("new")
    status, text = infer(controlled, "new", 1)
    assert (status, text) == (404, "Request for unknown model: 'new' is not found")
    assert rows_of(calls, "new") == [("", "", "")]
    status, text = infer(controlled, "new", 1)
    assert status == 404 and "it is in the repository, but has not been loaded" in text
    calls.load("new")
    assert infer(controlled, "new", 7, 8) == (200, [7, 8])
    assert get(controlled.http, "/v2/models/new/ready").status == 200
    assert rows_of(calls, "new") == [("1", "READY", "")]


@case("RP21", "HTTP, gRPC", "load, index and unload with tritonclient's synchronous clients", "as they expect it")
def test_synchronous_clients(controlled):
    with triton_http.InferenceServerClient(controlled.http_url) as over_http, triton_grpc.InferenceServerClient(controlled.grpc_url) as over_grpc:
        for client in (over_http, over_grpc):
            client.load_model("spare")
            assert client.is_model_ready("spare")
            client.load_model("spare", config=config_json(max_batch_size=3), files={"file:4/x": b"\0\xff"})
            assert client.is_model_ready("spare", "4")
            client.unload_model("spare", unload_dependents=True)
            assert not client.is_model_ready("spare")
            client.get_model_repository_index()


@case("RP22", "HTTP, gRPC", "load, index and unload with tritonclient's asyncio clients", "as they expect it")
def test_asyncio_clients(controlled):
    async def use(make, url, index_names):
        async with make(url) as client:
            await client.load_model("spare", config=config_json(max_batch_size=3))
            assert await client.is_model_ready("spare")
            assert "spare" in index_names(await client.get_model_repository_index())
            await client.unload_model("spare")
            assert not await client.is_model_ready("spare")

    asyncio.run(use(triton_http_aio.InferenceServerClient, controlled.http_url, lambda index: [row["name"] for row in index]))
    asyncio.run(use(triton_grpc_aio.InferenceServerClient, controlled.grpc_url, lambda index: [row.name for row in index.models]))


@case("RP23", "HTTP, gRPC", "a load of a loaded model whose config has changed", "the new config holds")
def test_reload(calls, controlled, fresh):
    fresh("changing")
    calls.load("changing")
    path = controlled.repository / "changing" / "config.pbtxt"
    path.write_text(path.read_text().replace("max_batch_size: 8", "max_batch_size: 3"))
    assert get(controlled.http, "/v2/models/changing/config").json["max_batch_size"] == 8
    calls.load("changing")
    assert get(controlled.http, "/v2/models/changing/config").json["max_batch_size"] == 3


@case("RP24", "HTTP, gRPC", "a load after a new version has been put into the folder", "it takes the place of the old one")
def test_new_version(calls, controlled, fresh):
    fresh("growing")
    calls.load("growing")
    (controlled.repository / "growing" / "2").mkdir()
    calls.load("growing")
    assert rows_of(calls, "growing") == [("2", "READY", "")]
    assert get(controlled.http, "/v2/models/growing/versions/1").status == 404


@case("RP25", "HTTP, gRPC", "a load that fails of a loaded model: config with a mistake, engine that refuses", "400 with the reason, down to the line; what is loaded goes on")
def test_failing_reload(calls, controlled, fresh):
    fresh("breaking")
    calls.load("breaking")
    path = controlled.repository / "breaking" / "config.pbtxt"
    path.write_text(rp.CONFIG + "max_bach_size: 3")
    with refused(400, "load failed for model 'breaking': config.pbtxt:5:1: unknown field 'max_bach_size'"):
        calls.load("breaking")
    path.write_text(rp.CONFIG + parameter("fail_load", "out of order"))
    with refused(400, "load failed for model 'breaking': version 1 is at UNAVAILABLE state: out of order"):
        calls.load("breaking")
    assert infer(controlled, "breaking", 5) == (200, [5])
    assert rows_of(calls, "breaking") == [("1", "READY", "")]


@case("RP26", "HTTP, gRPC", "a load of a model that is in no repository", "500 with its name; it is not remembered")
def test_load_of_an_unknown_model(calls):
    with refused(500, "failed to load 'nothing', failed to poll from model repository"):
        calls.load("nothing")
    assert rows_of(calls, "nothing") == []


@case("RP27", "HTTP, gRPC", "a first load that fails", "400; the index and every call tell the reason; the server is not ready until it is unloaded")
def test_failing_load(calls, controlled, fresh):
    fresh("broken", parameter("fail_load", "out of order"))
    assert get(controlled.http, "/v2/health/ready").status == 200
    with refused(400, "out of order"):
        calls.load("broken")
    assert rows_of(calls, "broken") == [("1", "UNAVAILABLE", "out of order")]
    assert infer(controlled, "broken", 1) == (503, "Request for unknown model: 'broken' version 1 is not at ready state: out of order")
    assert get(controlled.http, "/v2/health/ready").status == 400
    calls.unload("broken")
    assert get(controlled.http, "/v2/health/ready").status == 200


@case("RP28", "HTTP, gRPC", "a load of several versions of which one cannot be loaded", "400, and none of them is served")
def test_load_is_all_or_nothing(calls, controlled, fresh):
    fresh("partial", "version_policy { specific { versions: [1, 3] } }", versions=(1, 2))
    with refused(400, "version 3 is at UNAVAILABLE state", "no folder"):
        calls.load("partial")
    assert [row[:2] for row in rows_of(calls, "partial")] == [("1", "UNAVAILABLE"), ("3", "UNAVAILABLE")]
    (controlled.repository / "partial" / "3").mkdir()
    calls.load("partial")
    assert rows_of(calls, "partial") == [("1", "READY", ""), ("3", "READY", "")]


@case("RP29", "HTTP, gRPC", "a load of a folder without a version", "500 with the reason")
def test_load_without_a_version(calls, controlled):
    (controlled.repository / "empty").mkdir()
    with refused(500, "failed to load 'empty'", "no version folder"):
        calls.load("empty")


@case("RP30", "HTTP, gRPC", "loads of names that no folder can have", "400 with what a name must be")
@pytest.mark.parametrize("name", [".hidden", "..", "a%2Fb", "a%0Ab", "a%00b", "a" * 256])
def test_load_of_an_impossible_name(calls, name):
    plain = name.replace("%2F", "/").replace("%0A", "\n").replace("%00", "\0")
    with refused(400, "a model's name is that of its folder"):
        calls.load(name if isinstance(calls, rp.Http) else plain)
    calls.unload(name if isinstance(calls, rp.Http) else plain)


@case("RP31", "gRPC", "a load without a model's name", "INVALID_ARGUMENT")
def test_load_of_no_name(controlled):
    code, text = grpc_error(controlled.grpc, "RepositoryModelLoad", b"")
    assert code == grpc.StatusCode.INVALID_ARGUMENT and "a model's name" in text


# ---- unloading ----


@case("RP60", "HTTP, gRPC", "an unload", "an empty answer; 503 from then on, and neither statistics nor metrics")
def test_unload(calls, controlled):
    calls.load("spare")
    assert infer(controlled, "spare", 1)[0] == 200
    assert 'model="spare"' in get(controlled.metrics, "/metrics").body.decode()
    calls.unload("spare")
    text = "Request for unknown model: 'spare' version 1 is not at ready state: unloaded"
    assert infer(controlled, "spare", 1) == (503, text)
    for path in ("", "/ready", "/config", "/versions/1"):
        answer = get(controlled.http, "/v2/models/spare" + path)
        assert (answer.status, answer.error) == (503, text)
    assert get(controlled.http, "/v2/models/spare/stats").status == 400
    assert "spare" not in [entry["name"] for entry in get(controlled.http, "/v2/models/stats").json["model_stats"]]
    assert 'model="spare"' not in get(controlled.metrics, "/metrics").body.decode()
    assert rows_of(calls, "spare") == [("1", "UNAVAILABLE", "unloaded")]
    assert get(controlled.http, "/v2/health/ready").status == 200


@case("RP61", "HTTP, gRPC", "unloads of what is not loaded, never was, is not there", "done")
def test_unload_of_nothing(calls):
    for _ in range(2):
        calls.unload("spare")
        calls.unload("nothing")
    assert rows_of(calls, "nothing") == []


@case("RP62", "HTTP", "unload bodies with and without unload_dependents", "done: nothing depends on a model")
@pytest.mark.parametrize("body", [b"", b"{}", b'{"parameters":{}}', b'{"parameters":{"unload_dependents":true}}', b'{"parameters":{"unload_dependents":false}}'])
def test_unload_bodies(controlled, body):
    answer = request(controlled.http, "POST", "/v2/repository/models/spare/unload", body)
    assert (answer.status, answer.body) == (200, b"")


@case("RP63", "HTTP", "unload bodies that are wrong", "400 with what was expected")
@pytest.mark.parametrize(
    "body,part",
    [
        (b'{"parameters":{"unload_dependents":"true"}}', "'unload_dependents': expected true or false"),
        (b'{"parameters":{"unload_dependents":1}}', "unload_dependents"),
        (b'{"parameters":{"config":"{}"}}', "unknown parameter 'config': expected 'unload_dependents'"),
    ],
)
def test_wrong_unload_bodies(controlled, body, part):
    answer = request(controlled.http, "POST", "/v2/repository/models/resident/unload", body)
    assert (answer.status, part in answer.error) == (400, True), answer.error
    assert infer(controlled, "resident", 1)[0] == 200


@case("RP64", "gRPC", "unload parameters that are wrong", "INVALID_ARGUMENT with what was expected")
@pytest.mark.parametrize("key,kind,value", [("unload_dependents", "int64_param", 1), ("unload_dependents", "string_param", "true"), ("other", "bool_param", True)])
def test_wrong_unload_parameters(controlled, key, kind, value):
    message = pb.RepositoryModelUnloadRequest(model_name="resident")
    setattr(message.parameters[key], kind, value)
    code, text = grpc_error(controlled.grpc, "RepositoryModelUnload", message)
    assert code == grpc.StatusCode.INVALID_ARGUMENT and "unload_dependents" in text


@case("RP65", "HTTP, gRPC", "load, inference, unload and load again", "the counters begin anew")
def test_counters_begin_anew(calls, controlled):
    calls.load("spare")
    assert infer(controlled, "spare", 1)[0] == 200
    count = lambda: get(controlled.http, "/v2/models/spare/stats").json["model_stats"][0]["inference_count"]
    assert count() == 1
    calls.unload("spare")
    calls.load("spare")
    assert count() == 0


@case("RP66", "HTTP, gRPC", "an unload of a model whose folder is gone", "it is not known any more")
def test_unload_without_a_folder(calls, controlled, fresh):
    fresh("going")
    calls.load("going")
    shutil.rmtree(controlled.repository / "going")
    assert rows_of(calls, "going") == [("1", "READY", "")]
    assert infer(controlled, "going", 2) == (200, [2])
    calls.unload("going")
    assert rows_of(calls, "going") == []


# ---- control modes ----


@case("TP01", "HTTP, gRPC", "load and unload without --model-control-mode=explicit", "no Retry-After, no pushback: that does not pass by itself")
def test_mode_none_is_for_good(start, repository):
    running = start(repository)
    for action in ("load", "unload"):
        answer = request(running.http, "POST", f"/v2/repository/models/m/{action}", b"")
        assert answer.status == 503 and "retry-after" not in answer.headers
        call = pb.RepositoryModelLoadRequest(model_name="m")
        with grpc.insecure_channel(running.grpc_url) as channel, pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(f"{SERVICE}RepositoryModel{action.capitalize()}")(call.SerializeToString(), timeout=60)
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "grpc-retry-pushback-ms" not in dict(raised.value.trailing_metadata())


@case("RP70", "HTTP, gRPC", "load and unload without --model-control-mode=explicit", "503 with the flag; the index tells what there is")
@pytest.mark.parametrize("protocol", [rp.Http, rp.Grpc])
def test_mode_none(start, repository, protocol):
    rp.add(repository, "m")
    running = start(repository)
    calls = protocol(running)
    for control in (calls.load, calls.unload):
        with refused(503, "explicit model load / unload is not allowed", "--model-control-mode=explicit"):
            control("m")
    rp.add(repository, "late")
    assert calls.index() == [("m", "1", "READY", "")]
    assert infer(running, "m", 1) == (200, [1])


@case("RP71", "command line", "--load-model=* and several --load-model", "all; those")
def test_load_model_flags(start, repository):
    for name in ("a", "b", "c"):
        rp.add(repository, name)
    everything = start(repository, EXPLICIT, "--load-model=*")
    assert [row[2] for row in rp.Http(everything).index()] == ["READY"] * 3
    some = start(repository, EXPLICIT, "--load-model=a", "--load-model=c")
    assert [row[2] for row in rp.Http(some).index()] == ["READY", "", "READY"]
    assert get(some.http, "/v2/health/ready").status == 200


@case("RP72", "command line", "--model-control-mode=poll or unknown, --load-model in another mode, * beside a name", "exit 2 with the flag and why")
@pytest.mark.parametrize(
    "flags,part",
    [
        (["--model-control-mode=poll"], "poll is not implemented"),
        (["--model-control-mode=auto"], "auto"),
        (["--load-model=m"], "--load-model: expected only with --model-control-mode=explicit"),
        ([EXPLICIT, "--load-model=m", "--load-model=*"], "got both"),
    ],
)
def test_wrong_flags(flags, part):
    done = run("serve", "--model-repository=/tmp", *flags)
    assert done.returncode == 2 and part in done.stderr


@case("RP73", "command line", "--load-model of a model that is nowhere", "not ready, with the reason in log and index; --exit-on-error: exit code 1")
def test_load_model_of_nothing(start, repository):
    running = start(repository, EXPLICIT, "--load-model=nothing")
    assert get(running.http, "/v2/health/ready").status == 400
    assert rp.Http(running).index() == [("nothing", "", "UNAVAILABLE", "no model repository has a folder 'nothing'")]
    assert "failed to load 'nothing'" in running.log
    rp.Http(running).unload("nothing")
    assert get(running.http, "/v2/health/ready").status == 200
    failing = start(repository, EXPLICIT, "--load-model=nothing", "--exit-on-error", wait=False)
    assert failing.wait() == 1
