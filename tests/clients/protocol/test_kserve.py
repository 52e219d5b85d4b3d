"""kserve's own client: InferenceRESTClient and InferenceGRPCClient."""

import numpy as np
import pytest
from cases import case, triton_differs
from models import DATATYPES
from triton_client import array_of, integers, same

PROTOCOLS = ["http", "grpc"]
KINDS = {"NOT_FOUND": "404", "INVALID_ARGUMENT": "400", "INTERNAL": "500"}
# FP16: the client cannot read it as gRPC gives it. BF16: numpy lacks it, and so does the client.
NOT_FOR_KSERVE = ("FP16", "BF16")
# Over HTTP the client makes text of all BYTES.
TEXT = np.array([["", "Grüße 世界 🙂", '"\\']], dtype=np.object_)


@pytest.fixture
def kserve(kserve_process, peer):
    """Runs a function of kserve_calls: kserve(name, protocol, …)."""
    return lambda name, protocol, *arguments, **more: kserve_process(name, protocol, peer, *arguments, **more)


def refused(run, protocol, kind, text):
    """The call must raise what the client makes of this kind of error."""
    with pytest.raises(RuntimeError) as raised:
        run()
    status, message = raised.value.args
    assert status == (kind if protocol == "grpc" else KINDS[kind])
    assert text in message


@case("KS01", "gRPC", "kserve: is_server_live, is_server_ready, is_model_ready", "true")
@pytest.mark.parametrize("method, arguments", [("is_server_live", []), ("is_server_ready", []), ("is_model_ready", ["plain"])])
def test_grpc_health(kserve, method, arguments):
    assert kserve("call", "grpc", method, *arguments) is True


@case("KS02", "HTTP", "kserve: is_server_live, is_server_ready", "true: it reads a JSON body")
@triton_differs("the body is empty, and the client cannot read that")
@pytest.mark.parametrize("method", ["is_server_live", "is_server_ready"])
def test_http_health(kserve, method):
    assert kserve("call", "http", method) is True


@case("KS03", "HTTP", "kserve: is_model_ready", "true; of an unknown model false")
@pytest.mark.parametrize("name, ready", [("plain", True), ("nothing", False)])
def test_http_model_ready(kserve, name, ready):
    assert kserve("call", "http", "is_model_ready", name) is ready


@case("KS04", "gRPC", "kserve: is_model_ready of an unknown model", "false")
def test_grpc_model_ready(kserve):
    assert kserve("call", "grpc", "is_model_ready", "nothing") is False


@case("KS05", "both", "kserve: infer, binary, each datatype", "the same arrays")
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("datatype", [name for name in DATATYPES if name not in NOT_FOR_KSERVE])
def test_binary(kserve, protocol, datatype):
    values = TEXT if datatype == "BYTES" else array_of(datatype)
    _, arrays = kserve("infer", protocol, "id_" + datatype.lower(), {"IN": (datatype, values)}, outputs={"OUT": {"binary_data": True}})
    assert same(arrays["OUT"], values)


@case("KS06", "both", "kserve: infer with data in JSON, in typed contents", "the same arrays")
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("datatype", [name for name in DATATYPES if name not in (*NOT_FOR_KSERVE, "BYTES")])
def test_data_in_messages(kserve, protocol, datatype):
    values = array_of(datatype)
    _, arrays = kserve("infer", protocol, "id_" + datatype.lower(), {"IN": (datatype, values)}, binary=False)
    assert same(arrays["OUT"], values)


@case("KS07", "both", "kserve: infer with text in JSON, in typed contents", "the same text")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_text_in_messages(kserve, protocol):
    _, arrays = kserve("infer", protocol, "id_bytes", {"IN": ("BYTES", TEXT)}, binary=False)
    assert same(arrays["OUT"], TEXT)


@case("KS14", "gRPC", "kserve: infer with bytes that are no text", "the same bytes")
def test_bytes(kserve):
    _, arrays = kserve("infer", "grpc", "id_bytes", {"IN": ("BYTES", array_of("BYTES"))})
    assert same(arrays["OUT"], array_of("BYTES"))


@case("KS08", "HTTP", "kserve: infer with http2=True but no TLS, where it stays with HTTP/1.1", "the same array; 404 of an unknown model")
def test_http2(kserve):
    _, arrays = kserve("infer", "http2", "id_int32", {"IN": ("INT32", integers(1, 2))})
    assert same(arrays["OUT"], integers(1, 2))
    refused(lambda: kserve("infer", "http2", "nothing", {"IN": ("INT32", integers(1))}), "http", "NOT_FOUND", "nothing")


@case("KS09", "both", "kserve: several inputs, some outputs, an id, parameters", "those outputs and that id")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arguments(kserve, protocol):
    arrays = {"IN0": ("FP32", np.ones((1, 4), dtype=np.float32)), "IN1": ("INT32", integers(1, 2)), "IN2": ("BYTES", TEXT)}
    more = {"request_id": "r", "parameters": {"mine": 1, "text": "x", "truth": True}}
    identity, got = kserve("infer", protocol, "several", arrays, outputs={"OUT1": {}, "OUT0": {}}, **more)
    assert identity == "r"
    assert set(got) == {"OUT0", "OUT1"}
    assert same(got["OUT1"], integers(1, 2))


@case("KS10", "both", "kserve: infer on an unknown model", "NOT_FOUND with its name")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_unknown_model(kserve, protocol):
    refused(lambda: kserve("infer", protocol, "nothing", {"IN": ("INT32", integers(1))}), protocol, "NOT_FOUND", "nothing")


@case("KS11", "both", "kserve: infer with another shape than the model's", "INVALID_ARGUMENT with the model's name")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_wrong_shape(kserve, protocol):
    values = np.zeros((2, 2), dtype=np.float32)
    refused(lambda: kserve("infer", protocol, "plain", {"IN": ("FP32", values)}), protocol, "INVALID_ARGUMENT", "plain")


@case("KS12", "gRPC", "kserve: infer on a model that fails", "INTERNAL with its text")
def test_failing_model(kserve):
    refused(lambda: kserve("infer", "grpc", "failing", {"IN": ("INT32", integers(1))}), "grpc", "INTERNAL", "fail_executions")


@case("KS15", "HTTP", "kserve: infer on a model that fails", "500 with its text")
@triton_differs("the answer does not say that it is JSON, so that the client shows none of it")
def test_failing_model_over_http(kserve):
    refused(lambda: kserve("infer", "http", "failing", {"IN": ("INT32", integers(1))}), "http", "INTERNAL", "fail_executions")


@case("KS13", "both", "kserve: a megabyte", "the same array")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_large(kserve, protocol):
    values = np.arange(1 << 18, dtype=np.int32).reshape(1, -1)
    _, arrays = kserve("infer", protocol, "id_int32", {"IN": ("INT32", values)}, outputs={"OUT": {"binary_data": True}})
    assert same(arrays["OUT"], values)
