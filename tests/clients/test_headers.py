"""Headers with a meaning for inferences: those that become parameters, and the load report (ORCA)."""

import json
import re

import models
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from cases import case
from serving import run
from wire import SERVICE, Http2, exchange, grpc_channel, grpc_infer, infer_input, infer_message, post_infer, request

GOOD = {"inputs": [infer_input([1, 2])]}


@pytest.fixture
def serve(start, repository):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))

    def begin(*flags):
        return start(repository, *flags)

    return begin


def echoed(server, headers, body=GOOD):
    """The parameters of the request as the model saw them."""
    answer = post_infer(server.http, "m", body, headers)
    assert answer.status == 200, answer.body
    return answer.json.get("parameters", {})


def grpc_echoed(server, metadata, **more):
    message = infer_message("m", ("IN", "INT32", [1, 1], bytes(4)), **more)
    answer = grpc_infer(server.grpc, message, metadata=metadata)
    return {name: getattr(value, value.WhichOneof("parameter_choice")) for name, value in answer.parameters.items()}


# ---- forwarding ----


@case("HF01", "HTTP", "headers, without a pattern", "none becomes a parameter")
def test_no_pattern(server):
    answer = post_infer(server.http, "id_int32", GOOD, {"x-user": "u", "my-header": "v"})
    assert answer.status == 200 and "parameters" not in answer.json


@case("HF02", "HTTP", "--http-header-forward-pattern=my_header.*", "matching headers are string parameters, others are not")
def test_http_headers(serve):
    server = serve("--http-header-forward-pattern=my_header.*")
    assert echoed(server, {"my_header_1": "a", "my_header_2": "7", "other": "x", "not_my_header": "x"}) == {"my_header_1": "a", "my_header_2": "7"}
    assert echoed(server, {}) == {}


@case("HF03", "HTTP", "pattern and headers in capitals", "case is ignored; names come in lower case")
def test_case_is_ignored(serve):
    server = serve("--http-header-forward-pattern", "(nvcf-.*|MY_HEADER.*)")
    assert echoed(server, {"NVCF-Id": "1", "My_Header": "2"}) == {"nvcf-id": "1", "my_header": "2"}


@case("HF04", "HTTP", "names that match only in part", "not forwarded: the whole name counts")
def test_whole_names(serve):
    server = serve("--http-header-forward-pattern=x-user|x-tenant")
    assert echoed(server, {"x-user-name": "1", "my-x-user": "2", "x-tenant": "3"}) == {"x-tenant": "3"}


@case("HF05", "HTTP", "pattern .*, headers that are named as parameters with a meaning", "those keep their meaning for the body alone")
def test_reserved_names(serve):
    server = serve("--http-header-forward-pattern=.*")
    names = ["timeout", "priority", "sequence_id", "sequence_start", "sequence_end", "headers", "binary_data_output", "triton_x"]
    told = echoed(server, {name: "1" for name in names} | {"x": "y"})
    assert told["x"] == "y" and not set(names) & set(told)
    assert "host" in told or "accept-encoding" in told


@case("HF06", "HTTP", "a parameter of the body with the name of a forwarded header", "the header wins")
def test_the_header_wins(serve):
    server = serve("--http-header-forward-pattern=x-user")
    assert echoed(server, {"x-user": "alice"}, {**GOOD, "parameters": {"x-user": "mallory", "y": 1}}) == {"x-user": "alice", "y": 1}
    assert echoed(server, {}, {**GOOD, "parameters": {"x-user": "bob"}}) == {"x-user": "bob"}


@case("HF07", "HTTP", "a header sent three times", "one parameter, joined by commas in order")
def test_repeated_headers(serve):
    server = serve("--http-header-forward-pattern=x-.*")
    body = json.dumps(GOOD).encode()
    head = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-B: b\r\nx-a: \r\nX-A: 3\r\nContent-Length: %d\r\n\r\n"
    answer = exchange(server.http, head % len(body) + body)
    assert answer.status == 200 and answer.json["parameters"] == {"x-a": "1, , 3", "x-b": "b"}


@case("HF08", "HTTP", "a forwarded value that is UTF-8, and one that is not", "taken as it is; 400 that names the header")
def test_values(serve):
    server = serve("--http-header-forward-pattern=x-.*")
    body = json.dumps(GOOD).encode()
    head = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: h\r\nX-A: %s\r\nContent-Length: %d\r\n\r\n%s"
    good = exchange(server.http, head % ("é\"\\".encode(), len(body), body))
    assert good.json["parameters"] == {"x-a": 'é"\\'}
    bad = exchange(server.http, head % (b"\xe9", len(body), body))
    assert bad.status == 400 and "x-a" in bad.error and "UTF-8" in bad.error


@case("HF09", "HTTP", "a name of 300 bytes and pattern .*", "not forwarded; the request is good")
def test_long_names(serve):
    server = serve("--http-header-forward-pattern=.*")
    told = echoed(server, {"x" * 300: "1", "y" * 256: "2"})
    assert "x" * 300 not in told and told["y" * 256] == "2"


@case("HF10", "HTTP/2", "the same over HTTP/2", "forwarded; pseudo-headers are not")
def test_http2(serve):
    server = serve("--http-header-forward-pattern=.*")
    with Http2(server.http) as connection:
        stream = connection.begin("POST", "/v2/models/m/infer", [("x-user", "u")])
        connection.data(stream, json.dumps(GOOD).encode())
        told = json.loads(connection.answer(stream)["body"])["parameters"]
    assert told["x-user"] == "u" and not [name for name in told if name.startswith(":")]


@case("HF11", "HTTP", "the Triton client with headers and custom parameters", "both reach the model")
def test_triton_http(serve):
    server = serve("--http-header-forward-pattern=my_header.*")
    client = triton_http.InferenceServerClient(server.http_url)
    tensor = triton_http.InferInput("IN", [1, 1], "INT32")
    tensor.set_data_from_numpy(np.array([[5]], np.int32))
    answer = client.infer("m", [tensor], headers={"my_header_1": "v"}, parameters={"key": 2, "flag": True, "text": "t", "real": 1.5})
    assert answer.get_response()["parameters"] == {"my_header_1": "v", "key": 2, "flag": True, "text": "t", "real": 1.5}
    client.close()


@case("HF12", "gRPC", "--grpc-header-forward-pattern=my_header.* and metadata", "string parameters; HTTP's headers are not touched by it")
def test_grpc_metadata(serve):
    server = serve("--grpc-header-forward-pattern=my_header.*")
    assert grpc_echoed(server, [("my_header_1", "a"), ("other", "b")]) == {"my_header_1": "a"}
    assert echoed(server, {"my_header_1": "a"}) == {}


@case("HF13", "gRPC", "--http-header-forward-pattern alone", "metadata is not forwarded")
def test_http_pattern_is_not_for_grpc(serve):
    server = serve("--http-header-forward-pattern=.*")
    assert grpc_echoed(server, [("my_header_1", "a")]) == {}


@case("HF14", "gRPC", "metadata with the name of a parameter of the message", "the metadata wins")
def test_grpc_metadata_wins(serve):
    server = serve("--grpc-header-forward-pattern=x-user")
    message = infer_message("m", ("IN", "INT32", [1, 1], bytes(4)))
    message.parameters["x-user"].string_param = "mallory"
    message.parameters["n"].int64_param = -5
    answer = grpc_infer(server.grpc, message, metadata=[("x-user", "alice")])
    assert answer.parameters["x-user"].string_param == "alice" and answer.parameters["n"].int64_param == -5


@case("HF15", "gRPC", "the Triton client with headers", "forwarded")
def test_triton_grpc(serve):
    server = serve("--grpc-header-forward-pattern=my_header.*")
    client = triton_grpc.InferenceServerClient(server.grpc_url)
    tensor = triton_grpc.InferInput("IN", [1, 1], "INT32")
    tensor.set_data_from_numpy(np.array([[5]], np.int32))
    answer = client.infer("m", [tensor], headers={"my_header_1": "v"}).get_response()
    assert answer.parameters["my_header_1"].string_param == "v"
    client.close()


@pytest.mark.parametrize("expression", ["(", "a)(b", "[", "(?-i)x", "x{2,1}"])
@pytest.mark.parametrize("flag", ["--http-header-forward-pattern", "--grpc-header-forward-pattern"])
@case("HF16", "flag", "an expression that is none", "exit code 2, with the flag and what is wrong")
def test_broken_patterns(flag, expression, repository):
    ended = run("serve", "--model-repository", str(repository), f"{flag}={expression}")
    assert ended.returncode == 2
    assert f"{flag}: expected a POSIX extended regular expression" in ended.stderr and expression in ended.stderr


@case("HF17", "flag", "an empty expression", "nothing is forwarded")
def test_empty_pattern(serve):
    assert echoed(serve("--http-header-forward-pattern="), {"x": "y"}) == {}


@case("HF18", "HTTP", "custom parameters of all kinds, 64-bit extremes", "identity gives them back as they came")
def test_identity_echoes_parameters(server):
    sent = {"s": "x\n", "i": -(2**63), "u": 2**64 - 1, "d": 0.5, "t": True, "f": False, "": "empty name"}
    answer = post_infer(server.http, "id_int32", {**GOOD, "parameters": sent})
    assert answer.json["parameters"] == sent


# ---- the load report ----

NAMES = ["cpu_utilization", "mem_utilization", "application_utilization", "rps_fractional", "eps", "named_metrics.pending_requests"]


def report(server, model, form, body=GOOD):
    answer = post_infer(server.http, model, body, {"endpoint-load-metrics-format": form})
    assert answer.status == 200
    return answer.headers.get("endpoint-load-metrics")


def read_text(text):
    assert text.startswith("TEXT ")
    return {name: float(value) for name, value in (pair.split("=") for pair in text[5:].split(", "))}


@case("OR01", "HTTP", "endpoint-load-metrics-format: text", "TEXT and name=value pairs, shares between 0 and 1")
def test_text(server):
    told = read_text(report(server, "id_int32", "text"))
    assert list(told) == NAMES
    assert all(0 <= told[name] <= 1 for name in NAMES[:3]) and 0 < told["mem_utilization"]


@case("OR02", "HTTP", "endpoint-load-metrics-format: json", "JSON and an OrcaLoadReport")
def test_json(server):
    text = report(server, "id_int32", "json")
    assert text.startswith("JSON ")
    told = json.loads(text[5:])
    assert list(told) == [*NAMES[:5], "named_metrics"] and list(told["named_metrics"]) == ["pending_requests"]


@case("OR03", "HTTP", "the format in capitals, as other servers' clients send it", "taken too")
def test_capitals(server):
    assert report(server, "id_int32", "TEXT").startswith("TEXT ")


@case("OR04", "HTTP", "no such header, an unknown format, an empty one", "no report; the inference is answered")
def test_no_report(server):
    for form in ("bin", "", "xml, text"):
        assert report(server, "id_int32", form) is None
    assert "endpoint-load-metrics" not in post_infer(server.http, "id_int32", GOOD).headers


@case("OR05", "HTTP", "requests, then a report a second later", "rates that were measured: requests and failures a second, the busiest model's share")
def test_rates(start, repository):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    models.add(repository, "slow", models.BATCHED + models.pair("INT32", "-1") + models.parameter("execute_delay_ms", "150"))
    models.add(repository, "bad", models.BATCHED + models.pair("INT32", "-1") + models.parameter("fail_executions", "every_n:1"))
    server = start(repository)
    seen = {"rps_fractional": 0, "eps": 0, "application_utilization": 0}
    for _ in range(100):
        told = read_text(report(server, "slow", "text"))
        assert post_infer(server.http, "bad", GOOD).status == 500
        seen = {name: max(value, told[name]) for name, value in seen.items()}
        if all(seen.values()):
            break
    assert 0.1 < seen["application_utilization"] <= 1
    assert seen["rps_fractional"] > seen["eps"] > 0


@case("OR06", "HTTP", "binary answers with a report", "both headers are there")
def test_with_binary_outputs(server):
    body = {**GOOD, "parameters": {"binary_data_output": True}}
    answer = post_infer(server.http, "id_int32", body, {"endpoint-load-metrics-format": "text"})
    assert re.fullmatch(r"\d+", answer.headers["inference-header-content-length"])
    assert answer.headers["endpoint-load-metrics"].startswith("TEXT ")


@case("OR07", "gRPC", "the same as metadata", "ignored: reports are for HTTP")
def test_not_for_grpc(server):
    message = infer_message("id_int32", ("IN", "INT32", [1, 1], bytes(4)))
    with grpc_channel(server.grpc) as channel:
        call = channel.unary_unary(SERVICE + "ModelInfer")
        _, ended = call.with_call(message.SerializeToString(), metadata=[("endpoint-load-metrics-format", "text")], timeout=60)
    assert "endpoint-load-metrics" not in dict([*ended.initial_metadata(), *ended.trailing_metadata()])


@case("OR08", "HTTP", "generate and generate_stream with the request header", "the report is in the head of either answer")
def test_generate(server):
    for call in ("generate", "generate_stream"):
        answer = request(server.http, "POST", f"/v2/models/id_int32/{call}", b'{"IN": [1]}', {"endpoint-load-metrics-format": "text"})
        assert answer.status == 200, answer.body
        assert list(read_text(answer.headers["endpoint-load-metrics"])) == NAMES
