"""tritonclient: async_infer, many requests at once, cancelling; for the asyncio clients, tasks."""

import asyncio
import queue

import pytest
from cases import case
from triton_client import integers, same
from tritonclient.utils import InferenceServerException

MANY = 50


# ---- async_infer of the gevent client ----


@case("CA01", "http", "async_infer, 50 at once over 8 connections", "each its own answer", does="async_infer")
def test_many_at_once(peer, connect):
    client = connect(peer, concurrency=8)
    pending = [client.async_infer("batching", [client.tensor(integers(i))]) for i in range(MANY)]
    assert [request.get_result().as_numpy("OUT")[0, 0] for request in pending] == list(range(MANY))


@case("CA02", "http", "async_infer that is refused", "get_result raises what infer raises", fails="async_infer")
def test_async_refused(client):
    request = client.async_infer("nothing", [client.tensor(integers(1))])
    with client.refused("NOT_FOUND", "nothing"):
        request.get_result()


@case("CA03", "http", "async_infer: get_result before the answer is there, with a timeout that passes", "the client's error; the answer can be had later")
def test_result_too_early(client):
    request = client.async_infer("slow", [client.tensor(integers(1))])
    with pytest.raises(InferenceServerException, match="failed to obtain inference response"):
        request.get_result(timeout=0.05)
    with pytest.raises(InferenceServerException, match="failed to obtain inference response"):
        request.get_result(block=False)
    assert same(request.get_result(timeout=60).as_numpy("OUT"), integers(1))


@case("CA04", "http", "async_infer with a request id, a version, an output and compression", "as infer")
def test_async_arguments(client):
    request = client.async_infer(
        "versions",
        [client.tensor(integers(1, 2))],
        model_version="2",
        outputs=[client.output()],
        request_id="r",
        headers={"my-header": "x"},
        query_params={"a": "b"},
        request_compression_algorithm="gzip",
        response_compression_algorithm="gzip",
        parameters={"mine": 1},
    )
    answer = request.get_result()
    assert same(answer.as_numpy("OUT"), integers(1, 2))
    assert (answer.get_response()["id"], answer.get_response()["model_version"]) == ("r", "2")


@case("CA05", "http", "max_greenlets below the number of async_infer calls", "the surplus waits; all are answered")
def test_few_greenlets(peer, connect):
    client = connect(peer, concurrency=4, max_greenlets=4)
    pending = [client.async_infer("id_int32", [client.tensor(integers(i))]) for i in range(12)]
    assert [request.get_result().as_numpy("OUT")[0, 0] for request in pending] == list(range(12))


# ---- async_infer of the gRPC client ----


def call(client, done, name, model, **more):
    """An async_infer whose outcome goes into the queue as (name, result, error)."""
    inputs = [client.tensor(integers(1))] if "inputs" not in more else more.pop("inputs")
    return client.async_infer(model, inputs, callback=lambda result, error: done.put((name, result, error)), **more)


@case("CA10", "grpc", "async_infer, 50 at once", "each callback its own answer", does="async_infer")
def test_many_callbacks(client):
    done = queue.Queue()
    for i in range(MANY):
        call(client, done, i, "batching", inputs=[client.tensor(integers(i))])
    outcomes = sorted((done.get(timeout=60) for _ in range(MANY)), key=lambda outcome: outcome[0])
    assert all(error is None for _, _, error in outcomes)
    assert [result.as_numpy("OUT")[0, 0] for _, result, _ in outcomes] == list(range(MANY))


@case("CA11", "grpc", "async_infer that is refused", "the callback gets the error that infer raises", fails="async_infer")
def test_callback_refused(client):
    done = queue.Queue()
    call(client, done, "it", "nothing")
    _, result, error = done.get(timeout=60)
    assert result is None
    with client.refused("NOT_FOUND", "nothing"):
        raise error


@case("CA12", "grpc", "cancel of an async_infer that the model works on", "CANCELLED at the client; the model is free for the next")
def test_cancel(client):
    done = queue.Queue()
    for name in ("first", "second"):
        call(client, done, name, "stuck").cancel()
        got, result, error = done.get(timeout=60)
        assert (got, result) == (name, None)
        assert "CANCELLED" in str(error)


@case("CA13", "grpc", "async_infer with a client_timeout that passes", "the callback gets Deadline Exceeded")
def test_callback_timeout(client):
    done = queue.Queue()
    call(client, done, "it", "stuck", client_timeout=0.2)
    _, result, error = done.get(timeout=60)
    assert result is None
    with client.refused("DEADLINE_EXCEEDED"):
        raise error


@case("CA14", "grpc", "async_infer with a request id, a version, an output and compression", "as infer")
def test_callback_arguments(client):
    done = queue.Queue()
    more = {"model_version": "2", "request_id": "r", "outputs": [client.output()], "compression_algorithm": "gzip"}
    call(client, done, "it", "versions", headers={"my-header": "x"}, parameters={"mine": 1}, **more)
    _, result, error = done.get(timeout=60)
    assert error is None and same(result.as_numpy("OUT"), integers(1))
    assert (result.get_response().id, result.get_response().model_version) == ("r", "2")


# ---- tasks of the asyncio clients ----


@case("CA20", "http.aio", "50 infer calls awaited together", "each its own answer")
def test_http_tasks(client):
    check_tasks(client)


@case("CA21", "grpc.aio", "50 infer calls awaited together", "each its own answer")
def test_grpc_tasks(client):
    check_tasks(client)


def check_tasks(client):
    async def all_of_them():
        calls = (client.raw.infer("batching", [client.tensor(integers(i))]) for i in range(MANY))
        return await asyncio.gather(*calls)

    results = client.wait(all_of_them())
    assert [result.as_numpy("OUT")[0, 0] for result in results] == list(range(MANY))


@case("CA22", "grpc.aio", "a task that awaits infer is cancelled while the model works on it", "CancelledError; the next call is answered")
def test_cancelled_task(client):
    async def cancel():
        task = asyncio.ensure_future(client.raw.infer("stuck", [client.tensor(integers(1))]))
        await asyncio.sleep(0)
        task.cancel()
        await task

    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            client.wait(cancel())
    assert same(client.infer_array("id_int32", integers(1)), integers(1))


@case("CA23", "http.aio", "a task that awaits infer is cancelled while the model works on it", "CancelledError; the next call is answered")
def test_cancelled_http_task(client):
    async def cancel():
        task = asyncio.ensure_future(client.raw.infer("slow", [client.tensor(integers(1))]))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        client.wait(cancel())
    assert same(client.infer_array("id_int32", integers(1)), integers(1))
