"""Unmodified tritonclient, all four forms: what its users do, and how errors reach them."""

import asyncio

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from cases import case
from models import DATATYPES
from tritonclient.utils import InferenceServerException

FORMS = {"http": triton_http, "grpc": triton_grpc}


@pytest.fixture(params=list(FORMS))
def form(request):
    return request.param


@pytest.fixture
def triton(form):
    """The client's module."""
    return FORMS[form]


@pytest.fixture
def client(server, form, triton):
    url = server.http_url if form == "http" else server.grpc_url
    with triton.InferenceServerClient(url) as connected:
        yield connected


def numpy_of(datatype):
    if datatype == "BYTES":
        return np.array([["", "Grüße".encode(), b"\xff\x00"]], dtype=np.object_)
    if datatype == "BF16":
        import ml_dtypes

        return np.array([[1.5, -2, 0]], dtype=ml_dtypes.bfloat16)
    return np.array([[1, 0, 1]], dtype=DATATYPES[datatype][1])


def input_of(triton, values, datatype, name="IN", **more):
    tensor = triton.InferInput(name, list(values.shape), datatype)
    tensor.set_data_from_numpy(values, **more)
    return tensor


def same(got, wanted):
    """BYTES come back as bytes, whatever went in."""
    if wanted.dtype == np.object_:
        wanted = np.array([[x.encode() if isinstance(x, str) else x for x in row] for row in wanted], dtype=np.object_)
    return got.dtype == wanted.dtype and np.array_equal(got, wanted)


@case("TC01", "both", "tritonclient: numpy arrays of each datatype", "the same arrays")
@pytest.mark.parametrize("datatype", list(DATATYPES))
def test_every_datatype(client, triton, datatype):
    values = numpy_of(datatype)
    result = client.infer("id_" + datatype.lower(), [input_of(triton, values, datatype)])
    assert same(result.as_numpy("OUT"), values)


@case("TC02", "HTTP", "tritonclient: JSON tensors both ways", "the same arrays")
@pytest.mark.parametrize("datatype", [d for d in DATATYPES if d not in ("BYTES", "BF16")])
def test_json_tensors(server, datatype):
    values = numpy_of(datatype)
    with triton_http.InferenceServerClient(server.http_url) as client:
        result = client.infer(
            "id_" + datatype.lower(),
            [input_of(triton_http, values, datatype, binary_data=False)],
            outputs=[triton_http.InferRequestedOutput("OUT", binary_data=False)],
        )
    assert same(result.as_numpy("OUT"), values)


@case("TC03", "both", "tritonclient: id, version, wanted output, priority, timeout, parameters", "all understood")
def test_all_arguments(client, triton):
    values = np.array([[1, 2]], dtype=np.int32)
    result = client.infer(
        "versions",
        [input_of(triton, values, "INT32")],
        model_version="2",
        outputs=[triton.InferRequestedOutput("OUT")],
        request_id="r1",
        sequence_id=5,
        sequence_start=True,
        sequence_end=True,
        priority=1,
        timeout=60_000_000,
        parameters={"mine": "x"},
    )
    answer = result.get_response()
    if isinstance(answer, dict):
        assert (answer["id"], answer["model_version"]) == ("r1", "2")
    else:
        assert (answer.id, answer.model_version) == ("r1", "2")
    assert same(result.as_numpy("OUT"), values)


@case("TC04", "both", "tritonclient: classification", "the strings of the best classes")
def test_classification(client, triton):
    scores = np.array([[0.25, 4, 1, 2]], dtype=np.float32)
    result = client.infer("labelled", [input_of(triton, scores, "FP32")], outputs=[triton.InferRequestedOutput("OUT", class_count=2)])
    assert [x.decode() for x in result.as_numpy("OUT").flatten()] == ["4.000000:1:bee", "2.000000:3"]


@case("TC05", "both", "tritonclient: an error", "InferenceServerException with text and status")
def test_error(client, triton, form):
    with pytest.raises(InferenceServerException) as raised:
        client.infer("nothing", [input_of(triton, np.array([[1]], dtype=np.int32), "INT32")])
    assert "nothing" in raised.value.message()
    assert raised.value.status() == ("404" if form == "http" else "StatusCode.NOT_FOUND")


@case("TC06", "both", "tritonclient: async_infer, 50 in flight", "every one its own answer")
def test_async_infer(server, form, triton):
    if form == "http":
        with triton.InferenceServerClient(server.http_url, concurrency=8) as client:
            pending = [client.async_infer("batching", [input_of(triton, np.array([[i]], dtype=np.int32), "INT32")]) for i in range(50)]
            results = [request.get_result() for request in pending]
    else:
        import queue

        done = queue.Queue()
        with triton.InferenceServerClient(server.grpc_url) as client:
            for i in range(50):
                client.async_infer(
                    "batching",
                    [input_of(triton, np.array([[i]], dtype=np.int32), "INT32")],
                    callback=lambda result, error, i=i: done.put((i, result, error)),
                )
            answers = sorted((done.get(timeout=60) for _ in range(50)), key=lambda answer: answer[0])
        assert all(error is None for _, _, error in answers)
        results = [result for _, result, _ in answers]
    assert [int(result.as_numpy("OUT")[0, 0]) for result in results] == list(range(50))


@case("TC07", "both", "tritonclient: health, metadata, config, statistics", "what its users look at")
def test_other_calls(client, form):
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("plain")
    assert client.is_model_ready("nothing") is False
    more = {} if form == "http" else {"as_json": True}
    assert client.get_server_metadata(**more)["name"] == "inferd"
    assert client.get_model_metadata("plain", **more)["inputs"][0]["name"] == "IN"
    config = client.get_model_config("batching", **more)
    assert (config if form == "http" else config["config"])["max_batch_size"] == 8
    statistics = client.get_inference_statistics("plain", **more)["model_stats"][0]
    assert statistics["name"] == "plain"


@case("TC08", "gRPC", "tritonclient: gzip and deflate compressed requests", "understood")
@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_grpc_compression(server, algorithm):
    values = np.zeros((1, 100_000), dtype=np.int32)
    with triton_grpc.InferenceServerClient(server.grpc_url) as client:
        result = client.infer("id_int32", [input_of(triton_grpc, values, "INT32")], compression_algorithm=algorithm)
    assert same(result.as_numpy("OUT"), values)


@case("TC09", "HTTP", "tritonclient: compressed requests and answers", "understood; the answer is compressed as asked")
@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_http_compression(server, algorithm, binary):
    values = np.arange(10_000, dtype=np.int32).reshape(1, -1)
    with triton_http.InferenceServerClient(server.http_url) as client:
        result = client.infer(
            "id_int32",
            [input_of(triton_http, values, "INT32", binary_data=binary)],
            outputs=[triton_http.InferRequestedOutput("OUT", binary_data=binary)],
            request_compression_algorithm=algorithm,
            response_compression_algorithm=algorithm,
        )
    assert same(result.as_numpy("OUT"), values)


@case("TC10", "gRPC", "tritonclient: client_timeout on a slow model", "Deadline Exceeded")
def test_grpc_client_timeout(server):
    with triton_grpc.InferenceServerClient(server.grpc_url) as client:
        with pytest.raises(InferenceServerException) as raised:
            client.infer("stuck", [input_of(triton_grpc, np.array([[1]], dtype=np.int32), "INT32")], client_timeout=0.3)
    assert "DEADLINE_EXCEEDED" in str(raised.value)


@case("TC11", "gRPC", "tritonclient: cancel of an async_infer", "CANCELLED at the client; the request is dropped")
def test_grpc_cancel(server):
    import queue

    done = queue.Queue()
    with triton_grpc.InferenceServerClient(server.grpc_url) as client:
        call = client.async_infer(
            "stuck", [input_of(triton_grpc, np.array([[1]], dtype=np.int32), "INT32")], callback=lambda result, error: done.put(error)
        )
        call.cancel()
        assert "CANCELLED" in str(done.get(timeout=60))


# ---- asyncio ----


async def run_aio(module, url, more):
    async with module.InferenceServerClient(url) as client:
        assert await client.is_server_ready()
        assert (await client.get_server_metadata(**more))["name"] == "inferd"
        assert (await client.get_model_metadata("plain", **more))["name"] == "plain"
        await client.get_model_config("plain")
        await client.get_inference_statistics("plain")
        tensors = [np.array([[i, i + 1]], dtype=np.int32) for i in range(30)]
        results = await asyncio.gather(*(client.infer("batching", [input_of(module, x, "INT32")]) for x in tensors))
        assert all(same(result.as_numpy("OUT"), x) for result, x in zip(results, tensors))
        for name, status in [("nothing", ("404", "StatusCode.NOT_FOUND")), ("failing", ("500", "StatusCode.INTERNAL"))]:
            with pytest.raises(InferenceServerException) as raised:
                await client.infer(name, [input_of(module, tensors[0], "INT32")])
            assert raised.value.status() in status


@case("TC12", "HTTP", "tritonclient.http.aio: all calls, 30 inferences at once, errors", "answers that it can decode, though it names encodings")
def test_http_aio(server):
    asyncio.run(run_aio(triton_http_aio, server.http_url, {}))


@case("TC13", "gRPC", "tritonclient.grpc.aio: all calls, 30 inferences at once, errors", "the same as over HTTP")
def test_grpc_aio(server):
    asyncio.run(run_aio(triton_grpc_aio, server.grpc_url, {"as_json": True}))


@case("TC14", "HTTP", "tritonclient.http.aio: BYTES and compression", "decoded by the client")
def test_http_aio_compression(server):
    async def talk():
        values = numpy_of("BYTES")
        async with triton_http_aio.InferenceServerClient(server.http_url) as client:
            result = await client.infer(
                "id_bytes",
                [input_of(triton_http_aio, values, "BYTES")],
                request_compression_algorithm="gzip",
                response_compression_algorithm="deflate",
            )
            assert same(result.as_numpy("OUT"), values)

    asyncio.run(talk())
