"""Good inferences over HTTP, with JSON and with binary tensors."""

import json
import struct

import numpy as np
import pytest
from cases import case
from models import DATATYPES
from wire import infer_input, post_infer


def outputs_of(answer):
    assert answer.status == 200, answer.body
    return {output["name"]: output for output in answer.json["outputs"]}


JSON_VALUES = {
    "BOOL": [True, False],
    "UINT8": [0, 255],
    "UINT16": [0, 65535],
    "UINT32": [0, 4294967295],
    "UINT64": [0, 18446744073709551615],
    "INT8": [-128, 127],
    "INT16": [-32768, 32767],
    "INT32": [-2147483648, 2147483647],
    "INT64": [-9223372036854775808, 9223372036854775807],
    "FP16": [0.5, -65504.0],
    "FP32": [0.1, -3.4028234663852886e38],
    "FP64": [0.1, 1.7976931348623157e308],
    "BYTES": ["", "Grüße, 世界 \"\\\n\u0000"],
    "BF16": [1.0, -2.5],
}


@case("HI01", "HTTP", "JSON data of each datatype, at the ends of its range", "the same values")
@pytest.mark.parametrize("datatype", list(DATATYPES))
def test_json_of_every_datatype(server, datatype):
    values = JSON_VALUES[datatype]
    answer = post_infer(server.http, "id_" + datatype.lower(), {"inputs": [infer_input(values, datatype=datatype)]})
    output = outputs_of(answer)["OUT"]
    assert (output["datatype"], output["shape"]) == (datatype, [1, 2])
    if datatype == "FP32":
        assert np.array_equal(np.float32(output["data"]), np.float32(values))
    else:
        assert output["data"] == values


@case("HI02", "HTTP", "id, model version", "given back; the version is a string")
def test_identity_of_the_answer(server):
    body = {"id": "a \"b\" ü", "inputs": [infer_input([1])]}
    answer = post_infer(server.http, "versions", body).json
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("a \"b\" ü", "versions", "10")
    answer = post_infer(server.http, "versions", {"inputs": [infer_input([1])]}, version=2).json
    assert "id" not in answer
    assert answer["model_version"] == "2"


@case("HI03", "HTTP", "nested data", "row-major, flat in the answer")
def test_nested_data(server):
    body = {"inputs": [infer_input([[1, 2, 3], [4, 5, 6]], shape=[2, 3])]}
    assert outputs_of(post_infer(server.http, "id_int32", body))["OUT"]["data"] == [1, 2, 3, 4, 5, 6]


@case("HI04", "HTTP", "NaN and Infinity literals", "taken and written as such")
def test_nan_and_infinity(server):
    body = b'{"inputs":[{"name":"IN","shape":[1,3],"datatype":"FP32","data":[NaN,Infinity,-Infinity]}]}'
    answer = post_infer(server.http, "id_fp32", body)
    assert b'"data":[NaN,Infinity,-Infinity]' in answer.body


@case("HI05", "HTTP", "an empty tensor", "an empty tensor")
def test_empty_tensor(server):
    output = outputs_of(post_infer(server.http, "id_fp32", {"inputs": [infer_input([], datatype="FP32")]}))["OUT"]
    assert (output["shape"], output["data"]) == ([1, 0], [])


@case("HI06", "HTTP", "an optional input left out", "its output is left out; the other one is there")
def test_optional_input(server):
    outputs = outputs_of(post_infer(server.http, "optional", {"inputs": [infer_input([5], name="IN0")]}))
    assert outputs["OUT0"]["data"] == [5]
    assert "OUT1" not in outputs


@case("HI07", "HTTP", "an input with dims [1] that the model sees without that dimension", "shape [n,1] both ways")
def test_reshaped_input(server):
    output = outputs_of(post_infer(server.http, "reshaped", {"inputs": [infer_input([7, 8], shape=[2, 1])]}))["OUT"]
    assert (output["shape"], output["data"]) == ([2, 1], [7, 8])


@case("HI08", "HTTP", "inputs in any order, some outputs wanted", "only the wanted ones")
def test_wanted_outputs(server):
    body = {
        "inputs": [
            infer_input(["x"], name="IN2", datatype="BYTES"),
            infer_input([1, 2, 3, 4], name="IN0", datatype="FP32"),
            infer_input([9], name="IN1"),
        ],
        "outputs": [{"name": "OUT2"}, {"name": "OUT1"}],
    }
    outputs = outputs_of(post_infer(server.http, "several", body))
    assert {name: output["data"] for name, output in outputs.items()} == {"OUT1": [9], "OUT2": ["x"]}


@case("HI09", "HTTP", "parameters of the model's own, and unknown members", "taken and ignored")
def test_unknown_members_and_parameters(server):
    body = {
        "inputs": [infer_input([1], parameters={"color": "red", "n": 1.5}, more={"a": []})],
        "parameters": {"mine": "x", "count": 3, "rate": 0.5, "flag": True},
        "outputs": [{"name": "OUT", "parameters": {"color": "blue"}}],
        "something": [[], {}],
    }
    assert outputs_of(post_infer(server.http, "id_int32", body))["OUT"]["data"] == [1]


@case("HI10", "HTTP", "sequence parameters", "given back as response parameters by a model that knows them")
def test_sequence_parameters(server):
    body = {"inputs": [infer_input([1])], "parameters": {"sequence_id": 7, "sequence_start": True, "sequence_end": False}}
    answer = post_infer(server.http, "id_int32", body)
    assert answer.status == 200
    assert answer.json["parameters"]["sequence_id"] == 7
    assert answer.json["parameters"]["sequence_start"] is True


# ---- binary tensor data ----


def binary_body(header, *tensors):
    text = json.dumps(header).encode()
    return text + b"".join(tensors), {"Inference-Header-Content-Length": str(len(text))}


def binary_input(data, datatype, shape, name="IN"):
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(data)}}


def split_answer(answer):
    """The JSON and the bytes behind it."""
    length = int(answer.headers["inference-header-content-length"])
    return json.loads(answer.body[:length]), answer.body[length:]


@case("HB01", "HTTP", "binary inputs, binary_data_output true", "JSON, then the bytes in output order; octet-stream")
def test_binary_both_ways(server):
    floats, ints, words = struct.pack("<4f", 1, 2, 3, 4), struct.pack("<2i", -5, 6), struct.pack("<I", 2) + b"\xff\x00"
    header = {
        "inputs": [
            binary_input(floats, "FP32", [1, 4], "IN0"),
            binary_input(ints, "INT32", [1, 2], "IN1"),
            binary_input(words, "BYTES", [1, 1], "IN2"),
        ],
        "parameters": {"binary_data_output": True},
    }
    body, headers = binary_body(header, floats, ints, words)
    answer = post_infer(server.http, "several", body, headers)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/octet-stream"
    head, data = split_answer(answer)
    assert data == floats + ints + words
    assert [output["parameters"] for output in head["outputs"]] == [
        {"binary_data_size": 16}, {"binary_data_size": 8}, {"binary_data_size": 6}
    ]
    assert "data" not in head["outputs"][0]


@case("HB02", "HTTP", "JSON and binary inputs mixed", "each finds its bytes")
def test_binary_and_json_inputs(server):
    floats, words = struct.pack("<4f", 1, 2, 3, 4), struct.pack("<I", 1) + b"w"
    header = {
        "inputs": [
            binary_input(floats, "FP32", [1, 4], "IN0"),
            infer_input([5, 6], name="IN1"),
            binary_input(words, "BYTES", [1, 1], "IN2"),
        ]
    }
    body, headers = binary_body(header, floats, words)
    answer = post_infer(server.http, "several", body, headers)
    assert [output["data"] for output in answer.json["outputs"]] == [[1.0, 2.0, 3.0, 4.0], [5, 6], ["w"]]
    assert "inference-header-content-length" not in answer.headers


@case("HB03", "HTTP", "an output listed without binary_data while binary_data_output is true", "JSON: the list decides")
def test_listed_output_is_json(server):
    body = {"inputs": [infer_input([1])], "outputs": [{"name": "OUT"}], "parameters": {"binary_data_output": True}}
    answer = post_infer(server.http, "id_int32", body)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["outputs"][0]["data"] == [1]


@case("HB04", "HTTP", "one output binary, another as JSON", "each in its form")
def test_mixed_outputs(server):
    body = {
        "inputs": [infer_input([1], name="IN0"), infer_input([2], name="IN1")],
        "outputs": [{"name": "OUT0"}, {"name": "OUT1", "parameters": {"binary_data": True}}],
    }
    head, data = split_answer(post_infer(server.http, "optional", body))
    assert head["outputs"][0]["data"] == [1]
    assert head["outputs"][1]["parameters"] == {"binary_data_size": 4}
    assert data == struct.pack("<i", 2)


@case("HB05", "HTTP", "binary outputs that are all empty", "no bytes, so no length header and application/json")
def test_empty_binary_output(server):
    body = {"inputs": [infer_input([], datatype="FP32")], "parameters": {"binary_data_output": True}}
    answer = post_infer(server.http, "id_fp32", body)
    assert answer.headers["content-type"] == "application/json"
    assert "inference-header-content-length" not in answer.headers
    assert answer.json["outputs"][0]["parameters"] == {"binary_data_size": 0}


@case("HB06", "HTTP", "Inference-Header-Content-Length 0: the body is the one input", "binary answer; variable dim from the size")
def test_raw_request(server):
    data = struct.pack("<3f", 1, 2, 3)
    answer = post_infer(server.http, "id_fp32", data, {"Inference-Header-Content-Length": "0"})
    assert answer.status == 200, answer.body
    head, output = split_answer(answer)
    assert head["outputs"][0]["shape"] == [1, 3]
    assert output == data


@case("HB07", "HTTP", "a raw request to a model whose BYTES input has dims [1]", "the body is the element; it gets its length")
def test_raw_string_request(server):
    answer = post_infer(server.http, "word", b"\x00any bytes\xff", {"Inference-Header-Content-Length": "0"})
    assert split_answer(answer)[1] == struct.pack("<I", 11) + b"\x00any bytes\xff"


@case("HB08", "HTTP", "header length equal to the body's", "the same as without the header")
def test_header_length_of_a_json_body(server):
    body, headers = binary_body({"inputs": [infer_input([4])]})
    assert outputs_of(post_infer(server.http, "id_int32", body, headers))["OUT"]["data"] == [4]


# ---- classification ----


def classify(server, scores, count, shape=None, **parameters):
    body = {
        "inputs": [infer_input(scores, shape=shape, datatype="FP32")],
        "outputs": [{"name": "OUT", "parameters": {"classification": count, **parameters}}],
    }
    return post_infer(server.http, "labelled", body)


@case("HK01", "HTTP", "classification of an output with labels", "BYTES \"value:index:label\", best first; no label: two parts")
def test_classification(server):
    output = outputs_of(classify(server, [0.1, 0.9, -1, 0.5], 3))["OUT"]
    assert output["datatype"] == "BYTES"
    assert output["shape"] == [1, 3]
    assert output["data"] == ["0.900000:1:bee", "0.500000:3", "0.100000:0:ant"]


@case("HK02", "HTTP", "classification of a batch, more classes than there are", "every row for itself, all its classes")
def test_classification_of_a_batch(server):
    output = outputs_of(classify(server, [1, 2, 3, 4, 4, 3, 2, 1], 9, shape=[2, 4]))["OUT"]
    assert output["shape"] == [2, 4]
    assert [text.split(":")[1] for text in output["data"]] == ["3", "2", "1", "0", "0", "1", "2", "3"]


@case("HK03", "HTTP", "classification as binary data", "length-prefixed strings")
def test_binary_classification(server):
    head, data = split_answer(classify(server, [1, 2, 3, 4], 1, binary_data=True))
    assert head["outputs"][0]["datatype"] == "BYTES"
    assert data == struct.pack("<I", 10) + b"4.000000:3"
