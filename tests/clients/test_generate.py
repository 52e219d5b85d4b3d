"""The generate extension: flat JSON in and out, and server-sent events."""

import gzip
import json
import re

import pytest
from cases import case
from models import BATCHED, PLAIN, add, pair, parameter, tensor
from serving import Server, wait_until
from streaming import cancelled, pending, succeeded
from wire import Http2, Socket, get, good_inference, request

DECOUPLED = "model_transaction_policy { decoupled: true }\n"
NUMBERS = ["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64", "BF16"]
ONE_RESPONSE = "generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses"


def build(folder):
    add(folder, "id_int32", BATCHED + pair("INT32", "-1"))
    add(folder, "text", BATCHED + pair("BYTES", "1"))
    add(folder, "words", BATCHED + pair("BYTES", "-1"))
    add(folder, "flag", PLAIN + pair("BOOL", "1"))
    for datatype in NUMBERS:
        add(folder, "one_" + datatype.lower(), PLAIN + pair(datatype, "1"))
        add(folder, "many_" + datatype.lower(), BATCHED + pair(datatype, "-1"))
    add(folder, "matrix", PLAIN + pair("INT32", "2, -1, 2"))
    add(folder, "fixed", PLAIN + pair("INT32", "2, 2"))
    add(folder, "vague", PLAIN + pair("INT32", "-1, -1"))
    add(folder, "two", BATCHED + tensor("input", "text_input", "BYTES", "1") + tensor("input", "stream", "BOOL", "1", "optional: true")
        + tensor("output", "text_output", "BYTES", "1") + tensor("output", "streamed", "BOOL", "1"))
    add(folder, "odd names", BATCHED + tensor("input", "id", "INT32", "1") + tensor("input", "parameters", "INT32", "1")
        + tensor("output", "A", "INT32", "1") + tensor("output", "B", "INT32", "1"))
    add(folder, "tokens", BATCHED + pair("BYTES", "1") + DECOUPLED)
    add(folder, "endless", BATCHED + pair("BYTES", "1") + DECOUPLED + parameter("responses", "100000") + parameter("response_delay_ms", "5"))
    add(folder, "stuck", BATCHED + pair("BYTES", "1") + parameter("execute_delay_ms", "600000"))
    add(folder, "failing", BATCHED + pair("BYTES", "1") + parameter("fail_executions", "every_n:1"))
    add(folder, "bulk", BATCHED + pair("INT32", "-1") + DECOUPLED)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A server with these models; must end cleanly."""
    folder = tmp_path_factory.mktemp("generate")
    build(folder)
    running = Server(folder)
    yield running
    good_inference(running.http)
    running.stop()


@pytest.fixture
def own(start, repository):
    build(repository)
    return lambda *flags: start(repository, *flags)


def generate(server, model, body, headers=None, stream=False, version=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = f"/v2/models/{model}" + (f"/versions/{version}" if version else "") + ("/generate_stream" if stream else "/generate")
    return request(server.http, "POST", path, data, headers)


def events(answer):
    """The JSON of each event of an answer, whose form must be exact."""
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    text = answer.body.decode()
    found = re.findall(r"data: ([^\n]*)\n\n", text)
    assert "".join(f"data: {event}\n\n" for event in found) == text
    return [json.loads(event) for event in found]


# ---- generate ----


@case("GN01", "HTTP", "generate with a string", "model_name, model_version and the output, flat")
def test_text(served):
    answer = generate(served, "text", {"IN": "hello \u00fc"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"model_name": "text", "model_version": "1", "OUT": "hello \u00fc"}


@case("GN02", "HTTP", "generate with id, and on a version", "the id comes back; the version is served")
def test_id_and_version(served):
    assert generate(served, "text", {"id": "4 2", "IN": "a"}, version=1).json["id"] == "4 2"
    assert generate(served, "text", {"IN": "a"}, version=9).status == 404
    assert "id" not in generate(served, "text", {"IN": "a"}).json


@case("GN03", "HTTP", "generate with a number, for each datatype", "a number comes back")
@pytest.mark.parametrize("datatype", NUMBERS)
def test_numbers(served, datatype):
    assert generate(served, "one_" + datatype.lower(), {"IN": 5}).json["OUT"] == 5


@case("GN04", "HTTP", "generate with an array, for each datatype", "an array; one of a single element is a value")
@pytest.mark.parametrize("datatype", NUMBERS)
def test_arrays(served, datatype):
    model = "many_" + datatype.lower()
    assert generate(served, model, {"IN": [1, 2, 3]}).json["OUT"] == [1, 2, 3]
    assert generate(served, model, {"IN": [7]}).json["OUT"] == 7
    assert generate(served, model, {"IN": 7}).json["OUT"] == 7
    assert generate(served, model, {"IN": []}).json["OUT"] == []


@case("GN05", "HTTP", "generate with true and false", "come back")
def test_bool(served):
    for value in (True, False):
        assert generate(served, "flag", {"IN": value}).json["OUT"] is value


@case("GN06", "HTTP", "generate with several strings", "an array of strings")
def test_words(served):
    assert generate(served, "words", {"IN": ["a", "", "\u00e4\n\""]}).json["OUT"] == ["a", "", "\u00e4\n\""]


@case("GN07", "HTTP", "generate where the dims have a fixed part", "the variable dimension follows from the number of values")
def test_deduced_shapes(served):
    assert generate(served, "matrix", {"IN": list(range(12))}).json["OUT"] == list(range(12))
    assert generate(served, "fixed", {"IN": [1, 2, 3, 4]}).json["OUT"] == [1, 2, 3, 4]


@case("GN08", "HTTP", "generate with a number of values that fits no shape", "400 that tells the dims")
@pytest.mark.parametrize("model,values,text", [
    ("matrix", [1, 2, 3], "IN: expected a multiple of 4 values for dims [2,-1,2], got 3"),
    ("fixed", [1, 2, 3], "IN: expected 4 values for dims [2,2], got 3"),
    ("text", ["a", "b"], "IN: expected 1 value for dims [1], got 2"),
    ("vague", [1, 2], "several variable dimensions"),
])
def test_wrong_counts(served, model, values, text):
    answer = generate(served, model, {"IN": values})
    assert answer.status == 400
    assert text in answer.error


@case("GN09", "HTTP", "generate with an input of two, the optional one there or not", "the outputs that there are")
def test_optional_input(served):
    assert generate(served, "two", {"text_input": "x"}).json == {"model_name": "two", "model_version": "1", "text_output": "x"}
    assert generate(served, "two", {"text_input": "x", "stream": True}).json["streamed"] is True


@case("GN10", "HTTP", "generate with other members, and with `parameters`", "request parameters: the model gets them")
def test_parameters(served):
    for body in ({"IN": "a", "responses": 1, "separate_final": True}, {"IN": "a", "parameters": {"responses": 1, "separate_final": True}}):
        assert generate(served, "tokens", body).json["OUT"] == "a"
    assert generate(served, "tokens", {"IN": "a", "responses": -1}).status == 400
    assert generate(served, "tokens", {"IN": "a", "parameters": {"responses": -1}}).status == 400
    assert generate(served, "text", {"IN": "a", "temperature": 0.5, "top_k": 3, "stop": "x", "stream": False}).status == 200


@case("GN11", "HTTP", "generate on a model whose inputs are named `id` and `parameters`", "they are the inputs")
def test_inputs_with_odd_names(served):
    answer = generate(served, "odd%20names", {"id": 1, "parameters": 2})
    assert answer.json == {"model_name": "odd names", "model_version": "1", "A": 1, "B": 2}


@case("GN12", "HTTP", "generate with a sequence", "its parameters come back, flat")
def test_sequence(served):
    answer = generate(served, "text", {"IN": "a", "sequence_id": 7, "sequence_start": True, "sequence_end": False})
    assert answer.json == {
        "model_name": "text", "model_version": "1", "sequence_id": 7, "sequence_start": True, "sequence_end": False, "OUT": "a"}


@case("TP09", "HTTP", "generate with parameters named as members of the answer", "each key once: the server's own, then outputs, then parameters")
@pytest.mark.parametrize("stream", [False, True])
def test_each_key_once(served, stream):
    body = {"id": "7", "text_input": "a", "model_name": "z", "model_version": 5, "text_output": "b", "x": 1, "parameters": {"streamed": 2}}
    answer = generate(served, "two", {**body, "stream": True}, stream=stream)
    text = answer.body.decode().removeprefix("data: ")
    assert json.JSONDecoder(object_pairs_hook=list).decode(text.strip()) == [
        ("id", "7"), ("model_name", "two"), ("model_version", "1"), ("x", 1), ("text_output", "a"), ("streamed", True)]


BROKEN = [
    (b"", "the request is not JSON: byte 0 of 0: it is empty"),
    (b"{", "the request is not JSON"),
    (b"[]", "request: expected an object, got an array"),
    (b'{"IN": 1}', "IN: expected a string for BYTES, got 1"),
    (b'{"IN": [1]}', "IN[0]: expected a string for BYTES, got 1"),
    (b'{"IN": null}', "IN: expected a string for BYTES, got null"),
    (b'{"IN": {}}', "IN: expected a string for BYTES, got an object"),
    (b'{"IN": [["a"]]}', "IN[0]: expected a string for BYTES, got an array"),
    (b'{"IN": "a", "IN": "b"}', "IN: the member is given twice"),
    (b'{"IN": "a", "id": 5}', "id: expected a string, got 5"),
    (b'{"IN": "a", "id": "1", "id": "2"}', "id: the member is given twice"),
    (b'{"IN": "a", "x": null}', "x: expected a string, a number, true or false, got null"),
    (b'{"IN": "a", "x": [1]}', "x: expected a string, a number, true or false, got an array"),
    (b'{"IN": "a", "parameters": null}', "parameters: expected an object, got null"),
    (b'{"IN": "a", "parameters": [1]}', "parameters: expected an object, got an array"),
    (b'{"IN": "a", "parameters": 5}', "parameters: expected an object, got 5"),
    (b'{"IN": "a", "parameters": {"y": {}}}', "parameters.y: expected a string, a number, true or false, got an object"),
    (b'{"IN": "a", "parameters": {}, "parameters": {}}', "parameters: the member is given twice"),
    (b'{"IN": "a", "x": 1, "x": 1}', "x: the member is given twice"),
    (b'{"IN": "a", "parameters": {"x": 1, "x": 1}}', "x: the member is given twice"),
    (b'{"IN": "a", "x": 1, "parameters": {"x": 1}}', "x: the member is given twice"),
    (b'{"IN": "a", "x": 99999999999999999999}', "x: expected a number in the range of 64 bits, got 99999999999999999999"),
    (b'{"IN": "a", "timeout": "soon"}', "parameter 'timeout': expected microseconds"),
    (b'{"IN": "a", "triton_x": 1}', "parameter 'triton_x' is reserved"),
    (b'{"IN": "a", "headers": 1}', "parameter 'headers' is reserved"),
    (b"{}", "expected 1 inputs but got 0 inputs for model 'text'"),
]


@case("GN13", "HTTP", "generate with a body that is broken or wrong, of every kind", "400 with the member")
@pytest.mark.parametrize("body,text", BROKEN)
def test_broken_bodies(served, body, text):
    for stream in (False, True):
        answer = generate(served, "text", body, stream=stream)
        assert answer.status == 400
        assert text in answer.error


@case("GN14", "HTTP", "generate with numbers out of the range of the datatype", "400 with the element")
def test_range(served):
    answer = generate(served, "many_int8", {"IN": [1, 300]})
    assert (answer.status, answer.error) == (400, "IN[1]: expected an integer in -128..127 for INT8, got 300")


@case("GN15", "HTTP", "generate on an unknown model, a failing one, with GET", "404, 500, 405")
def test_other_errors(served):
    assert generate(served, "nothing", {"IN": "a"}).status == 404
    assert generate(served, "failing", {"IN": "a"}).status == 500
    assert generate(served, "failing", {"IN": "a"}, stream=True).status == 500
    assert get(served.http, "/v2/models/text/generate").status == 405
    assert get(served.http, "/v2/models/text/generate_stream").headers["allow"] == "POST"


@case("GN16", "HTTP", "generate with a compressed body", "501: the extension knows none; identity is taken")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_compressed_bodies(served, coding):
    for stream in (False, True):
        answer = generate(served, "text", gzip.compress(b'{"IN": "a"}'), {"Content-Encoding": coding}, stream=stream)
        assert answer.status == 501
        assert "Content-Encoding" in answer.error
        assert generate(served, "text", {"IN": "a"}, {"Content-Encoding": "identity"}, stream=stream).status == 200


@case("GN17", "HTTP", "generate with Accept-Encoding", "the answer is plain")
def test_answers_are_plain(served):
    for stream in (False, True):
        answer = generate(served, "text", {"IN": "a" * 1000}, {"Accept-Encoding": "gzip"}, stream=stream)
        assert "content-encoding" not in answer.headers
        assert b"a" * 1000 in answer.body


@case("GN18", "HTTP", "generate on a decoupled model that makes one response, its end with it or apart", "200")
def test_decoupled_with_one(served):
    for apart in (False, True):
        assert generate(served, "tokens", {"IN": "a", "separate_final": apart}).json["OUT"] == "a"


@case("GN19", "HTTP", "generate on a decoupled model that makes none or several", "500: exactly 1 response is expected")
@pytest.mark.parametrize("count", [0, 2, 50])
def test_decoupled_with_several(served, count):
    for apart in (False, True):
        answer = generate(served, "tokens", {"IN": "a", "responses": count, "separate_final": apart})
        assert (answer.status, answer.error) == (500, ONE_RESPONSE)


@case("GN20", "HTTP", "generate on a decoupled model without end", "answered at the second response; the model is told to stop")
def test_generate_endless(own):
    server = own()
    answer = generate(server, "endless", {"IN": "a"})
    assert (answer.status, answer.error) == (500, ONE_RESPONSE)
    wait_until(lambda: cancelled(server, "endless") == 1)


@case("GN21", "HTTP", "generate with an error after the first response", "the error")
def test_generate_error_in_the_middle(served):
    answer = generate(served, "tokens", {"IN": "a", "responses": 5, "fail_after_responses": 1})
    assert answer.status == 500
    assert "identity fails after 1 responses" in answer.error


@case("GN22", "HTTP", "generate, requests one after the other on one connection", "each has its answer")
def test_keep_alive(served):
    with Socket(served.http) as connection:
        for i in range(20):
            data = json.dumps({"IN": str(i)}).encode()
            kind = b"generate_stream" if i % 2 else b"generate"
            connection.send(b"POST /v2/models/text/%s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (kind, len(data)) + data)
            answer = connection.read_response("POST")
            assert json.loads(answer.body.removeprefix(b"data: "))["OUT"] == str(i)


# ---- generate_stream ----


@case("GN23", "HTTP", "generate_stream on a model with one response", "one event")
def test_stream_of_one(served):
    assert events(generate(served, "text", {"id": "x", "IN": "a"}, stream=True)) == [
        {"id": "x", "model_name": "text", "model_version": "1", "OUT": "a"}]


@case("GN24", "HTTP", "generate_stream on a decoupled model", "an event for each response, and none for the end")
@pytest.mark.parametrize("count", [0, 1, 3, 300])
def test_stream_of_several(served, count):
    for apart in (False, True):
        answer = generate(served, "tokens", {"IN": "a", "responses": count, "separate_final": apart}, stream=True)
        assert answer.status == 200
        assert [event["OUT"] for event in events(answer)] == ["a"] * count


@case("GN25", "HTTP", "generate_stream with an error before any response", "its status and {\"error\"}")
def test_stream_error_first(served):
    answer = generate(served, "tokens", {"IN": "a", "responses": 5, "fail_after_responses": 0}, stream=True)
    assert answer.status == 500
    assert "identity fails after 0 responses" in answer.error


@case("GN26", "HTTP", "generate_stream with an error after some responses", "200, the responses, and an event with the error")
def test_stream_error_later(served):
    answer = generate(served, "tokens", {"IN": "a", "responses": 5, "fail_after_responses": 2}, stream=True)
    assert answer.status == 200
    *good, last = events(answer)
    assert [event["OUT"] for event in good] == ["a", "a"]
    assert list(last) == ["error"]
    assert "identity fails after 2 responses" in last["error"]


@case("GN27", "HTTP/2", "generate_stream", "the same events as over HTTP/1.1")
def test_stream_over_h2(served):
    with Http2(served.http) as connection:
        number = connection.begin("POST", "/v2/models/tokens/generate_stream")
        connection.data(number, json.dumps({"IN": "a", "responses": 3}).encode())
        state = connection.answer(number)
    assert state["fields"][":status"] == "200"
    assert state["fields"]["content-type"] == "text/event-stream; charset=utf-8"
    assert state["body"].count(b"data: ") == 3


@case("GN28", "HTTP/1.1", "generate_stream, read while the model makes responses", "events come one by one")
def test_events_come_one_by_one(served):
    with Socket(served.http) as connection:
        ask(connection, "endless", {"IN": "a"})
        data = b""
        while data.count(b"data: ") < 5:
            data += connection.socket.recv(1000)
        assert data.startswith(b"HTTP/1.1 200 OK")
        assert b"chunked" in data


def ask(connection, model, body, kind=b"generate_stream"):
    data = json.dumps(body).encode()
    connection.send(b"POST /v2/models/%s/%s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (model.encode(), kind, len(data)) + data)


LEAVE = {
    "reset": lambda connection: connection.abort(),
    "close": lambda connection: connection.socket.close(),
    "half-close": lambda connection: connection.close_sending(),
}


@case("GN29", "HTTP/1.1", "a client that resets, closes or half-closes while it gets events", "the request is cancelled; the model stops")
@pytest.mark.parametrize("how", LEAVE)
def test_lost_while_streaming(own, how):
    server = own()
    with Socket(server.http) as connection:
        ask(connection, "endless", {"IN": "a"})
        assert connection.socket.recv(1000)
        LEAVE[how](connection)
        wait_until(lambda: cancelled(server, "endless") == 1)


@case("GN30", "HTTP", "clients that leave before any event, running and queued", "their requests are cancelled")
@pytest.mark.parametrize("kind", [b"generate", b"generate_stream"])
def test_lost_before_the_first(own, kind):
    server = own()
    with Socket(server.http) as running, Socket(server.http) as queued:
        ask(running, "stuck", {"IN": "a"}, kind)
        ask(queued, "stuck", {"IN": "a"}, kind)
        wait_until(lambda: pending(server, "stuck") == 1)
    wait_until(lambda: cancelled(server, "stuck") == 2)


@case("GN31", "HTTP/2", "a stream of events that its client resets", "the request is cancelled; the connection goes on")
def test_reset_while_streaming(own):
    server = own()
    with Http2(server.http) as connection:
        number = connection.begin("POST", "/v2/models/endless/generate_stream")
        connection.data(number, b'{"IN": "a"}')
        while not connection.streams[number]["body"]:
            connection.receive()
        connection.h2.reset_stream(number)
        connection.flush()
        wait_until(lambda: cancelled(server, "endless") == 1)
        live = connection.begin("GET", "/v2/health/live", end=True)
        assert connection.answer(live)["fields"][":status"] == "200"


@case("GN32", "HTTP", "generate with `timeout`", "503 at that moment")
def test_timeout(served):
    for stream in (False, True):
        answer = generate(served, "stuck", {"IN": "a", "timeout": 200_000}, stream=stream)
        assert (answer.status, answer.error) == (503, "Request timeout expired")


@case("GN33", "HTTP", "generate_stream with a `timeout` that passes after some events", "an event with the error ends it")
def test_timeout_while_streaming(served):
    answer = generate(served, "endless", {"IN": "a", "timeout": 300_000}, stream=True)
    assert answer.status == 200
    *good, last = events(answer)
    assert good
    assert last == {"error": "Request timeout expired"}


@case("GN34", "HTTP", "generate_stream to a client that reads nothing, beyond --max-inflight-size", "the connection is given up, the request cancelled; others are served")
def test_slow_reader(own):
    server = own("--max-inflight-size=8000000", "--max-request-size=2000000")
    with Socket(server.http) as connection:
        ask(connection, "bulk", {"IN": [1] * 100_000, "responses": 100_000})
        wait_until(lambda: cancelled(server, "bulk") == 1)
        good_inference(server.http)


@case("GN35", "HTTP", "generate with endpoint-load-metrics-format", "the report in a header, of generate_stream too")
def test_load_report(served):
    for stream in (False, True):
        answer = generate(served, "text", {"IN": "a"}, {"endpoint-load-metrics-format": "text"}, stream=stream)
        assert answer.headers["endpoint-load-metrics"].startswith("TEXT ")


@case("GN36", "HTTP", "generate on models that succeed", "statistics count them")
def test_statistics(own):
    server = own()
    for i in range(3):
        generate(server, "text", {"IN": "a"}, stream=i == 1)
    assert succeeded(server, "text") == 3


@case("GN37", "HTTP/1.0", "generate_stream", "the events, and the connection is closed behind them")
def test_stream_over_http_1_0(served):
    with Socket(served.http) as connection:
        data = b'{"IN": "a", "responses": 2}'
        connection.send(b"POST /v2/models/tokens/generate_stream HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        answer = connection.read_to_end()
    head, body = answer.split(b"\r\n\r\n", 1)
    assert b"chunked" not in head
    assert body.count(b"data: ") == 2
