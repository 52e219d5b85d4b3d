"""Answers that are much work for the server: many classes, and doubles with all their digits."""

import json

import grpc
import numpy as np
from cases import case
from test_http_infer import outputs_of
from wire import grpc_error, infer_input, infer_message, post_infer

CLASSES_MAX = 65536


def classify_binary(server, datatype, values, count, rows=1):
    """The answer to an inference whose output is wanted as its best classes."""
    data = values.tobytes()
    head = {
        "inputs": [{"name": "IN", "datatype": datatype, "shape": [rows, len(values) // rows], "parameters": {"binary_data_size": len(data)}}],
        "outputs": [{"name": "OUT", "parameters": {"classification": count}}],
    }
    text = json.dumps(head).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    return post_infer(server.http, "id_" + datatype.lower(), text + data, headers)


@case("AV01", "HTTP", "more classes than 65536 of an output, in one row or in several", "400 that names the limit")
def test_too_many_classes(server):
    scores = np.arange(CLASSES_MAX + 1, dtype=np.float32)
    refusal = f"expected at most {CLASSES_MAX} classes in an answer ({CLASSES_MAX} are left), got "
    for count in (CLASSES_MAX + 1, 2**32 - 1):
        answer = classify_binary(server, "FP32", scores, count)
        assert answer.status == 400
        assert refusal + f"1 rows of {CLASSES_MAX + 1}" in answer.error
    output = outputs_of(classify_binary(server, "FP32", scores[:-1], 20000, rows=4))["OUT"]  # there are no more than may be
    assert output["shape"] == [4, 16384]
    answer = classify_binary(server, "FP32", np.concatenate([scores[:-1], scores[:-1]]), 16385, rows=4)
    assert answer.status == 400
    assert refusal + "4 rows of 16385" in answer.error


@case("AV02", "gRPC", "more classes than 65536", "INVALID_ARGUMENT that names the limit")
def test_too_many_classes_grpc(server):
    scores = np.arange(CLASSES_MAX + 1, dtype=np.float32)
    message = infer_message("id_fp32", ("IN", "FP32", [1, len(scores)], scores.tobytes()))
    message.outputs.add(name="OUT").parameters["classification"].int64_param = CLASSES_MAX + 1
    code, text = grpc_error(server.grpc, "ModelInfer", message)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert f"expected at most {CLASSES_MAX} classes in an answer" in text


@case("AV03", "HTTP", "all 65536 classes; the best of a million scores in rising order", "as numpy sorts them")
def test_many_classes(server):
    scores = np.random.default_rng(1).standard_normal(CLASSES_MAX).astype(np.float32)
    output = outputs_of(classify_binary(server, "FP32", scores, CLASSES_MAX))["OUT"]
    order = np.argsort(-scores, kind="stable")
    assert output["shape"] == [1, CLASSES_MAX]
    assert output["data"] == ["%f:%d" % (float(scores[i]), i) for i in order]
    rising = np.arange(1_000_000, dtype=np.int32)
    output = outputs_of(classify_binary(server, "INT32", rising, 1000))["OUT"]
    assert output["data"] == [f"{i}:{i}" for i in range(999_999, 998_999, -1)]


@case("AV04", "HTTP", "doubles of any bits, in JSON", "read back as themselves, in the fewest digits")
def test_doubles_of_any_bits(server):
    bits = np.random.default_rng(2).integers(0, 2**64, 20000, dtype=np.uint64)
    values = bits.view(np.float64)
    values = np.concatenate([values[np.isfinite(values)], [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e22, 1e23, -0.0]])
    data = values.tobytes()
    head = {
        "inputs": [{"name": "IN", "datatype": "FP64", "shape": [1, len(values)], "parameters": {"binary_data_size": len(data)}}],
        "outputs": [{"name": "OUT", "parameters": {"binary_data": False}}],
    }
    text = json.dumps(head).encode()
    answer = post_infer(server.http, "id_fp64", text + data, {"Inference-Header-Content-Length": str(len(text))})
    output = json.loads(answer.body, parse_float=str)["outputs"][0]
    assert np.array_equal(np.array([float(text) for text in output["data"]]).view(np.uint64), values.view(np.uint64))

    def digits(text):
        return len(text.lower().split("e")[0].replace(".", "").replace("-", "").strip("0"))

    assert [digits(text) for text in output["data"]] == [digits(repr(float(value))) for value in values]


@case("AV05", "HTTP", "floats with ends of their range as classes", "printf's six decimals, infinities, NaN last, both zeros equal")
def test_texts_of_classes(server):
    scores = np.array([-0.0, np.nan, 0.0, np.inf, 2.0**-7, -np.inf, 1e300, -1.5], dtype=np.float64)
    output = outputs_of(classify_binary(server, "FP64", scores, 8))["OUT"]
    assert output["data"] == ["inf:3", "%f:6" % 1e300, "0.007812:4", "-0.000000:0", "0.000000:2", "-1.500000:7", "-inf:5", "nan:1"]
