"""The generate extension: POST .../generate and .../generate_stream, as plain HTTP clients use them."""

import json

import pytest
import wire
from cases import case, triton_differs


def generate(peer, model, body, stream=False, version=None):
    path = f"/v2/models/{model}" + (f"/versions/{version}" if version else "") + ("/generate_stream" if stream else "/generate")
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wire.request(peer.http, "POST", path, data, {"Content-Type": "application/json"})


def events(answer):
    """The JSON of each event of a stream."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    texts = answer.body.decode().split("\n\n")
    assert texts.pop() == ""
    assert all(text.startswith("data: ") for text in texts)
    return [json.loads(text.removeprefix("data: ")) for text in texts]


@case("GP01", "HTTP", "generate: numbers by the input's name", "numbers by the output's, with the model's name and version")
def test_numbers(peer):
    answer = generate(peer, "id_int32", {"IN": [1, 2, 3]})
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json == {"model_name": "id_int32", "model_version": "1", "OUT": [1, 2, 3]}


@case("GP02", "HTTP", "generate: a single value", "a single value")
@pytest.mark.parametrize("model, value", [("id_bytes", "Grüße"), ("id_int32", 7), ("id_fp32", 0.5), ("id_bool", True)])
def test_single_value(peer, model, value):
    assert generate(peer, model, {"IN": value}).json["OUT"] == value


@case("GP03", "HTTP", "generate: an id, and a version in the path", "the same id, that version")
def test_id_and_version(peer):
    answer = generate(peer, "versions", {"id": "r", "IN": [1]}, version=2).json
    assert (answer["id"], answer["model_version"]) == ("r", "2")


@case("GP04", "HTTP", "generate: members that are no input, alone and in parameters", "parameters of the request")
@pytest.mark.parametrize("more", [{"responses": 1}, {"parameters": {"responses": 1}}, {"mine": "x", "truth": True, "share": 0.5}])
def test_parameters(peer, more):
    answer = generate(peer, "decoupled", {"IN": [4], **more})
    assert (answer.status, answer.json["OUT"]) == (200, 4), answer.body


@case("GP05", "HTTP", "generate: a decoupled model with several responses, or none", "an error that names generate_stream")
@triton_differs("the error comes with the status 200")
@pytest.mark.parametrize("count", [0, 3])
def test_not_one_response(peer, count):
    answer = generate(peer, "decoupled", {"IN": [4], "responses": count})
    assert answer.status >= 400
    assert "generate" in answer.json["error"]


@case("GP06", "HTTP", "generate_stream: a decoupled model with several responses", "an event for each")
@pytest.mark.parametrize("count", [1, 3, 20])
def test_stream(peer, count):
    answer = generate(peer, "decoupled", {"IN": [4], "responses": count}, stream=True)
    assert answer.status == 200
    assert [event["OUT"] for event in events(answer)] == [4] * count


@case("GP07", "HTTP", "generate_stream: a model that answers once", "one event")
def test_stream_of_one(peer):
    (event,) = events(generate(peer, "id_bytes", {"IN": "x", "id": "r"}, stream=True))
    assert (event["OUT"], event["id"]) == ("x", "r")


@case("GP08", "HTTP", "generate_stream: a model that fails after two responses", "two events, then one with the error")
def test_failing_stream(peer):
    answer = generate(peer, "decoupled", {"IN": [4], "responses": 5, "fail_after_responses": 2}, stream=True)
    assert answer.status == 200
    *good, last = events(answer)
    assert [event["OUT"] for event in good] == [4, 4]
    assert "fail_after_responses" in last["error"]


@case("GP09", "HTTP", "generate, generate_stream on an unknown model or version", "404 with the name")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model, version", [("nothing", None), ("versions", 7)])
def test_unknown_model(peer, stream, model, version):
    answer = generate(peer, model, {"IN": [1]}, stream, version)
    assert answer.status == 404
    assert model in answer.json["error"]


@case("GP10", "HTTP", "generate, generate_stream without an input", "400")
@pytest.mark.parametrize("stream", [False, True])
def test_missing_input(peer, stream):
    check_bad(peer, {}, stream)


@case("GP15", "HTTP", "generate, generate_stream with another datatype, nested too deep", "400")
@triton_differs("an error of the server's (500), though the client's; arrays in arrays are taken")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("body", [{"IN": "text"}, {"IN": [[1]]}, {"IN": {"a": 1}}])
def test_bad_input(peer, stream, body):
    check_bad(peer, body, stream)


@case("GP11", "HTTP", "generate with a body that is no JSON, or no object", "400")
@triton_differs("an error of the server's (500), though the client's")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1"])
def test_no_json(peer, body):
    check_bad(peer, body, False)


def check_bad(peer, body, stream):
    answer = generate(peer, "id_int32", body, stream)
    assert answer.status == 400, answer.body
    assert answer.json["error"]


@case("GP12", "HTTP", "generate on a model that fails", "500 with its text")
@triton_differs("an error of the client's (400), though the model's")
def test_failing_model(peer):
    answer = generate(peer, "failing", {"IN": [1]})
    assert answer.status == 500
    assert "fail_executions" in answer.json["error"]


@case("GP13", "HTTP", "GET of generate and generate_stream", "405")
@pytest.mark.parametrize("path", ["generate", "generate_stream"])
def test_wrong_method(peer, path):
    assert wire.get(peer.http, f"/v2/models/id_int32/{path}").status == 405


@case("GP14", "HTTP", "generate with several inputs", "all outputs by their names")
def test_several_inputs(peer):
    answer = generate(peer, "several", {"IN0": [1, 2, 3, 4], "IN1": 5, "IN2": ["a", "b"]}).json
    assert (answer["OUT0"], answer["OUT1"], answer["OUT2"]) == ([1, 2, 3, 4], 5, ["a", "b"])
