"""ModelStreamInfer: many requests on one call, decoupled models, and errors inside the stream."""

import random
import struct

import grpc
import pytest
from cases import case
from serving import wait_until
from streaming import Stream, ask, cancelled, is_final, pending
from tritonclient.grpc import service_pb2 as pb
from wire import SERVICE, get, grpc_error, infer_input, infer_message, post_infer

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED


# ---- one request after the other ----


@case("ST01", "gRPC stream", "a request", "its response with id, model, outputs and triton_final_response true; half-close: OK")
def test_one_request(stream_server):
    with Stream(stream_server.grpc) as stream:
        stream.send(ask("id_int32", "seven", 7))
        response = stream.good()
        assert (response.id, response.model_name, response.model_version) == ("seven", "id_int32", "1")
        assert response.raw_output_contents[0] == struct.pack("<i", 7)
        assert (response.outputs[0].name, response.outputs[0].datatype, list(response.outputs[0].shape)) == ("OUT", "INT32", [1, 1])
        assert is_final(response)
        assert stream.rest() == []


@case("ST02", "gRPC stream", "nothing but a half-close", "OK without a message")
def test_empty_stream(stream_server):
    with Stream(stream_server.grpc) as stream:
        assert stream.rest() == []


@case("ST03", "gRPC stream", "answers and requests in turn, by the hundred", "each is answered while the stream is open")
def test_ping_pong(stream_server):
    with Stream(stream_server.grpc) as stream:
        for i in range(300):
            stream.send(ask("id_int32", str(i), i))
            response = stream.good()
            assert (response.id, response.raw_output_contents[0]) == (str(i), struct.pack("<i", i))


@case("ST04", "gRPC stream", "a thousand requests at once", "a thousand answers in their order")
def test_thousand_requests(stream_server):
    with Stream(stream_server.grpc) as stream:
        stream.send(*[ask("id_int32", str(i), i) for i in range(1000)])
        answers = stream.rest()
    assert [answer.infer_response.id for answer in answers] == [str(i) for i in range(1000)]
    assert all(answer.infer_response.raw_output_contents[0] == struct.pack("<i", i) for i, answer in enumerate(answers))


@case("ST05", "gRPC stream", "requests for models of different speed, the slowest first", "answered in request order")
def test_order_of_mixed_models(stream_server):
    with Stream(stream_server.grpc) as stream:
        stream.send(*[ask(model, f"{i} {model}") for i in range(3) for model in ("slower", "slow", "id_int32")])
        assert [answer.infer_response.id for answer in stream.rest()] == [
            f"{i} {model}" for i in range(3) for model in ("slower", "slow", "id_int32")]


@case("ST06", "gRPC stream", "an error in the middle of requests that take long", "comes at its place")
def test_order_of_errors(stream_server):
    with Stream(stream_server.grpc) as stream:
        stream.send(ask("slow", "1"), ask("nothing", "2"), ask("failing", "3"), ask("slow", "4"), infer_message("id_int32", id="5"), ask("id_int32", "6"))
        answers = stream.rest()
    assert [answer.infer_response.id for answer in answers] == ["1", "2", "3", "4", "5", "6"]
    assert [bool(answer.error_message) for answer in answers] == [False, True, True, False, True, False]


@case("ST07", "gRPC stream", "tensors of 5 MB in both directions", "come back as they were")
def test_large_messages(stream_server):
    values = [random.Random(i).randbytes(5_000_000) for i in range(3)]
    with Stream(stream_server.grpc) as stream:
        stream.send(*[infer_message("id_int32", ("IN", "INT32", [1, 1_250_000], value)) for value in values])
        answers = stream.rest()
    assert [answer.infer_response.raw_output_contents[0] for answer in answers] == values


@case("ST08", "gRPC stream", "typed contents, BYTES, wanted outputs, sequence parameters", "as in ModelInfer")
def test_forms_of_requests(stream_server):
    typed = infer_message("id_int32", ("IN", "INT32", [1, 2], None))
    typed.inputs[0].contents.int_contents.extend([1, -2])
    named = ask("id_int32", "named", sequence_id=9, sequence_start=True, sequence_end=False)
    named.outputs.add(name="OUT")
    words = infer_message("bytes", ("IN", "BYTES", [1, 1], b"\2\0\0\0hi"))
    with Stream(stream_server.grpc) as stream:
        stream.send(typed, named, words)
        first, second, third = (answer.infer_response for answer in stream.rest())
    assert first.raw_output_contents[0] == struct.pack("<2i", 1, -2)
    assert second.parameters["sequence_id"].int64_param == 9
    assert is_final(second)
    assert third.raw_output_contents[0] == b"\2\0\0\0hi"


@case("ST09", "gRPC stream", "messages compressed by gzip or deflate", "understood")
@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed(stream_server, compression):
    with Stream(stream_server.grpc, compression=compression) as stream:
        stream.send(ask("id_int32", "a", 3), ask("id_int32", "b", 4))
        assert [answer.infer_response.raw_output_contents[0] for answer in stream.rest()] == [struct.pack("<i", 3), struct.pack("<i", 4)]


@case("ST10", "gRPC stream", "several streams on one connection, and calls beside them", "do not disturb each other")
def test_streams_side_by_side(stream_server):
    with grpc.insecure_channel(stream_server.grpc_url) as channel:
        method = channel.stream_stream(SERVICE + "ModelStreamInfer", pb.ModelInferRequest.SerializeToString, pb.ModelStreamInferResponse.FromString)
        infer = channel.unary_unary(SERVICE + "ModelInfer", pb.ModelInferRequest.SerializeToString, pb.ModelInferResponse.FromString)
        calls = [method(iter([ask("slow", f"{s} {i}") for i in range(3)])) for s in range(5)]
        assert infer(ask("id_int32", "between")).id == "between"
        for s, call in enumerate(calls):
            assert [answer.infer_response.id for answer in call] == [f"{s} {i}" for i in range(3)]


# ---- decoupled models ----


@case("ST11", "gRPC stream", "decoupled: several responses to a request", "all of them; the last alone is final")
@pytest.mark.parametrize("count", [1, 2, 7, 500])
def test_several_responses(stream_server, count):
    with Stream(stream_server.grpc) as stream:
        stream.send(ask("decoupled", "n", 5, responses=count))
        answers = [answer.infer_response for answer in stream.rest()]
    assert [answer.id for answer in answers] == ["n"] * count
    assert [is_final(answer) for answer in answers] == [False] * (count - 1) + [True]
    assert all(answer.raw_output_contents[0] == struct.pack("<i", 5) for answer in answers)


@case("ST12", "gRPC stream", "decoupled: an end that comes after the last response", "nothing tells it: no response is final")
def test_separate_final_unasked(stream_server):
    with Stream(stream_server.grpc) as stream:
        stream.send(ask("decoupled", "n", responses=2, separate_final=True))
        assert [is_final(answer.infer_response) for answer in stream.rest()] == [False, False]


@case("ST13", "gRPC stream", "the same with triton_enable_empty_final_response", "an empty final response with id, model and version")
def test_separate_final_asked(stream_server):
    with Stream(stream_server.grpc) as stream:
        stream.send(ask("decoupled", "n", responses=2, separate_final=True, triton_enable_empty_final_response=True))
        answers = [answer.infer_response for answer in stream.rest()]
    assert [is_final(answer) for answer in answers] == [False, False, True]
    last = answers[-1]
    assert (last.id, last.model_name, last.model_version) == ("n", "decoupled", "1")
    assert len(last.outputs) == len(last.raw_output_contents) == 0
    assert list(last.parameters) == ["triton_final_response"]


@case("ST14", "gRPC stream", "triton_enable_empty_final_response where the last response is final", "no empty one behind it")
def test_no_second_final(stream_server):
    with Stream(stream_server.grpc) as stream:
        for model in ("decoupled", "id_int32"):
            stream.send(ask(model, "n", triton_enable_empty_final_response=True))
            assert is_final(stream.good())
        assert stream.rest() == []


@case("ST15", "gRPC stream", "decoupled: no response at all", "nothing; with triton_enable_empty_final_response an empty final one")
def test_no_responses(stream_server):
    with Stream(stream_server.grpc) as stream:
        stream.send(ask("decoupled", "unheard", responses=0), ask("decoupled", "heard", responses=0, triton_enable_empty_final_response=True))
        answers = [answer.infer_response for answer in stream.rest()]
    assert [(answer.id, is_final(answer), len(answer.outputs)) for answer in answers] == [("heard", True, 0)]


@case("ST16", "gRPC stream", "decoupled: an error after some responses", "the responses, then the error; the stream goes on")
@pytest.mark.parametrize("count", [0, 1, 3])
def test_error_in_the_middle(stream_server, count):
    with Stream(stream_server.grpc) as stream:
        stream.send(ask("decoupled", "n", responses=9, fail_after_responses=count))
        for _ in range(count):
            assert not is_final(stream.good())
        text, identity = stream.error()
        assert f"identity fails after {count} responses" in text
        assert identity == "n"
        stream.send(ask("decoupled", "next"))
        assert is_final(stream.good())


@case("ST17", "gRPC stream", "decoupled and other models together", "a decoupled one waits for nobody, and nobody for it")
def test_decoupled_is_not_held_up(stream_server):
    with Stream(stream_server.grpc) as stream:
        stream.send(ask("endless", "endless", response_delay_ms=600_000), ask("slow", "slow"), ask("decoupled", "quick", responses=2), ask("id_int32", "behind slow"))
        assert [stream.good().id for _ in range(4)] == ["quick", "quick", "slow", "behind slow"]


@case("ST18", "gRPC stream", "requests for a decoupled model by several instances' worth", "responses of different requests may mix; each request's come in order")
def test_decoupled_requests_mix(stream_server):
    with Stream(stream_server.grpc) as stream:
        stream.send(*[ask("decoupled", str(i), i, responses=5) for i in range(50)])
        answers = [answer.infer_response for answer in stream.rest()]
    for i in range(50):
        own = [answer for answer in answers if answer.id == str(i)]
        assert [is_final(answer) for answer in own] == [False] * 4 + [True]
        assert {answer.raw_output_contents[0] for answer in own} == {struct.pack("<i", i)}


@case("ST19", "gRPC, HTTP", "ModelInfer or infer on a decoupled model", "UNIMPLEMENTED, 501: there is no room for several responses")
def test_decoupled_without_stream(stream_server):
    code, text = grpc_error(stream_server.grpc, "ModelInfer", ask("decoupled"))
    assert code == UNIMPLEMENTED
    answer = post_infer(stream_server.http, "decoupled", {"inputs": [infer_input([1])]})
    assert answer.status == 501
    for message in (text, answer.error):
        assert "doesn't support models with decoupled transaction policy" in message


@case("ST20", "HTTP", "config of a decoupled model", "shows model_transaction_policy")
def test_decoupled_config(stream_server):
    assert get(stream_server.http, "/v2/models/decoupled/config").json["model_transaction_policy"] == {"decoupled": True}


@case("ST21", "gRPC stream", "decoupled requests, good and failed", "statistics count requests, not responses")
def test_decoupled_statistics(own_stream_server):
    server = own_stream_server()
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
def test_errors_leave_the_stream_open(stream_server, kind):
    message, _, text = ERRORS[kind]
    with Stream(stream_server.grpc) as stream:
        stream.send(message)
        told, identity = stream.error()
        assert text in told
        assert identity == "x"
        stream.send(ask("id_int32", "good"))
        assert stream.good().id == "good"
        assert stream.rest() == []


@case("ST23", "gRPC stream", "a message that is no ModelInferRequest", "error_message without an id; the stream goes on")
def test_broken_message(stream_server):
    with Stream(stream_server.grpc) as stream:
        stream.send(b"\xff\xff\xff\xff", ask("id_int32", "good"))
        text, identity = stream.error()
        assert text
        assert identity == ""
        assert stream.good().id == "good"


@case("ST24", "gRPC stream", "metadata triton_grpc_error: true, and a request that is refused or fails", "the stream ends with the status of the error")
@pytest.mark.parametrize("kind", ERRORS)
def test_grpc_errors(stream_server, kind):
    message, code, text = ERRORS[kind]
    with Stream(stream_server.grpc, metadata=[("triton_grpc_error", "true")]) as stream:
        stream.send(ask("id_int32", "good"))
        assert stream.good().id == "good"
        stream.send(message, ask("id_int32", "never"))
        told, details = stream.failure()
        assert told == code
        assert text in details


@case("ST25", "gRPC stream", "the same with other requests pending, queued and running", "they are cancelled")
def test_grpc_error_cancels_the_others(own_stream_server):
    server = own_stream_server()
    with Stream(server.grpc, metadata=[("triton_grpc_error", "true")]) as stream:
        stream.send(*[ask("endless", response_delay_ms=600_000) for _ in range(3)])
        wait_until(lambda: pending(server, "endless") == 2)
        stream.send(ask("decoupled", responses=3, fail_after_responses=1))
        assert stream.failure()[0] == grpc.StatusCode.INTERNAL
    wait_until(lambda: cancelled(server, "endless") == 3)


@case("ST26", "gRPC stream", "triton_grpc_error with another value", "errors stay inside the stream")
@pytest.mark.parametrize("value", ["false", "", "1"])
def test_grpc_errors_not_asked_for(stream_server, value):
    with Stream(stream_server.grpc, metadata=[("triton_grpc_error", value)]) as stream:
        stream.send(ask("nothing", "x"))
        assert stream.error()[1] == "x"


@case("ST27", "gRPC stream", "a message above --max-request-size", "RESOURCE_EXHAUSTED, which ends the stream; pending requests are cancelled")
def test_too_large_message(own_stream_server):
    server = own_stream_server("--max-request-size=100000")
    with Stream(server.grpc) as stream:
        stream.send(ask("stuck"), infer_message("id_int32", ("IN", "INT32", [1, 50_000], bytes(200_000))))
        assert stream.failure()[0] == EXHAUSTED
    wait_until(lambda: cancelled(server, "stuck") == 1)
