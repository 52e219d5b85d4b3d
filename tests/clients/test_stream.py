"""ModelStreamInfer: many requests on one call, decoupled models, errors inside the stream, and clients that are slow or lost."""

import queue
import random
import struct
import threading

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_aio
from cases import case
from models import BATCHED, add, pair, parameter
from serving import Server, wait_until
from streaming import Stream, ask, cancelled, is_final, metric, pending, succeeded
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException
from wire import SERVICE, Http2, get, good_inference, grpc_error, infer_input, infer_message, post_infer

DECOUPLED = BATCHED + pair("INT32", "-1") + "model_transaction_policy { decoupled: true }\n"
INVALID, NOT_FOUND, UNAVAILABLE = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE
EXHAUSTED, UNIMPLEMENTED, EXCEEDED = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.DEADLINE_EXCEEDED


def build(folder):
    add(folder, "id_int32", BATCHED + pair("INT32", "-1"))
    add(folder, "slow", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "200"))
    add(folder, "slower", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "400"))
    add(folder, "stuck", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "600000"))
    add(folder, "failing", BATCHED + pair("INT32", "-1") + parameter("fail_executions", "every_n:1"))
    add(folder, "decoupled", DECOUPLED)
    add(folder, "endless", DECOUPLED + parameter("responses", "100000") + parameter("response_delay_ms", "5"))
    add(folder, "bytes", BATCHED + pair("BYTES", "-1"))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A server with these models; must end cleanly."""
    folder = tmp_path_factory.mktemp("streams")
    build(folder)
    running = Server(folder)
    yield running
    good_inference(running.http)
    running.stop()


@pytest.fixture
def own(start, repository):
    """A server of the test's own: own(*flags)."""
    build(repository)
    return lambda *flags: start(repository, *flags)


# ---- one request after the other ----


@case("ST01", "gRPC stream", "a request", "its response with id, model, outputs and triton_final_response true; half-close: OK")
def test_one_request(served):
    with Stream(served.grpc) as stream:
        stream.send(ask("id_int32", "seven", 7))
        response = stream.good()
        assert (response.id, response.model_name, response.model_version) == ("seven", "id_int32", "1")
        assert response.raw_output_contents[0] == struct.pack("<i", 7)
        assert (response.outputs[0].name, response.outputs[0].datatype, list(response.outputs[0].shape)) == ("OUT", "INT32", [1, 1])
        assert is_final(response)
        assert stream.rest() == []


@case("ST02", "gRPC stream", "nothing but a half-close", "OK without a message")
def test_empty_stream(served):
    with Stream(served.grpc) as stream:
        assert stream.rest() == []


@case("ST03", "gRPC stream", "answers and requests in turn, by the hundred", "each is answered while the stream is open")
def test_ping_pong(served):
    with Stream(served.grpc) as stream:
        for i in range(300):
            stream.send(ask("id_int32", str(i), i))
            response = stream.good()
            assert (response.id, response.raw_output_contents[0]) == (str(i), struct.pack("<i", i))


@case("ST04", "gRPC stream", "a thousand requests at once", "a thousand answers in their order")
def test_thousand_requests(served):
    with Stream(served.grpc) as stream:
        stream.send(*[ask("id_int32", str(i), i) for i in range(1000)])
        answers = stream.rest()
    assert [answer.infer_response.id for answer in answers] == [str(i) for i in range(1000)]
    assert all(answer.infer_response.raw_output_contents[0] == struct.pack("<i", i) for i, answer in enumerate(answers))


@case("ST05", "gRPC stream", "requests for models of different speed, the slowest first", "answered in request order")
def test_order_of_mixed_models(served):
    with Stream(served.grpc) as stream:
        stream.send(*[ask(model, f"{i} {model}") for i in range(3) for model in ("slower", "slow", "id_int32")])
        assert [answer.infer_response.id for answer in stream.rest()] == [
            f"{i} {model}" for i in range(3) for model in ("slower", "slow", "id_int32")]


@case("ST06", "gRPC stream", "an error in the middle of requests that take long", "comes at its place")
def test_order_of_errors(served):
    with Stream(served.grpc) as stream:
        stream.send(ask("slow", "1"), ask("nothing", "2"), ask("failing", "3"), ask("slow", "4"), infer_message("id_int32", id="5"), ask("id_int32", "6"))
        answers = stream.rest()
    assert [answer.infer_response.id for answer in answers] == ["1", "2", "3", "4", "5", "6"]
    assert [bool(answer.error_message) for answer in answers] == [False, True, True, False, True, False]


@case("ST07", "gRPC stream", "tensors of 5 MB in both directions", "come back as they were")
def test_large_messages(served):
    values = [random.Random(i).randbytes(5_000_000) for i in range(3)]
    with Stream(served.grpc) as stream:
        stream.send(*[infer_message("id_int32", ("IN", "INT32", [1, 1_250_000], value)) for value in values])
        answers = stream.rest()
    assert [answer.infer_response.raw_output_contents[0] for answer in answers] == values


@case("ST08", "gRPC stream", "typed contents, BYTES, wanted outputs, sequence parameters", "as in ModelInfer")
def test_forms_of_requests(served):
    typed = infer_message("id_int32", ("IN", "INT32", [1, 2], None))
    typed.inputs[0].contents.int_contents.extend([1, -2])
    named = ask("id_int32", "named", sequence_id=9, sequence_start=True, sequence_end=False)
    named.outputs.add(name="OUT")
    words = infer_message("bytes", ("IN", "BYTES", [1, 1], b"\2\0\0\0hi"))
    with Stream(served.grpc) as stream:
        stream.send(typed, named, words)
        first, second, third = (answer.infer_response for answer in stream.rest())
    assert first.raw_output_contents[0] == struct.pack("<2i", 1, -2)
    assert second.parameters["sequence_id"].int64_param == 9
    assert is_final(second)
    assert third.raw_output_contents[0] == b"\2\0\0\0hi"


@case("ST09", "gRPC stream", "messages compressed by gzip or deflate", "understood")
@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed(served, compression):
    with Stream(served.grpc, compression=compression) as stream:
        stream.send(ask("id_int32", "a", 3), ask("id_int32", "b", 4))
        assert [answer.infer_response.raw_output_contents[0] for answer in stream.rest()] == [struct.pack("<i", 3), struct.pack("<i", 4)]


@case("ST10", "gRPC stream", "several streams on one connection, and calls beside them", "do not disturb each other")
def test_streams_side_by_side(served):
    with grpc.insecure_channel(served.grpc_url) as channel:
        method = channel.stream_stream(SERVICE + "ModelStreamInfer", pb.ModelInferRequest.SerializeToString, pb.ModelStreamInferResponse.FromString)
        infer = channel.unary_unary(SERVICE + "ModelInfer", pb.ModelInferRequest.SerializeToString, pb.ModelInferResponse.FromString)
        calls = [method(iter([ask("slow", f"{s} {i}") for i in range(3)])) for s in range(5)]
        assert infer(ask("id_int32", "between")).id == "between"
        for s, call in enumerate(calls):
            assert [answer.infer_response.id for answer in call] == [f"{s} {i}" for i in range(3)]


# ---- decoupled models ----


@case("ST11", "gRPC stream", "decoupled: several responses to a request", "all of them; the last alone is final")
@pytest.mark.parametrize("count", [1, 2, 7, 500])
def test_several_responses(served, count):
    with Stream(served.grpc) as stream:
        stream.send(ask("decoupled", "n", 5, responses=count))
        answers = [answer.infer_response for answer in stream.rest()]
    assert [answer.id for answer in answers] == ["n"] * count
    assert [is_final(answer) for answer in answers] == [False] * (count - 1) + [True]
    assert all(answer.raw_output_contents[0] == struct.pack("<i", 5) for answer in answers)


@case("ST12", "gRPC stream", "decoupled: an end that comes after the last response", "nothing tells it: no response is final")
def test_separate_final_unasked(served):
    with Stream(served.grpc) as stream:
        stream.send(ask("decoupled", "n", responses=2, separate_final=True))
        assert [is_final(answer.infer_response) for answer in stream.rest()] == [False, False]


@case("ST13", "gRPC stream", "the same with triton_enable_empty_final_response", "an empty final response with id, model and version")
def test_separate_final_asked(served):
    with Stream(served.grpc) as stream:
        stream.send(ask("decoupled", "n", responses=2, separate_final=True, triton_enable_empty_final_response=True))
        answers = [answer.infer_response for answer in stream.rest()]
    assert [is_final(answer) for answer in answers] == [False, False, True]
    last = answers[-1]
    assert (last.id, last.model_name, last.model_version) == ("n", "decoupled", "1")
    assert len(last.outputs) == len(last.raw_output_contents) == 0
    assert list(last.parameters) == ["triton_final_response"]


@case("ST14", "gRPC stream", "triton_enable_empty_final_response where the last response is final", "no empty one behind it")
def test_no_second_final(served):
    with Stream(served.grpc) as stream:
        for model in ("decoupled", "id_int32"):
            stream.send(ask(model, "n", triton_enable_empty_final_response=True))
            assert is_final(stream.good())
        assert stream.rest() == []


@case("ST15", "gRPC stream", "decoupled: no response at all", "nothing; with triton_enable_empty_final_response an empty final one")
def test_no_responses(served):
    with Stream(served.grpc) as stream:
        stream.send(ask("decoupled", "unheard", responses=0), ask("decoupled", "heard", responses=0, triton_enable_empty_final_response=True))
        answers = [answer.infer_response for answer in stream.rest()]
    assert [(answer.id, is_final(answer), len(answer.outputs)) for answer in answers] == [("heard", True, 0)]


@case("ST16", "gRPC stream", "decoupled: an error after some responses", "the responses, then the error; the stream goes on")
@pytest.mark.parametrize("count", [0, 1, 3])
def test_error_in_the_middle(served, count):
    with Stream(served.grpc) as stream:
        stream.send(ask("decoupled", "n", responses=9, fail_after_responses=count))
        for _ in range(count):
            assert not is_final(stream.good())
        text, identity = stream.error()
        assert f"identity fails after {count} responses" in text
        assert identity == "n"
        stream.send(ask("decoupled", "next"))
        assert is_final(stream.good())


@case("ST17", "gRPC stream", "decoupled and other models together", "a decoupled one waits for nobody, and nobody for it")
def test_decoupled_is_not_held_up(served):
    with Stream(served.grpc) as stream:
        stream.send(ask("endless", "endless", response_delay_ms=600_000), ask("slow", "slow"), ask("decoupled", "quick", responses=2), ask("id_int32", "behind slow"))
        assert [stream.good().id for _ in range(4)] == ["quick", "quick", "slow", "behind slow"]


@case("ST18", "gRPC stream", "requests for a decoupled model by several instances' worth", "responses of different requests may mix; each request's come in order")
def test_decoupled_requests_mix(served):
    with Stream(served.grpc) as stream:
        stream.send(*[ask("decoupled", str(i), i, responses=5) for i in range(50)])
        answers = [answer.infer_response for answer in stream.rest()]
    for i in range(50):
        own = [answer for answer in answers if answer.id == str(i)]
        assert [is_final(answer) for answer in own] == [False] * 4 + [True]
        assert {answer.raw_output_contents[0] for answer in own} == {struct.pack("<i", i)}


@case("ST19", "gRPC, HTTP", "ModelInfer or infer on a decoupled model", "UNIMPLEMENTED, 501: there is no room for several responses")
def test_decoupled_without_stream(served):
    code, text = grpc_error(served.grpc, "ModelInfer", ask("decoupled"))
    assert code == UNIMPLEMENTED
    answer = post_infer(served.http, "decoupled", {"inputs": [infer_input([1])]})
    assert answer.status == 501
    for message in (text, answer.error):
        assert "doesn't support models with decoupled transaction policy" in message


@case("ST20", "HTTP", "config of a decoupled model", "shows model_transaction_policy")
def test_decoupled_config(served):
    assert get(served.http, "/v2/models/decoupled/config").json["model_transaction_policy"] == {"decoupled": True}


@case("ST21", "gRPC stream", "decoupled requests, good and failed", "statistics count requests, not responses")
def test_decoupled_statistics(own):
    server = own()
    with Stream(server.grpc) as stream:
        stream.send(ask("decoupled", responses=10), ask("decoupled", responses=0), ask("decoupled", responses=5, fail_after_responses=2))
        stream.rest()
    counted = get(server.http, "/v2/models/decoupled/stats").json["model_stats"][0]
    assert counted["inference_stats"]["success"]["count"] == 2
    assert counted["inference_stats"]["fail"]["count"] == 1
    assert counted["inference_count"] == 2


# ---- errors ----


def broken():
    message = ask("id_int32", "x")
    message.inputs[0].shape[1] = 5
    return message


ERRORS = {
    "unknown model": (ask("nothing", "x"), NOT_FOUND, "Request for unknown model: 'nothing' is not found"),
    "no input": (infer_message("id_int32", id="x"), INVALID, "expected 1 inputs but got 0 inputs"),
    "too few bytes": (broken(), INVALID, "byte"),
    "version": (ask("id_int32", "x").__class__(model_name="id_int32", model_version="one", id="x"), INVALID, "version"),
    "reserved parameter": (ask("id_int32", "x", triton_anything=1), INVALID, "triton_anything"),
    "parameter of a wrong kind": (ask("id_int32", "x", triton_enable_empty_final_response=1), INVALID, "true or false"),
    "backend's parameter": (ask("decoupled", "x", responses=-1), INVALID, "responses"),
    "engine": (ask("failing", "x"), grpc.StatusCode.INTERNAL, "identity fails every execution"),
}


@case("ST22", "gRPC stream", "a request that is refused or fails, of every kind", "error_message with the id; the stream goes on and ends with OK")
@pytest.mark.parametrize("kind", ERRORS)
def test_errors_leave_the_stream_open(served, kind):
    message, _, text = ERRORS[kind]
    with Stream(served.grpc) as stream:
        stream.send(message)
        told, identity = stream.error()
        assert text in told
        assert identity == "x"
        stream.send(ask("id_int32", "good"))
        assert stream.good().id == "good"
        assert stream.rest() == []


@case("ST23", "gRPC stream", "a message that is no ModelInferRequest", "error_message without an id; the stream goes on")
def test_broken_message(served):
    with Stream(served.grpc) as stream:
        stream.send(b"\xff\xff\xff\xff", ask("id_int32", "good"))
        text, identity = stream.error()
        assert text
        assert identity == ""
        assert stream.good().id == "good"


@case("ST24", "gRPC stream", "metadata triton_grpc_error: true, and a request that is refused or fails", "the stream ends with the status of the error")
@pytest.mark.parametrize("kind", ERRORS)
def test_grpc_errors(served, kind):
    message, code, text = ERRORS[kind]
    with Stream(served.grpc, metadata=[("triton_grpc_error", "true")]) as stream:
        stream.send(ask("id_int32", "good"))
        assert stream.good().id == "good"
        stream.send(message, ask("id_int32", "never"))
        told, details = stream.failure()
        assert told == code
        assert text in details


@case("ST25", "gRPC stream", "the same with other requests pending, queued and running", "they are cancelled")
def test_grpc_error_cancels_the_others(own):
    server = own()
    with Stream(server.grpc, metadata=[("triton_grpc_error", "true")]) as stream:
        stream.send(*[ask("endless", response_delay_ms=600_000) for _ in range(3)])
        wait_until(lambda: pending(server, "endless") == 2)
        stream.send(ask("decoupled", responses=3, fail_after_responses=1))
        assert stream.failure()[0] == grpc.StatusCode.INTERNAL
    wait_until(lambda: cancelled(server, "endless") == 3)


@case("ST26", "gRPC stream", "triton_grpc_error with another value", "errors stay inside the stream")
@pytest.mark.parametrize("value", ["false", "", "1"])
def test_grpc_errors_not_asked_for(served, value):
    with Stream(served.grpc, metadata=[("triton_grpc_error", value)]) as stream:
        stream.send(ask("nothing", "x"))
        assert stream.error()[1] == "x"


@case("ST27", "gRPC stream", "a message above --max-request-size", "RESOURCE_EXHAUSTED, which ends the stream; pending requests are cancelled")
def test_too_large_message(own):
    server = own("--max-request-size=100000")
    with Stream(server.grpc) as stream:
        stream.send(ask("stuck"), infer_message("id_int32", ("IN", "INT32", [1, 50_000], bytes(200_000))))
        assert stream.failure()[0] == EXHAUSTED
    wait_until(lambda: cancelled(server, "stuck") == 1)


# ---- ends ----


@case("ST28", "gRPC stream", "half-close with requests pending", "all are answered, then OK")
def test_half_close_with_pending(served):
    with Stream(served.grpc) as stream:
        stream.send(ask("slow", "1"), ask("decoupled", "2", responses=3, response_delay_ms=20), ask("slower", "3"))
        answers = stream.rest()
    assert sorted(answer.infer_response.id for answer in answers) == ["1", "2", "2", "2", "3"]


def fill_queue(server, stream):
    """One request of the stream runs, four wait."""
    stream.send(*[ask("stuck", str(i)) for i in range(5)])
    wait_until(lambda: pending(server, "stuck") == 4)


@case("ST29", "gRPC stream", "cancelled by the client with requests running and queued", "all are cancelled at once, counted as CANCELED, and the model is free")
def test_cancel_with_pending(own):
    server = own()
    with Stream(server.grpc) as stream:
        fill_queue(server, stream)
        stream.cancel()
        wait_until(lambda: pending(server, "stuck") == 0)
        wait_until(lambda: cancelled(server, "stuck") == 5)


@case("ST30", "gRPC stream", "a connection lost with requests running and queued", "all are cancelled")
def test_lost_with_pending(own):
    server = own()
    with Http2(server.grpc) as connection:
        number = open_stream(connection)
        connection.data(number, b"".join(framed(ask("stuck")) for _ in range(5)), end=False)
        wait_until(lambda: pending(server, "stuck") == 4)
    wait_until(lambda: cancelled(server, "stuck") == 5)


@case("ST31", "gRPC stream", "cancelled while a decoupled model makes responses", "the model is told and stops")
def test_cancel_endless(own):
    server = own()
    with Stream(server.grpc) as stream:
        stream.send(ask("endless"))
        for _ in range(3):
            stream.good()
        stream.cancel()
        wait_until(lambda: cancelled(server, "endless") == 1)


@case("ST32", "gRPC stream", "half-close while a decoupled model makes responses, then cancel", "responses go on until then")
def test_half_close_then_cancel(own):
    server = own()
    with Stream(server.grpc) as stream:
        stream.send(ask("endless"))
        stream.half_close()
        for _ in range(5):
            stream.good()
        stream.cancel()
        wait_until(lambda: cancelled(server, "endless") == 1)


@case("ST33", "gRPC stream", "grpc-timeout", "DEADLINE_EXCEEDED for the stream; all that is pending is cancelled")
def test_deadline_of_the_stream(own):
    server = own()
    with Stream(server.grpc, timeout=0.5) as stream:
        stream.send(ask("id_int32", "in time"))
        assert stream.good().id == "in time"
        stream.send(*[ask("stuck") for _ in range(3)])
        assert stream.failure()[0] == EXCEEDED
    wait_until(lambda: cancelled(server, "stuck") + metric(server, "nv_inference_request_failure", "stuck", reason="REJECTED") == 3)


@case("ST34", "gRPC stream", "grpc-timeout, seen on the wire", "the server itself ends the stream with DEADLINE_EXCEEDED")
def test_deadline_on_the_wire(served):
    with Http2(served.grpc) as connection:
        number = open_stream(connection, ("grpc-timeout", "300m"))
        connection.data(number, framed(ask("endless", response_delay_ms=600_000)), end=False)
        state = connection.answer(number)
    assert {**state["fields"], **state["trailers"]}["grpc-status"] == "4"


@case("ST35", "gRPC stream", "requests with `timeout`, running and queued", "each is told 'Request timeout expired' in the stream, which goes on")
def test_timeout_in_the_stream(own):
    server = own()
    with Stream(server.grpc) as stream:
        stream.send(ask("stuck", "runs", timeout=300_000), ask("stuck", "waits", timeout=100_000), ask("id_int32", "next"))
        assert stream.error() == ("[request id: runs] Request timeout expired", "runs")
        assert stream.error() == ("[request id: waits] Request timeout expired", "waits")
        assert stream.good().id == "next"
        stream.send(ask("endless", "endless", timeout=200_000))
        answers = [stream.receive()]
        while not answers[-1].error_message:
            answers.append(stream.receive())
        assert answers[-1].infer_response.id == "endless"
        assert "Request timeout expired" in answers[-1].error_message
        assert len(answers) > 1
        assert stream.rest() == []


@case("ST36", "gRPC stream", "`timeout` of many decoupled requests at about the same time", "each is told once")
def test_many_timeouts(served):
    with Stream(served.grpc) as stream:
        stream.send(*[ask("endless", str(i), timeout=150_000 + 1000 * i, response_delay_ms=600_000) for i in range(100)])
        errors = [stream.error() for _ in range(100)]
        assert sorted(int(identity) for _, identity in errors) == list(range(100))
        assert stream.rest() == []


# ---- pace ----


def open_stream(connection, *fields):
    return connection.begin("POST", SERVICE + "ModelStreamInfer", [("content-type", "application/grpc"), ("te", "trailers"), *fields])


def framed(message):
    data = message.SerializeToString()
    return struct.pack(">BI", 0, len(data)) + data


@case("ST37", "gRPC stream", "more requests than --max-stream-requests", "so many are taken; the others wait, are taken later, and none is refused")
def test_requests_in_flight(own):
    server = own("--max-stream-requests=10")
    with Stream(server.grpc) as stream:
        stream.send(ask("slow", "holds the others"), *[ask("slow", str(i)) for i in range(20)])
        wait_until(lambda: pending(server, "slow") == 9)
        most = 0
        for i in range(21):
            assert stream.good()
            most = max(most, pending(server, "slow"))
        assert most <= 10
        stream.send(*[ask("id_int32", str(i)) for i in range(500)])
        assert [stream.good().id for _ in range(500)] == [str(i) for i in range(500)]
        assert stream.rest() == []


@case("ST38", "gRPC stream", "requests without end for a model that is stuck", "flow control stops the client; others are served")
def test_flow_control_stops_the_client(own):
    server = own("--max-stream-requests=3")
    with Http2(server.grpc) as connection:
        number = open_stream(connection)
        message = framed(infer_message("stuck", ("IN", "INT32", [1, 250_000], bytes(1_000_000))))
        sent = 0
        while (room := connection.h2.local_flow_control_window(number)) > 0 or (sent < 50_000_000 and more_window(connection, number)):
            part = (message * 2)[sent % len(message) :][: min(room, connection.h2.max_outbound_frame_size)]
            connection.h2.send_data(number, part)
            connection.flush()
            sent += len(part)
        assert sent < 12_000_000  # three messages and a window
        wait_until(lambda: pending(server, "stuck") == 2)
        good_inference(server.http)
        with Stream(server.grpc) as stream:
            stream.send(ask("id_int32", "others"))
            assert stream.good().id == "others"
    wait_until(lambda: cancelled(server, "stuck") == 3)


def more_window(connection, number):
    """Waits a little for the window to open; False when it does not."""
    connection.socket.settimeout(0.5)
    try:
        while connection.h2.local_flow_control_window(number) == 0:
            if not connection.receive():
                return False
        return True
    except TimeoutError:
        return False
    finally:
        connection.socket.settimeout(60)


@case("ST39", "gRPC stream", "a client that sends and does not read", "no more requests are taken; when it reads, all are answered in order")
def test_slow_reader(own):
    server = own()
    count, size = 60, 400_000
    with Stream(server.grpc) as stream:
        messages = [infer_message("id_int32", ("IN", "INT32", [1, size // 4], struct.pack("<i", i) * (size // 4)), id=str(i)) for i in range(count)]
        stream.send(*messages)
        quiet = [-1, succeeded(server, "id_int32")]
        while quiet[-1] != quiet[-2]:
            threading.Event().wait(0.5)
            quiet.append(succeeded(server, "id_int32"))
        assert quiet[-1] < count
        answers = [answer.infer_response for answer in stream.rest()]
    assert [answer.id for answer in answers] == [str(i) for i in range(count)]
    assert all(answer.raw_output_contents[0] == struct.pack("<i", i) * (size // 4) for i, answer in enumerate(answers))


@case("ST40", "gRPC stream", "a decoupled model that makes more than its client reads, beyond --max-inflight-size", "RESOURCE_EXHAUSTED; the request is cancelled; others are served")
def test_answers_that_nobody_reads(own):
    server = own("--max-inflight-size=20500000", "--max-request-size=2000000")  # three quarters of it: 15 answers, and room for /metrics
    with Http2(server.grpc) as connection:
        number = open_stream(connection)
        request = infer_message("decoupled", ("IN", "INT32", [1, 250_000], bytes(1_000_000)))
        request.parameters["responses"].int64_param = 100_000
        connection.data(number, framed(request), end=False)
        wait_until(lambda: cancelled(server, "decoupled") == 1)
        good_inference(server.http)


@case("ST41", "gRPC stream", "requests beside others that fill --max-inflight-size", "RESOURCE_EXHAUSTED; later there is room again")
def test_no_room_for_requests(own):
    server = own("--max-inflight-size=4500000", "--max-request-size=2000000")
    with Stream(server.grpc) as stream:
        stream.send(*[infer_message("stuck", ("IN", "INT32", [1, 250_000], bytes(1_000_000))) for _ in range(5)])
        assert stream.failure()[0] == EXHAUSTED
    wait_until(lambda: pending(server, "stuck") == 0)
    with Stream(server.grpc) as stream:
        for i in range(10):  # what is answered is not held any more
            stream.send(infer_message("id_int32", ("IN", "INT32", [1, 250_000], bytes(1_000_000)), id=str(i)))
            assert stream.good().id == str(i)


@case("ST42", "gRPC stream", "streams of many threads with all kinds of requests, errors, ends and cancellations", "each gets what it must; the server lives")
def test_all_together(own):
    server = own("--max-stream-requests=7", "--max-queue-size=1000")
    failed = []

    def client(seed):
        chance = random.Random(seed)
        try:
            for _ in range(6):
                with Stream(server.grpc) as stream:
                    expected = 0
                    for i in range(chance.randrange(1, 60)):
                        kind = chance.randrange(5)
                        responses = chance.randrange(4)
                        stream.send([
                            ask("id_int32", f"o{i}"),
                            ask("decoupled", "d", responses=responses),
                            ask("nothing", f"o{i}"),
                            ask("decoupled", "d", responses=5, fail_after_responses=2),
                            ask("id_int32", f"o{i}", timeout=60_000_000),
                        ][kind])
                        expected += [1, responses, 1, 3, 1][kind]
                    if chance.randrange(3) == 0:
                        stream.cancel()
                        continue
                    answers = stream.rest()
                    assert len(answers) == expected
                    ordered = [int(answer.infer_response.id[1:]) for answer in answers if answer.infer_response.id.startswith("o")]
                    assert ordered == sorted(ordered)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


# ---- tritonclient ----


def array(value, name="IN"):
    tensor = triton_grpc.InferInput(name, [1, 1], "INT32")
    tensor.set_data_from_numpy(np.array([[value]], dtype=np.int32))
    return [tensor]


@case("ST43", "gRPC stream", "tritonclient: start_stream, async_stream_infer, stop_stream", "results in order; stop_stream waits for those that are pending")
def test_triton_client(served):
    results = queue.Queue()
    with triton_grpc.InferenceServerClient(served.grpc_url) as client:
        client.start_stream(callback=lambda result, error: results.put((result, error)))
        for i in range(200):
            client.async_stream_infer("slow" if i == 0 else "id_int32", array(i), request_id=str(i))
        client.stop_stream()
    for i in range(200):
        result, error = results.get_nowait()
        assert error is None
        assert result.get_response().id == str(i)
        assert result.as_numpy("OUT")[0][0] == i


@case("ST44", "gRPC stream", "tritonclient: errors in a stream", "an exception without a status for each; the stream goes on")
def test_triton_client_errors(served):
    results = queue.Queue()
    with triton_grpc.InferenceServerClient(served.grpc_url) as client:
        client.start_stream(callback=lambda result, error: results.put((result, error)))
        client.async_stream_infer("nothing", array(1), request_id="bad")
        client.async_stream_infer("id_int32", array(2), request_id="good")
        _, error = results.get(timeout=60)
        assert isinstance(error, InferenceServerException)
        assert error.status() is None
        assert "nothing" in error.message()
        result, error = results.get(timeout=60)
        assert error is None
        assert result.get_response().id == "good"
        client.stop_stream()


@case("ST45", "gRPC stream", "tritonclient: enable_empty_final_response on a decoupled model", "the end is told by an empty response")
def test_triton_client_decoupled(served):
    results = queue.Queue()
    with triton_grpc.InferenceServerClient(served.grpc_url) as client:
        client.start_stream(callback=lambda result, error: results.put((result, error)))
        client.async_stream_infer("decoupled", array(3), enable_empty_final_response=True, parameters={"responses": 4, "separate_final": True})
        values, final = [], False
        while not final:
            result, error = results.get(timeout=60)
            assert error is None
            response = result.get_response()
            final = response.parameters["triton_final_response"].bool_param
            if len(response.outputs) > 0:
                values.append(int(result.as_numpy("OUT")[0][0]))
        assert values == [3] * 4
        client.stop_stream()


@case("ST46", "gRPC stream", "tritonclient: headers triton_grpc_error, and stream_timeout", "the callback gets the status once")
def test_triton_client_statuses(served):
    for more, model, status in [({"headers": {"triton_grpc_error": "true"}}, "nothing", "StatusCode.NOT_FOUND"), ({"stream_timeout": 0.3}, "stuck", "StatusCode.DEADLINE_EXCEEDED")]:
        results = queue.Queue()
        with triton_grpc.InferenceServerClient(served.grpc_url) as client:
            client.start_stream(callback=lambda result, error, results=results: results.put((result, error)), **more)
            client.async_stream_infer(model, array(1))
            assert results.get(timeout=60)[1].status() == status


@case("ST47", "gRPC stream", "tritonclient: stop_stream(cancel_requests=True)", "what is pending is cancelled")
def test_triton_client_cancel(own):
    server = own()
    with triton_grpc.InferenceServerClient(server.grpc_url) as client:
        client.start_stream(callback=lambda result, error: None)
        client.async_stream_infer("stuck", array(1))
        client.async_stream_infer("stuck", array(2))
        wait_until(lambda: pending(server, "stuck") == 1)
        client.stop_stream(cancel_requests=True)
        wait_until(lambda: cancelled(server, "stuck") == 2)


@case("ST48", "gRPC stream", "tritonclient.grpc.aio: stream_infer", "results and errors in order")
def test_triton_aio(served):
    import asyncio

    async def requests():
        for i in range(50):
            yield {"model_name": "nothing" if i == 20 else "id_int32", "inputs": array(i), "request_id": str(i)}

    async def run():
        got = []
        async with triton_aio.InferenceServerClient(served.grpc_url) as client:
            async for result, error in client.stream_infer(requests()):
                got.append("error" if error else int(result.as_numpy("OUT")[0][0]))
        return got

    assert asyncio.run(run()) == [i if i != 20 else "error" for i in range(50)]


@case("ST49", "gRPC stream", "tritonclient.grpc.aio: a decoupled model, and cancel of the iterator", "responses as they come; then the model is told")
def test_triton_aio_decoupled(own):
    import asyncio

    server = own()

    async def requests():
        yield {"model_name": "endless", "inputs": array(1), "request_id": "e"}
        await asyncio.sleep(3600)

    async def run():
        async with triton_aio.InferenceServerClient(server.grpc_url) as client:
            iterator = client.stream_infer(requests())
            for _ in range(4):
                result, error = await iterator.__anext__()
                assert error is None
            iterator.cancel()

    asyncio.run(run())
    wait_until(lambda: cancelled(server, "endless") == 1)


@case("ST90", "gRPC", "SIGTERM while streams are open: one without a message, one that is idle, one with a request pending",
      "the pending one is answered, all end with UNAVAILABLE, exit code 0")
def test_end_of_the_server(tmp_path):
    build(tmp_path)
    server = Server(tmp_path)
    with Stream(server.grpc) as silent, Stream(server.grpc) as idle, Stream(server.grpc) as busy:
        idle.send(ask("id_int32"))
        idle.good()
        for _ in range(3):
            busy.send(ask("slow"))  # one runs, two wait
        wait_until(lambda: pending(server, "slow") == 2)
        server.signal()
        busy.good()
        busy.good()
        busy.good()
        for stream in (silent, idle, busy):
            with pytest.raises(grpc.RpcError) as caught:
                stream.receive()
            assert caught.value.code() == UNAVAILABLE
    assert server.wait() == 0
