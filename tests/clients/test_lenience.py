"""Requests that are odd and taken all the same, as Triton takes them."""

import grpc
import pytest
from cases import case
from memory_wire import part, register
from wire import grpc_error, grpc_infer, infer_input, infer_message, post_infer

ODD_VALUES = [None, {}, [], {"a": [1]}, 1.5, 10**30]


def infer(server, model="id_int32", **members):
    """The answer's JSON to a request with one input, which must be good."""
    answer = post_infer(server.http, model, {"inputs": [infer_input([3])], **members})
    assert answer.status == 200, answer.body
    return answer.json


def message():
    return infer_message("id_int32", ("IN", "INT32", [1, 1], b"\3\0\0\0"))


# ---- outputs ----


@case("TP10", "HTTP", "an output asked for several times", "once, as it was first asked for")
def test_repeated_output(server):
    plain, classes = {"name": "OUT"}, {"name": "OUT", "parameters": {"classification": 1}}
    assert [output["data"] for output in infer(server, outputs=[plain, plain])["outputs"]] == [[3]]
    assert [output["data"] for output in infer(server, outputs=[plain, classes, classes])["outputs"]] == [[3]]
    assert [output["data"] for output in infer(server, outputs=[classes, plain])["outputs"]] == [["3:0"]]
    binary = {"name": "OUT", "parameters": {"binary_data": True}}
    answer = post_infer(server.http, "id_int32", {"inputs": [infer_input([3])], "outputs": [binary, plain]})
    assert answer.body.endswith(b'"parameters":{"binary_data_size":4}}]}\3\0\0\0')


@case("TP11", "HTTP", "an output asked for many thousand times, and one that the model does not have behind them", "once; 400 with its name")
def test_many_repeated_outputs(server):
    many = [{"name": "OUT"}] * 50_000
    assert len(infer(server, outputs=many)["outputs"]) == 1
    answer = post_infer(server.http, "id_int32", {"inputs": [infer_input([3])], "outputs": [*many, {"name": "OTHER"}]})
    assert answer.status == 400
    assert "unexpected inference output 'OTHER'" in answer.error


@case("TP12", "gRPC", "an output asked for several times", "once, as it was first asked for")
def test_repeated_output_grpc(server):
    request = message()
    request.outputs.add(name="OUT")
    request.outputs.add(name="OUT").parameters["classification"].int64_param = 1
    answer = grpc_infer(server.grpc, request)
    assert [output.datatype for output in answer.outputs] == ["INT32"]
    assert list(answer.raw_output_contents) == [b"\3\0\0\0"]


@case("TP13", "HTTP", "an output asked for into shared memory and again without", "into the memory, once")
def test_repeated_output_in_memory(memory_host, make_object):
    register(memory_host, "r", make_object(64))
    shared = {"name": "OUT", "parameters": part(size=4)}
    (output,) = infer(memory_host, outputs=[shared, {"name": "OUT"}])["outputs"]
    assert "data" not in output
    (output,) = infer(memory_host, outputs=[{"name": "OUT"}, shared])["outputs"]
    assert output["data"] == [3]


# ---- parameters of tensors ----


@case("TP14", "HTTP", "parameters of unknown names, with any values, of an input and of an output", "ignored")
@pytest.mark.parametrize("value", ODD_VALUES)
def test_unknown_tensor_parameters(server, value):
    members = {"inputs": [infer_input([3], parameters={"x": value})], "outputs": [{"name": "OUT", "parameters": {"y": value}}]}
    assert infer(server, **members)["outputs"][0]["data"] == [3]


@case("TP15", "HTTP", "parameters that are null or an empty array, of an input and of an output", "as if there were none")
@pytest.mark.parametrize("value", [None, []])
def test_no_tensor_parameters(server, value):
    members = {"inputs": [infer_input([3], parameters=value)], "outputs": [{"name": "OUT", "parameters": value}]}
    assert infer(server, **members)["outputs"][0]["data"] == [3]


@case("TP16", "HTTP", "a known parameter of a wrong kind, an unknown one nested 101 deep", "400 with the path")
def test_other_tensor_parameters(server):
    for parameters, text in [
        ({"binary_data_size": None}, "inputs[0].parameters.binary_data_size: expected a string, a number, true or false, got null"),
        ({"shared_memory_region": []}, "inputs[0].parameters.shared_memory_region: expected"),
        ([1], "inputs[0].parameters: expected an object, got an array"),
    ]:
        answer = post_infer(server.http, "id_int32", {"inputs": [infer_input([3], parameters=parameters)]})
        assert answer.status == 400 and text in answer.error
    deep = '{"inputs":[{"name":"IN","shape":[1,1],"datatype":"INT32","data":[1],"parameters":{"x":%s}}]}' % ("[" * 101 + "]" * 101)
    answer = post_infer(server.http, "id_int32", deep.encode())
    assert answer.status == 400 and "inputs[0].parameters: nested more than 100 deep" in answer.error


@case("TP17", "gRPC", "parameters without a value: of an unknown name, of a known one, of the request", "ignored; INVALID_ARGUMENT with the name")
def test_parameters_without_a_value(server):
    request = message()
    request.inputs[0].parameters["x"].SetInParent()
    request.outputs.add(name="OUT").parameters["y"].SetInParent()
    assert list(grpc_infer(server.grpc, request).raw_output_contents) == [b"\3\0\0\0"]
    request.inputs[0].parameters["shared_memory_region"].SetInParent()
    code, text = grpc_error(server.grpc, "ModelInfer", request)
    assert code == grpc.StatusCode.INVALID_ARGUMENT and "shared_memory_region" in text
    request = message()
    request.parameters["x"].SetInParent()
    code, text = grpc_error(server.grpc, "ModelInfer", request)
    assert code == grpc.StatusCode.INVALID_ARGUMENT and "'x'" in text


@case("TP21", "HTTP", "a parameter of outputs alone (classification, binary_data) on an input, of inputs alone on an output", "ignored, whatever its value")
@pytest.mark.parametrize("value", ODD_VALUES)
def test_parameters_of_the_other_list(server, value):
    members = {"inputs": [infer_input([3], parameters={"classification": value, "binary_data": value})],
               "outputs": [{"name": "OUT", "parameters": {"binary_data_size": value}}]}
    assert infer(server, **members)["outputs"][0]["data"] == [3]


@case("TP22", "gRPC", "classification of an input, without a value or with a bad one", "ignored; of an output INVALID_ARGUMENT")
def test_classification_of_an_input(server):
    request = message()
    request.inputs[0].parameters["classification"].SetInParent()
    assert list(grpc_infer(server.grpc, request).raw_output_contents) == [b"\3\0\0\0"]
    request.inputs[0].parameters["classification"].int64_param = -1
    assert list(grpc_infer(server.grpc, request).raw_output_contents) == [b"\3\0\0\0"]
    request.outputs.add(name="OUT").parameters["classification"].SetInParent()
    assert grpc_error(server.grpc, "ModelInfer", request)[0] == grpc.StatusCode.INVALID_ARGUMENT


# ---- sequences and timeouts ----


@case("TP18", "gRPC", "sequence_id as a negative int64", "its 64 bits as a number of 0 or more")
def test_negative_sequence_id(server):
    request = message()
    request.parameters["sequence_id"].int64_param = -1
    assert grpc_infer(server.grpc, request).parameters["sequence_id"].uint64_param == 2**64 - 1


@case("TP19", "HTTP, gRPC", "a sequence_id of 128 characters, and of more", "taken; 501, UNIMPLEMENTED with the bound")
def test_long_sequence_id(server):
    assert infer(server, parameters={"sequence_id": "x" * 128})["parameters"]["sequence_id"] == "x" * 128
    for size in (129, 100_000):
        answer = post_infer(server.http, "id_int32", {"inputs": [infer_input([3])], "parameters": {"sequence_id": "x" * size}})
        assert answer.status == 501
        assert answer.error == f"string correlation ID cannot be longer than 128 characters, got {size}"
        request = message()
        request.parameters["sequence_id"].string_param = "x" * size
        assert grpc_error(server.grpc, "ModelInfer", request) == (grpc.StatusCode.UNIMPLEMENTED, answer.error)


@case("TP20", "HTTP, gRPC", "`timeout` -1 and less", "no deadline")
@pytest.mark.parametrize("timeout", [-1, -(2**63)])
def test_negative_timeout(server, timeout):
    assert infer(server, parameters={"timeout": timeout})["outputs"][0]["data"] == [3]
    request = message()
    request.parameters["timeout"].int64_param = timeout
    assert list(grpc_infer(server.grpc, request).raw_output_contents) == [b"\3\0\0\0"]
