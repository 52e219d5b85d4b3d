"""Streams by tritonclient, with threads and with asyncio."""

import queue

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_aio
from cases import case
from serving import wait_until
from streaming import cancelled, pending
from tritonclient.utils import InferenceServerException


def array(value, name="IN"):
    tensor = triton_grpc.InferInput(name, [1, 1], "INT32")
    tensor.set_data_from_numpy(np.array([[value]], dtype=np.int32))
    return [tensor]


@case("ST43", "gRPC stream", "tritonclient: start_stream, async_stream_infer, stop_stream", "results in order; stop_stream waits for those that are pending")
def test_triton_client(stream_server):
    results = queue.Queue()
    with triton_grpc.InferenceServerClient(stream_server.grpc_url) as client:
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
def test_triton_client_errors(stream_server):
    results = queue.Queue()
    with triton_grpc.InferenceServerClient(stream_server.grpc_url) as client:
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
def test_triton_client_decoupled(stream_server):
    results = queue.Queue()
    with triton_grpc.InferenceServerClient(stream_server.grpc_url) as client:
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
def test_triton_client_statuses(stream_server):
    for more, model, status in [({"headers": {"triton_grpc_error": "true"}}, "nothing", "StatusCode.NOT_FOUND"), ({"stream_timeout": 0.3}, "stuck", "StatusCode.DEADLINE_EXCEEDED")]:
        results = queue.Queue()
        with triton_grpc.InferenceServerClient(stream_server.grpc_url) as client:
            client.start_stream(callback=lambda result, error, results=results: results.put((result, error)), **more)
            client.async_stream_infer(model, array(1))
            assert results.get(timeout=60)[1].status() == status


@case("ST47", "gRPC stream", "tritonclient: stop_stream(cancel_requests=True)", "what is pending is cancelled")
def test_triton_client_cancel(own_stream_server):
    server = own_stream_server()
    with triton_grpc.InferenceServerClient(server.grpc_url) as client:
        client.start_stream(callback=lambda result, error: None)
        client.async_stream_infer("stuck", array(1))
        client.async_stream_infer("stuck", array(2))
        wait_until(lambda: pending(server, "stuck") == 1)
        client.stop_stream(cancel_requests=True)
        wait_until(lambda: cancelled(server, "stuck") == 2)


@case("ST48", "gRPC stream", "tritonclient.grpc.aio: stream_infer", "results and errors in order")
def test_triton_aio(stream_server):
    import asyncio

    async def requests():
        for i in range(50):
            yield {"model_name": "nothing" if i == 20 else "id_int32", "inputs": array(i), "request_id": str(i)}

    async def run():
        got = []
        async with triton_aio.InferenceServerClient(stream_server.grpc_url) as client:
            async for result, error in client.stream_infer(requests()):
                got.append("error" if error else int(result.as_numpy("OUT")[0][0]))
        return got

    assert asyncio.run(run()) == [i if i != 20 else "error" for i in range(50)]


@case("ST49", "gRPC stream", "tritonclient.grpc.aio: a decoupled model, and cancel of the iterator", "responses as they come; then the model is told")
def test_triton_aio_decoupled(own_stream_server):
    import asyncio

    server = own_stream_server()

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
