"""--restrict: who may call what, over every protocol and port, and tokens that change while the server runs."""

import re
import signal
import struct

import grpc
import h2.exceptions
import models
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from cases import case
from models import BATCHED, pair
from serving import ROOT, Server, run, wait_until
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException
from wire import SERVICE, Http2, Socket, get, grpc_call, grpc_channel, grpc_error, infer_input, infer_message, post_infer, request

CALLER, ADMIN = "caller-0123456789abcdef", "admin+0123456789/abcdef=="
BODY = {"inputs": [infer_input([1, -2, 3])]}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def write_tokens(path, *tokens):
    path.write_text("# tokens of a test\n" + "".join(token + "\n" for token in tokens))
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Health for everybody, inference and metadata for callers, statistics and metrics for administrators, else nothing."""
    repository = tmp_path_factory.mktemp("guarded")
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    tokens = tmp_path_factory.mktemp("tokens")
    running = Server(
        repository,
        "--restrict=health:public",
        f"--restrict=inference,metadata:{write_tokens(tokens / 'callers', CALLER)}",
        f"--restrict=metadata,statistics,metrics:{write_tokens(tokens / 'admins', ADMIN)}",
        "--log-verbose=1",
    )
    yield running
    assert CALLER not in running.log and ADMIN not in running.log
    running.stop()


def grpc_metadata(token):
    return [("authorization", f"Bearer {token}")]


MESSAGE = infer_message("id_int32", ("IN", "INT32", [1, 1], struct.pack("<i", 7)))


@case("AU01", "HTTP, gRPC", "a public API without a token, on either port", "200; OK")
def test_public(guarded):
    for port in (guarded.http, guarded.grpc):
        assert get(port, "/v2/health/live").status == 200
        assert pb.ServerLiveResponse.FromString(grpc_call(port, "ServerLive", b"")).live
        assert grpc_call(port, "/grpc.health.v1.Health/Check", b"") == b"\x08\x01"


@case("AU02", "HTTP", "an API that needs a token, without one, on either port", "401, WWW-Authenticate: Bearer, JSON error")
def test_no_token(guarded):
    for port in (guarded.http, guarded.grpc):
        answer = post_infer(port, "id_int32", BODY)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "token" in answer.error


@case("AU03", "HTTP", "wrong tokens: unknown, cut short, longer, another scheme, two headers, bytes that are no token", "401")
@pytest.mark.parametrize("value", [
    "Bearer not-a-token-we-know", f"Bearer {CALLER[:-1]}", f"Bearer {CALLER}x", f"Basic {CALLER}", CALLER, "Bearer", "",
    f"Bearer {CALLER}\r\nAuthorization: Bearer {CALLER}", f"Bearer {CALLER}, Bearer {ADMIN}", "Bearer " + "x" * 5000, "Bearer \xff",
])
def test_wrong_token(guarded, value):
    with Socket(guarded.http) as connection:
        connection.send(f"GET /v2 HTTP/1.1\r\nHost: h\r\nAuthorization: {value}\r\n\r\n".encode("latin-1"))
        answer = connection.read_response()
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@case("AU04", "HTTP", "the right token, whatever the case of 'Bearer'", "200")
def test_right_token(guarded):
    for port in (guarded.http, guarded.grpc):
        answer = post_infer(port, "id_int32", BODY, bearer(CALLER))
        assert answer.status == 200
        assert answer.json["outputs"][0]["data"] == [1, -2, 3]
    assert get(guarded.http, "/v2", Authorization=f"bearer {CALLER}").status == 200
    assert get(guarded.http, "/v2", **bearer(ADMIN)).status == 200  # metadata has two files


@case("AU05", "HTTP", "a token that is good for other APIs", "403")
def test_token_for_others(guarded):
    answer = post_infer(guarded.http, "id_int32", BODY, bearer(ADMIN))
    assert answer.status == 403
    assert "www-authenticate" not in answer.headers
    assert get(guarded.http, "/v2/models/stats", **bearer(CALLER)).status == 403
    assert get(guarded.http, "/v2/models/stats", **bearer(ADMIN)).status == 200


@case("AU06", "HTTP, gRPC", "an API that no --restrict names, with and without tokens", "403; PERMISSION_DENIED")
def test_denied_by_default(guarded):
    for headers in ({}, bearer(CALLER), bearer(ADMIN)):
        assert get(guarded.http, "/v2/models/id_int32/config", **headers).status == 403
        assert get(guarded.http, "/v2/logging", **headers).status == 403
    assert grpc_error(guarded.grpc, "ModelConfig", pb.ModelConfigRequest(name="id_int32"))[0] == grpc.StatusCode.PERMISSION_DENIED


@case("AU07", "HTTP", "unknown paths and wrong methods, without and with a token", "401, as for paths that exist; 404, 405")
def test_unknown_paths(guarded):
    for method, path, known in (("GET", "/v2/nothing", 404), ("POST", "/v2", 405), ("GET", "/v2/models/%zz", 400), ("HEAD", "/v2", 405)):
        stranger, caller = request(guarded.http, method, path), request(guarded.http, method, path, headers=bearer(CALLER))
        assert (stranger.status, caller.status) == (401, known)
        assert "allow" not in stranger.headers


@case("AU08", "HTTP", "the metrics port, without a token, with a caller's, with an administrator's", "401, 403, 200")
def test_metrics_port(guarded):
    answers = [get(guarded.metrics, "/metrics", **headers).status for headers in ({}, bearer(CALLER), bearer(ADMIN))]
    assert answers == [401, 403, 200]
    assert get(guarded.http, "/metrics").status == 401
    assert get(guarded.metrics, "/v2/health/live").status == 401  # not served there; nothing is told of it


@case("AU09", "HTTP", "a stranger's large body, announced and with Expect: 100-continue", "401 at once; nothing is read")
@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_no_body_is_read(guarded, expect):
    with Socket(guarded.http) as connection:
        connection.send(b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 60000000\r\n" + expect + b"\r\n")
        assert connection.read_response().status == 401
        assert connection.read_to_end() == b""


@case("AU10", "gRPC", "calls without a token, with a wrong one, with one for other APIs", "UNAUTHENTICATED, PERMISSION_DENIED")
def test_grpc_wrong_token(guarded):
    for port in (guarded.http, guarded.grpc):
        assert grpc_error(port, "ModelInfer", MESSAGE)[0] == grpc.StatusCode.UNAUTHENTICATED
        assert grpc_error(port, "ModelInfer", MESSAGE, metadata=grpc_metadata(CALLER + "x"))[0] == grpc.StatusCode.UNAUTHENTICATED
        assert grpc_error(port, "ModelInfer", MESSAGE, metadata=grpc_metadata(ADMIN))[0] == grpc.StatusCode.PERMISSION_DENIED


@case("AU11", "gRPC", "a call with the right token", "OK")
def test_grpc_right_token(guarded):
    for port in (guarded.http, guarded.grpc):
        answer = grpc_call(port, "ModelInfer", MESSAGE, metadata=grpc_metadata(CALLER))
        assert pb.ModelInferResponse.FromString(answer).raw_output_contents == [struct.pack("<i", 7)]


@case("AU12", "gRPC", "an unknown method, without and with a token", "UNAUTHENTICATED; UNIMPLEMENTED")
def test_grpc_unknown_method(guarded):
    assert grpc_error(guarded.grpc, "/some.Service/Method", b"")[0] == grpc.StatusCode.UNAUTHENTICATED
    assert grpc_error(guarded.grpc, "/some.Service/Method", b"", metadata=grpc_metadata(ADMIN))[0] == grpc.StatusCode.UNIMPLEMENTED


@case("AU13", "gRPC", "a stream without a token", "UNAUTHENTICATED before any message is read")
def test_grpc_stream(guarded):
    with grpc_channel(guarded.grpc) as channel, pytest.raises(grpc.RpcError) as error:
        list(channel.stream_stream(SERVICE + "ModelStreamInfer")(iter([b"\xff broken"]), timeout=60))
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED


@case("AU14", "HTTP/2", "plain HTTP requests over HTTP/2 without a token, on either port", "401; with one, 200")
def test_http2(guarded):
    for port in (guarded.http, guarded.grpc):
        with Http2(port) as connection:
            stranger = connection.answer(connection.begin("GET", "/v2", end=True))
            caller = connection.answer(connection.begin("GET", "/v2", [("authorization", f"Bearer {CALLER}")], end=True))
        assert stranger["fields"][":status"] == "401"
        assert caller["fields"][":status"] == "200"


@case("AU15", "HTTP", "paths that lead to the same place by another spelling, without a token", "401")
@pytest.mark.parametrize("path", [
    "//v2", "/v2/", "/v2/../v2", "/./v2", "/V2", "/%76%32", "/v2?x=/v2/health/live", "/v2/health/live/../../models/id_int32",
    "/v2#/v2/health/live", "http://h/v2", "/v2/health/live/", "/v2/models/id_int32%2Fready", "/v2/models/health/live",
])
def test_spellings(guarded, path):
    with Socket(guarded.http) as connection:
        connection.send(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        assert connection.read_response().status in (400, 401)


@case("AU16", "HTTP", "every route of the server without a token", "401 or 403, but for health")
def test_every_route(guarded):
    table = (ROOT / "src/api/routes.c").read_text()
    rows = re.findall(r'\{"([A-Z]+)", "([^"]+)", (API_\w+)', table)
    assert len(rows) > 10
    for method, pattern, kind in rows:
        path = re.sub(r"\{version\}", "1", re.sub(r"\{\w+(?<!version)\}", "id_int32", pattern))
        status = request(guarded.http, method, path).status
        assert status in ((200, 404) if kind == "API_HEALTH" else (401, 403)), (method, path, status)


@case("AU17", "gRPC", "every method of the service without a token", "UNAUTHENTICATED or PERMISSION_DENIED, but for health")
def test_every_method(guarded):
    refusals = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
    for method in pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods:
        if method.name in ("ServerLive", "ServerReady", "ModelReady"):
            continue
        code, _ = grpc_error(guarded.grpc, method.name, b"")
        assert code in refusals, method.name


@case("AU18", "HTTP/2", "many streams of one connection, some with a token", "each is judged for itself")
def test_streams_are_judged_one_by_one(guarded):
    with Http2(guarded.http) as connection:
        streams = []
        for i in range(20):
            fields = [("authorization", f"Bearer {CALLER}")] if i % 2 else []
            streams.append(connection.begin("GET", "/v2/models/id_int32", fields, end=True))
        statuses = [connection.answer(stream)["fields"][":status"] for stream in streams]
    assert statuses == ["401", "200"] * 10


@case("AU19", "HTTP/1.1", "a pipelined request without a token behind one with it", "200, then 401")
def test_pipelined(guarded):
    with Socket(guarded.http) as connection:
        connection.send(f"GET /v2 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {CALLER}\r\n\r\nGET /v2 HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        data = b""
        while data.count(b"HTTP/1.1 ") < 2:
            data += connection.socket.recv(65536)
    assert re.findall(rb"HTTP/1.1 (\d+)", data) == [b"200", b"401"]


@case("AU20", "tritonclient", "the HTTP and gRPC clients with headers", "they work; without, their errors name the status")
def test_tritonclient(guarded):
    for package, url in ((triton_http, guarded.http_url), (triton_grpc, guarded.grpc_url)):
        with package.InferenceServerClient(url) as client:
            assert client.is_server_live()
            assert client.get_server_metadata(headers={"authorization": f"Bearer {CALLER}"})
            with pytest.raises(InferenceServerException) as error:
                client.get_server_metadata()
            assert error.value.status() in ("401", "StatusCode.UNAUTHENTICATED")


# ---- tokens that change ----


@pytest.fixture
def changing(start, repository, tmp_path):
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    folder = tmp_path / "secrets"
    folder.mkdir()
    running = start(repository, f"--restrict=all:{write_tokens(folder / 'tokens', CALLER)}")
    running.tokens = folder / "tokens"
    return running


def status_with(running, token):
    return get(running.http, "/v2", **bearer(token)).status


@case("AU21", "HTTP", "tokens that are added and taken away in the file", "the new one is taken, the old one refused; open connections too")
def test_new_tokens(changing):
    assert status_with(changing, CALLER) == 200
    with Socket(changing.http) as connection:
        ask = f"GET /v2 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {CALLER}\r\n\r\n".encode()
        connection.send(ask)
        assert connection.read_response().status == 200
        write_tokens(changing.tokens, ADMIN)
        changing.wait_for("permissions have changed")
        connection.send(ask)
        assert connection.read_response().status == 401
    assert status_with(changing, ADMIN) == 200


@case("AU22", "HTTP", "a token file that is replaced by a rename, as tools do", "the new tokens are taken")
def test_renamed_tokens(changing, tmp_path):
    write_tokens(tmp_path / "next", ADMIN).rename(changing.tokens)
    wait_until(lambda: status_with(changing, ADMIN) == 200)


@case("AU23", "HTTP", "a token file that turns out broken, or for everybody to read", "logged; the old tokens stay")
@pytest.mark.parametrize("content, mode", [("short\n", 0o600), (ADMIN + "\n", 0o644)])
def test_broken_tokens(changing, content, mode):
    changing.tokens.chmod(mode)
    changing.tokens.write_text(content)
    changing.wait_for("the tokens stay as they were: .*tokens")
    assert status_with(changing, CALLER) == 200
    assert status_with(changing, ADMIN) == 401


@case("AU24", "signal", "SIGHUP after a change", "the tokens are read again; the server goes on")
def test_hangup(changing):
    write_tokens(changing.tokens, CALLER, ADMIN)
    changing.signal(signal.SIGHUP)
    wait_until(lambda: status_with(changing, ADMIN) == 200)
    assert status_with(changing, CALLER) == 200


@case("AU25", "HTTP", "a token file that is emptied", "nobody may call any more")
def test_no_tokens_left(changing):
    write_tokens(changing.tokens)
    wait_until(lambda: status_with(changing, CALLER) == 401)


# ---- the command line ----


@case("AU26", "command line", "a token file that everybody may read, with a short token, that does not exist", "exit code 1; the file is named")
@pytest.mark.parametrize("content, mode, words", [(CALLER, 0o644, "mode 0644"), ("short", 0o600, ":1: expected a token"), (None, 0, "No such file")])
def test_unusable_file(tmp_path, content, mode, words):
    path = tmp_path / "tokens"
    if content:
        path.write_text(content + "\n")
        path.chmod(mode)
    ended = run("serve", f"--model-repository={tmp_path}", "--http-port=0", "--grpc-port=0", "--metrics-port=0", f"--restrict=all:{path}")
    assert ended.returncode == 1
    assert str(path) in ended.stderr and words in ended.stderr


@case("AU27", "command line", "rules that cannot be meant", "exit code 2 with what was expected")
@pytest.mark.parametrize("flags, words", [
    (["--restrict=helth:public"], 'unknown API "helth"'),
    (["--restrict=health"], "expected APIS:FILE or APIS:public"),
    (["--restrict=all:public", "--restrict=inference:tokens"], "inference is public by one rule and needs a token by another"),
])
def test_wrong_rules(tmp_path, flags, words):
    ended = run("serve", f"--model-repository={tmp_path}", *flags)
    assert ended.returncode == 2
    assert words in ended.stderr


@case("AU28", "command line", "Triton's flags that hold a secret", "exit code 2; the text names --restrict and not the secret")
@pytest.mark.parametrize("flag", ["--http-restricted-api=inference:key=secret", "--grpc-restricted-protocol=inference:key=secret"])
def test_secrets_on_the_command_line(tmp_path, flag):
    ended = run("serve", f"--model-repository={tmp_path}", flag)
    assert ended.returncode == 2
    assert "--restrict=APIS:FILE" in ended.stderr
    assert "secret" not in ended.stderr.replace("a secret on the command line", "")


@case("AU29", "environment", "INFERD_RESTRICT with two rules", "as with the flags")
def test_rules_of_the_environment(start, repository, tmp_path):
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    tokens = write_tokens(tmp_path / "tokens", CALLER)
    running = start(repository, environment={"INFERD_RESTRICT": f"health:public;metadata:{tokens}"})
    assert get(running.http, "/v2/health/live").status == 200
    assert get(running.http, "/v2").status == 401
    assert status_with(running, CALLER) == 200
    assert get(running.http, "/metrics").status == 403
    assert "tokens are sent in clear" in running.log


@case("AU30", "HTTP", "a token, where all headers become parameters of an inference", "it is no parameter")
def test_token_is_not_forwarded(start, repository, tmp_path):
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    running = start(repository, f"--restrict=all:{write_tokens(tmp_path / 'tokens', CALLER)}", "--http-header-forward-pattern=.*")
    answer = post_infer(running.http, "id_int32", BODY, {**bearer(CALLER), "X-Other": "there"})
    assert answer.json["parameters"]["x-other"] == "there"
    assert CALLER not in answer.body.decode()


@case("AU31", "HTTP/2", "a stranger who sends a body without end", "401; the connection is of use to others")
def test_endless_body(guarded):
    with Http2(guarded.http) as connection:
        stream = connection.begin("POST", "/v2/models/id_int32/infer")
        try:
            for _ in range(200):
                connection.data(stream, bytes(16384), end=False)
        except (ConnectionError, h2.exceptions.ProtocolError):
            pass  # the server has had enough of the stream
        assert connection.answer(stream)["fields"][":status"] == "401"
        good = connection.answer(connection.begin("GET", "/v2", [("authorization", f"Bearer {CALLER}")], end=True))
        assert good["fields"][":status"] == "200"
