"""tritonclient: streams of inferences, ModelStreamInfer, by start_stream and async_stream_infer, and by stream_infer of asyncio."""

import queue

import numpy as np
import pytest
import wire
from cases import case, triton_differs
from triton_client import array_of, integers, response_of, same
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException

LONG_S = 60


def converse(client, requests, **options):
    """Sends requests, the arguments of infer, on a stream, and closes it; all outcomes, (result, error)."""
    if client.name == "grpc":
        outcomes = []
        client.start_stream(lambda result, error: outcomes.append((result, error)), **options)
        for request in requests:
            client.async_stream_infer(**request)
        client.stop_stream()
        return outcomes

    async def every():
        async def send():
            for request in requests:
                yield dict(request)

        return [outcome async for outcome in client.raw.stream_infer(send(), **options)]

    return client.wait(every())


def request(client, *values, model="id_int32", **more):
    return {"model_name": model, "inputs": [client.tensor(integers(*values))], **more}


def results_of(outcomes):
    """The results where nothing went wrong."""
    assert [error for _, error in outcomes if error] == []
    return [result for result, _ in outcomes]


def first_numbers(outcomes):
    return [int(result.as_numpy("OUT")[0, 0]) for result in results_of(outcomes)]


def is_final(result):
    return response_of(result)["parameters"]["triton_final_response"]


# ---- one answer to each request ----


@case("CX01", "grpc", "start_stream, async_stream_infer, stop_stream", "each answer, in the order of the requests",
      does="start_stream async_stream_infer stop_stream")
def test_stream(client):
    check_order(client)


@case("CX02", "grpc.aio", "stream_infer", "each answer, in the order of the requests", does="stream_infer")
def test_aio_stream(client):
    check_order(client)


def check_order(client):
    outcomes = converse(client, [request(client, i) for i in range(20)])
    assert first_numbers(outcomes) == list(range(20))


@case("CX03", "gRPC clients", "a stream to a model that answers once", "triton_final_response is true in every answer")
def test_final_response(client):
    outcomes = converse(client, [request(client, i) for i in range(3)])
    assert [is_final(result) for result in results_of(outcomes)] == [True] * 3


@case("CX04", "gRPC clients", "a stream to a model that batches, 200 requests", "all answers, in the order of the requests")
def test_batched_stream(client):
    outcomes = converse(client, [request(client, i, model="batching") for i in range(200)])
    assert first_numbers(outcomes) == list(range(200))


@case("CX05", "gRPC clients", "a stream with ids, versions, outputs, sequences, priority, timeout, parameters", "as infer")
def test_stream_arguments(client):
    more = {
        "model": "versions",
        "model_version": "2",
        "request_id": "r",
        "outputs": [client.output()],
        "sequence_id": 7,
        "sequence_start": True,
        "sequence_end": True,
        "priority": 1,
        "timeout": 60_000_000,
        "parameters": {"mine": 1, "text": "x"},
    }
    (result,) = results_of(converse(client, [request(client, 1, **more)]))
    assert (response_of(result)["id"], response_of(result)["model_version"]) == ("r", "2")
    assert same(result.as_numpy("OUT"), integers(1))


@case("CX06", "gRPC clients", "a stream to several models, with every kind of data", "each its own arrays")
@pytest.mark.parametrize("datatype", ["BYTES", "FP64", "BOOL", "BF16"])
def test_stream_of_datatypes(client, datatype):
    values = array_of(datatype)
    requests = [request(client, 5), {"model_name": "id_" + datatype.lower(), "inputs": [client.tensor(values)]}]
    first, second = results_of(converse(client, requests))
    assert same(first.as_numpy("OUT"), integers(5)) and same(second.as_numpy("OUT"), values)


@case("CX07", "gRPC clients", "a stream with large tensors", "the same arrays")
def test_large_stream(client):
    values = np.arange(1 << 20, dtype=np.int32).reshape(1, -1)
    outcomes = converse(client, [{"model_name": "id_int32", "inputs": [client.tensor(values)]}] * 4)
    assert all(same(result.as_numpy("OUT"), values) for result in results_of(outcomes))


@case("CX08", "gRPC clients", "a stream with compression_algorithm", "understood")
@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_stream(client, algorithm):
    outcomes = converse(client, [request(client, *range(1000))] * 3, compression_algorithm=algorithm)
    assert all(same(result.as_numpy("OUT"), integers(*range(1000))) for result in results_of(outcomes))


@case("CX09", "gRPC clients", "a stream on which nothing is asked", "it ends well")
def test_silent_stream(client):
    assert converse(client, []) == []
    assert first_numbers(converse(client, [request(client, 1)])) == [1]


@case("CX10", "gRPC clients", "a stream with classes asked for", "the strings")
def test_classes_on_a_stream(client):
    scores = np.array([[0.25, 4, 1, 2]], dtype=np.float32)
    asked = {"model_name": "labelled", "inputs": [client.tensor(scores)], "outputs": [client.output(class_count=1)]}
    (result,) = results_of(converse(client, [asked]))
    assert result.as_numpy("OUT").tolist() == [[b"4.000000:1:bee"]]


@case("CX11", "gRPC clients", "a stream with headers of the caller's and a stream_timeout long enough", "answered")
def test_stream_options(client):
    outcomes = converse(client, [request(client, 1)], headers={"my-header": "x"}, stream_timeout=LONG_S)
    assert first_numbers(outcomes) == [1]


# ---- several answers, or none ----


@case("CX20", "gRPC clients", "a decoupled model that answers n times", "n answers; triton_final_response only in the last")
@pytest.mark.parametrize("count", [1, 2, 30])
def test_decoupled(client, count):
    outcomes = converse(client, [request(client, 9, model="decoupled", parameters={"responses": count}, request_id="r")])
    assert first_numbers(outcomes) == [9] * count
    assert [is_final(result) for result in results_of(outcomes)] == [False] * (count - 1) + [True]
    assert all(response_of(result)["id"] == "r" for result in results_of(outcomes))


@case("CX21", "gRPC clients", "a decoupled model whose end comes apart from its answers, or that gives none", "the answers alone, none final")
@pytest.mark.parametrize("count", [0, 1, 3])
def test_separate_end(client, count):
    outcomes = converse(client, [request(client, 9, model="decoupled", parameters={"responses": count, "separate_final": True})])
    assert first_numbers(outcomes) == [9] * count
    assert [is_final(result) for result in results_of(outcomes)] == [False] * count


@case("CX22", "grpc", "the same with enable_empty_final_response", "then a final answer without outputs, with the request's id")
@pytest.mark.parametrize("count", [0, 1, 3])
def test_empty_final_response(client, count):
    more = {"parameters": {"responses": count, "separate_final": True}, "enable_empty_final_response": True, "request_id": "r"}
    *answers, last = results_of(converse(client, [request(client, 9, model="decoupled", **more)]))
    assert len(answers) == count
    response = response_of(last)
    assert (response["id"], response["model_name"], response["outputs"]) == ("r", "decoupled", [])
    assert is_final(last) and not any(map(is_final, answers))


@case("CX23", "gRPC clients", "several requests to a decoupled model on one stream", "all answers of each, known by their ids")
def test_decoupled_requests(client):
    requests = [request(client, i, model="decoupled", parameters={"responses": i}, request_id=str(i)) for i in range(1, 6)]
    results = results_of(converse(client, requests))
    ids = [response_of(result)["id"] for result in results]
    assert {i: ids.count(str(i)) for i in range(1, 6)} == {i: i for i in range(1, 6)}
    assert all(int(result.as_numpy("OUT")[0, 0]) == int(response_of(result)["id"]) for result in results)


@case("CX24", "four clients", "infer on a decoupled model", "UNIMPLEMENTED: it takes a stream")
def test_decoupled_without_stream(client):
    with client.refused("UNIMPLEMENTED"):
        client.infer_array("decoupled", integers(1))


@case("CX25", "gRPC clients", "get_model_config of a decoupled model", "model_transaction_policy says so")
def test_decoupled_config(client):
    assert client.told("get_model_config", "decoupled")["model_transaction_policy"] == {"decoupled": True}


# ---- errors ----


BAD = pytest.mark.parametrize("bad", [{"model": "nothing"}, {"model": "plain"}, {"model": "failing"}, {"model_version": "7"}])


@case("CX30", "grpc", "a bad request among good ones on a stream", "its error, without a status, in its place; the others' answers", fails="async_stream_infer")
@BAD
def test_error_on_a_stream(client, bad):
    check_error_among_others(client, bad)


@case("CX37", "grpc.aio", "a bad request among good ones on a stream", "its error, without a status, in its place; the others' answers", fails="stream_infer")
@BAD
def test_error_on_an_aio_stream(client, bad):
    check_error_among_others(client, bad)


def check_error_among_others(client, bad):
    (first, none), (nothing, error), (last, still_none) = converse(client, [request(client, 1), request(client, 2, **bad), request(client, 3)])
    assert (none, nothing, still_none) == (None, None, None)
    assert [int(result.as_numpy("OUT")[0, 0]) for result in (first, last)] == [1, 3]
    assert isinstance(error, InferenceServerException) and error.message()
    assert error.status() is None


@case("CX31", "gRPC clients", "a decoupled model that fails after two answers", "two answers, then its error; the stream goes on")
def test_failing_decoupled(client):
    bad = request(client, 1, model="decoupled", parameters={"responses": 5, "fail_after_responses": 2})
    outcomes = converse(client, [bad])
    assert [error is None for _, error in outcomes] == [True, True, False]
    assert "fail_after_responses" in outcomes[-1][1].message()
    assert first_numbers(converse(client, [request(client, 2)])) == [2]


@case("CX32", "grpc", "a model that fails on a stream with the header triton_grpc_error", "the stream ends with the error's status", fails="start_stream")
@triton_differs("it does, but may also end the whole server: a crash", run=False)
def test_error_ends_the_stream(client):
    check_end(client, "failing", "INTERNAL", "fail_executions")


@case("CX36", "grpc", "an unknown model on a stream with the header triton_grpc_error", "the stream ends with the error's status")
@triton_differs("a refused request does not end the stream")
def test_refusal_ends_the_stream(client):
    check_end(client, "nothing", "NOT_FOUND", "nothing")


def check_end(client, model, kind, text):
    outcomes = queue.Queue()
    client.start_stream(lambda result, error: outcomes.put((result, error)), headers={"triton_grpc_error": "true"})
    client.async_stream_infer(**request(client, 1))
    assert outcomes.get(timeout=LONG_S)[1] is None
    client.async_stream_infer(**request(client, 1, model=model))
    _, error = outcomes.get(timeout=LONG_S)
    client.stop_stream()
    with client.refused(kind, text):
        raise error
    assert first_numbers(converse(client, [request(client, 2)])) == [2]


@case("CX33", "grpc", "a stream whose stream_timeout passes", "the callback gets Deadline Exceeded; a new stream works")
def test_stream_timeout(client):
    outcomes = queue.Queue()
    client.start_stream(lambda result, error: outcomes.put((result, error)), stream_timeout=0.2)
    client.async_stream_infer(**request(client, 1, model="stuck"))
    _, error = outcomes.get(timeout=LONG_S)
    with client.refused("DEADLINE_EXCEEDED"):
        raise error
    client.stop_stream()
    assert first_numbers(converse(client, [request(client, 2)])) == [2]


@case("CX34", "grpc", "start_stream twice, async_stream_infer without a stream", "the client's errors")
def test_misused_stream(client):
    with pytest.raises(InferenceServerException, match="start_stream"):
        client.async_stream_infer(**request(client, 1))
    client.start_stream(lambda result, error: None)
    with pytest.raises(InferenceServerException, match="already running"):
        client.start_stream(lambda result, error: None)
    client.stop_stream()


@case("CX35", "gRPC", "a bad request on a stream, seen as messages", "error_message, and infer_response with the request's id alone")
def test_error_message(peer):
    with wire.grpc_channel(peer.grpc) as channel:
        call = channel.stream_stream(wire.SERVICE + "ModelStreamInfer")
        bad = pb.ModelInferRequest(model_name="nothing", id="r").SerializeToString()
        (answer,) = map(pb.ModelStreamInferResponse.FromString, call(iter([bad]), timeout=LONG_S))
    assert "nothing" in answer.error_message
    assert answer.infer_response == pb.ModelInferResponse(id="r")


@case("CX38", "gRPC", "a request on a stream that its model fails, seen as messages", "error_message, the request's id, the model's name, and triton_final_response true: no more comes")
def test_error_message_of_a_failure(peer):
    with wire.grpc_channel(peer.grpc) as channel:
        call = channel.stream_stream(wire.SERVICE + "ModelStreamInfer")
        bad = wire.infer_message("failing", ("IN", "INT32", [1, 1], bytes(4)), id="r").SerializeToString()
        (answer,) = map(pb.ModelStreamInferResponse.FromString, call(iter([bad]), timeout=LONG_S))
    assert answer.error_message
    expected = pb.ModelInferResponse(id="r", model_name="failing")
    expected.parameters["triton_final_response"].bool_param = True
    assert answer.infer_response == expected


# ---- cancelling ----


@case("CX40", "grpc", "stop_stream(cancel_requests=True) while the model works", "CANCELLED; a new stream works, the model is free")
@pytest.mark.parametrize("name", ["stuck", "endless"])
def test_cancelled_stream(client, name):
    for _ in range(2):
        outcomes = queue.Queue()
        client.start_stream(lambda result, error: outcomes.put((result, error)))
        client.async_stream_infer(**request(client, 1, model=name))
        if name == "endless":
            assert outcomes.get(timeout=LONG_S)[1] is None
        client.stop_stream(cancel_requests=True)
        while (error := outcomes.get(timeout=LONG_S)[1]) is None:
            pass
        assert "CANCELLED" in str(error)
    assert first_numbers(converse(client, [request(client, 2)])) == [2]


@case("CX41", "grpc.aio", "cancel of stream_infer while the model answers", "no more answers; a new stream works, the model is free")
def test_cancelled_aio_stream(client):
    async def leave():
        async def send():
            yield request(client, 1, model="endless")

        answers = client.raw.stream_infer(send())
        result, error = await anext(answers)
        assert error is None and same(result.as_numpy("OUT"), integers(1))
        assert answers.cancel()

    for _ in range(2):
        client.wait(leave())
    assert first_numbers(converse(client, [request(client, 2)])) == [2]


@case("CX42", "grpc", "other calls while a stream is open", "answered at once; the stream goes on")
def test_calls_beside_a_stream(client):
    outcomes = queue.Queue()
    client.start_stream(lambda result, error: outcomes.put((result, error)))
    for i in range(3):
        client.async_stream_infer(**request(client, i))
        assert same(client.infer_array("id_int32", integers(10 + i)), integers(10 + i))
        assert client.is_model_ready("plain")
        assert int(outcomes.get(timeout=LONG_S)[0].as_numpy("OUT")[0, 0]) == i
    client.stop_stream()


@case("CX43", "grpc", "close of the client with a stream open", "nothing hangs")
def test_close_with_a_stream(peer, connect):
    for _ in range(3):
        client = connect(peer)
        client.start_stream(lambda result, error: None)
        client.async_stream_infer(**request(client, 1))
        client.close()
