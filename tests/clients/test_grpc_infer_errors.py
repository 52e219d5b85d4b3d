"""Inferences and calls over gRPC that must be refused: status, and a text that says what was expected and got."""

import struct

import grpc
import pytest
from cases import case
from wire import SERVICE, grpc_channel, grpc_error, infer_message

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PAIR = struct.pack("<2i", 1, 2)


def refused(server, message, code, *parts, **more):
    got, text = grpc_error(server.grpc, "ModelInfer", message, **more)
    assert got == code, (got, text)
    for part in parts:
        assert part in text, text


def one(raw=PAIR, shape=(1, 2), datatype="INT32", name="IN", model="id_int32"):
    return infer_message(model, (name, datatype, shape, raw))


@case("GE01", "gRPC", "inference on an unknown model", "NOT_FOUND with its name")
def test_unknown_model(server):
    refused(server, one(model="nothing"), grpc.StatusCode.NOT_FOUND, "nothing")


@case("GE02", "gRPC", "inference on an unknown version", "NOT_FOUND with model and version")
def test_unknown_version(server):
    message = one()
    message.model_version = "9"
    refused(server, message, grpc.StatusCode.NOT_FOUND, "id_int32", "9")


@case("GE03", "gRPC", "an empty message", "NOT_FOUND: there is no model without a name")
def test_empty_message(server):
    refused(server, b"", grpc.StatusCode.NOT_FOUND, "unknown model: ''")


@case("GE04", "gRPC", "bytes that are no protobuf message", "INVALID_ARGUMENT with message type and byte")
@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\x05ab", b"\x00", b"\x0f", b"\x2a\x7f", b"\x0a" + b"\xff" * 11])
def test_no_protobuf(server, data):
    refused(server, data, INVALID, "ModelInferRequest", "byte")


@case("GE05", "gRPC", "a message cut at every byte", "an error, never a crash; the whole one succeeds")
def test_message_cut_anywhere(server):
    data = one().SerializeToString()
    with grpc_channel(server.grpc) as channel:
        call = channel.unary_unary(SERVICE + "ModelInfer")
        for size in range(len(data)):
            with pytest.raises(grpc.RpcError):
                call(data[:size], timeout=60)
        assert call(data, timeout=60)


@case("GE06", "gRPC", "a name that is not UTF-8", "INVALID_ARGUMENT with the field")
def test_name_that_is_not_utf8(server):
    refused(server, b"\x0a\x02\xff\xfe", INVALID, "ModelInferRequest.model_name", "UTF-8")


@case("GE07", "gRPC", "a known field number with another wire type", "skipped as an unknown field: the model has no name")
def test_wrong_wire_type(server):
    refused(server, b"\x08\x05", grpc.StatusCode.NOT_FOUND, "unknown model: ''")


@case("GE08", "gRPC", "messages nested too deep", "INVALID_ARGUMENT; the server goes on")
def test_deep_groups(server):
    refused(server, b"\xfb\x7f" * 100_000, INVALID, "ModelInferRequest")


@case("GE09", "gRPC", "an unknown datatype", "INVALID_ARGUMENT with all that there are")
def test_unknown_datatype(server):
    refused(server, one(datatype="STRING"), INVALID, "inputs[0].datatype", "BYTES", "'STRING'")


@case("GE10", "gRPC", "another datatype than the model's", "INVALID_ARGUMENT with both")
def test_wrong_datatype(server):
    refused(server, one(datatype="FP32"), INVALID, "'FP32'", "expects 'INT32'")


@case("GE11", "gRPC", "a negative dimension", "INVALID_ARGUMENT with its index")
def test_negative_dimension(server):
    refused(server, one(shape=[1, -1]), INVALID, "inputs[0].shape[1]: expected an integer of 0 or more, got -1")


@case("GE12", "gRPC", "17 dimensions", "INVALID_ARGUMENT: at most 16")
def test_too_many_dimensions(server):
    refused(server, one(shape=[1] * 17), INVALID, "inputs[0].shape: expected at most 16 dimensions, got 17")


@case("GE13", "gRPC", "a wrong number of dimensions, or a wrong one", "INVALID_ARGUMENT with expected and got shape")
def test_wrong_shape(server):
    refused(server, one(shape=[2]), INVALID, "[-1,-1]", "[2]")
    refused(server, one(struct.pack("<4f", 1, 2, 3, 4), [2, 2], "FP32", model="plain"), INVALID, "[2,3]", "[2,2]")


@case("GE14", "gRPC", "a shape whose product overflows", "INVALID_ARGUMENT")
@pytest.mark.parametrize("shape", [[2**62, 2**62], [1, 2**61]])
def test_huge_shape(server, shape):
    refused(server, one(shape=shape), INVALID, "'IN'")


@case("GE15", "gRPC", "a batch larger than max_batch_size", "INVALID_ARGUMENT with the limit")
def test_batch_too_large(server):
    refused(server, one(b"\0" * 36, [9, 1]), INVALID, "batch-size must be <= 8", "got 9")


@case("GE16", "gRPC", "raw bytes that do not fit the shape", "INVALID_ARGUMENT with expected and got bytes")
def test_wrong_raw_size(server):
    refused(server, one(b"123"), INVALID, "'IN'", "Expected 8", "got 3")


@case("GE17", "gRPC", "a BYTES tensor whose lengths do not add up", "INVALID_ARGUMENT with the tensor")
@pytest.mark.parametrize("raw", [b"\x05\0\0\0ab", b"\x01\0", b"\x01\0\0\0a\xff\xff\xff\xff", b"\0\0\0\0" * 3])
def test_broken_string_tensor(server, raw):
    refused(server, one(raw, datatype="BYTES", model="id_bytes"), INVALID, "'IN'")


@case("GE18", "gRPC", "fewer raw entries than inputs", "INVALID_ARGUMENT with their number, and the input that has none")
def test_too_few_raw_contents(server):
    message = infer_message("optional", ("IN0", "INT32", [1, 2], PAIR), ("IN1", "INT32", [1, 2], None))
    refused(server, message, INVALID, "raw_input_contents: expected an entry for each input", "got 1 entries and none for inputs[1]")


@case("GE19", "gRPC", "raw and typed contents in one request", "INVALID_ARGUMENT: they exclude each other")
def test_raw_and_typed_contents(server):
    message = one()
    message.inputs[0].contents.int_contents.extend([1, 2])
    refused(server, message, INVALID, "inputs[0].contents", "raw_input_contents")


@case("GE20", "gRPC", "neither raw nor typed contents", "INVALID_ARGUMENT with the number of elements wanted")
def test_no_contents(server):
    refused(server, one(raw=None), INVALID, "inputs[0].contents.int_contents: expected 2 elements", "got 0")


@case("GE21", "gRPC", "typed contents in the wrong member, or in two", "INVALID_ARGUMENT with the right one")
def test_wrong_typed_member(server):
    message = one(raw=None)
    message.inputs[0].contents.int64_contents.extend([1, 2])
    refused(server, message, INVALID, "inputs[0].contents: expected int_contents for INT32, got int64_contents")
    message.inputs[0].contents.int_contents.extend([1, 2])
    refused(server, message, INVALID, "expected int_contents for INT32, got int64_contents")


@case("GE22", "gRPC", "a wrong number of typed elements", "INVALID_ARGUMENT with expected and got")
def test_wrong_typed_count(server):
    message = one(raw=None)
    message.inputs[0].contents.int_contents.extend([1, 2, 3])
    refused(server, message, INVALID, "expected 2 elements for shape [1,2], got 3")


@case("GE23", "gRPC", "a typed element out of the datatype's range", "INVALID_ARGUMENT with path, range and number")
@pytest.mark.parametrize(
    "datatype,member,number,expected",
    [
        ("INT8", "int_contents", 128, "-128..127"),
        ("INT16", "int_contents", -32769, "-32768..32767"),
        ("UINT8", "uint_contents", 256, "0..255"),
        ("UINT16", "uint_contents", 65536, "0..65535"),
    ],
)
def test_typed_element_out_of_range(server, datatype, member, number, expected):
    message = one(raw=None, datatype=datatype, model="id_" + datatype.lower())
    getattr(message.inputs[0].contents, member).extend([0, number])
    refused(server, message, INVALID, f"{member}[1]: expected an integer in {expected} for {datatype}, got {number}")


@case("GE24", "gRPC", "FP16 or BF16 as typed contents", "INVALID_ARGUMENT: raw only")
@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_typed_half(server, datatype):
    message = one(raw=None, datatype=datatype, model="id_" + datatype.lower())
    message.inputs[0].contents.fp32_contents.extend([1, 2])
    refused(server, message, INVALID, "raw_input_contents", datatype)


@case("GE25", "gRPC", "an unknown input, or one given twice", "INVALID_ARGUMENT with its name")
def test_unknown_and_duplicate_input(server):
    refused(server, one(name="INN"), INVALID, "'INN'")
    message = infer_message("optional", ("IN0", "INT32", [1, 2], PAIR), ("IN0", "INT32", [1, 2], PAIR))
    refused(server, message, INVALID, "'IN0'", "more than once")


@case("GE26", "gRPC", "no inputs at all", "INVALID_ARGUMENT with those that are missing")
def test_no_inputs(server):
    refused(server, infer_message("several"), INVALID, "expected", "IN0", "IN1", "IN2")


@case("GE27", "gRPC", "an output that the model does not have", "INVALID_ARGUMENT with its name")
def test_unknown_output(server):
    message = one()
    message.outputs.add(name="OUTT")
    refused(server, message, INVALID, "'OUTT'")


@case("GE28", "gRPC", "a parameter without a value", "INVALID_ARGUMENT with its name")
def test_parameter_without_a_value(server):
    message = one()
    message.parameters["empty"].Clear()
    refused(server, message, INVALID, "'empty' has no value")


@case("GE29", "gRPC", "a reserved parameter", "INVALID_ARGUMENT: it is reserved")
def test_reserved_parameter(server):
    message = one()
    message.parameters["triton_something"].bool_param = True
    refused(server, message, INVALID, "triton_something", "reserved")


@case("GE30", "gRPC", "well-known parameters of the wrong type", "INVALID_ARGUMENT with name, expected and got")
@pytest.mark.parametrize(
    "name,member,value",
    [("priority", "string_param", "1"), ("timeout", "string_param", "1"), ("sequence_start", "int64_param", 1), ("sequence_id", "double_param", 1.0)],
)
def test_parameter_of_the_wrong_type(server, name, member, value):
    message = one()
    setattr(message.parameters[name], member, value)
    refused(server, message, INVALID, f"'{name}': expected")


@case("GE31", "gRPC", "an input or output in shared memory, without --allow-client-shm", "UNIMPLEMENTED with the flag's name")
def test_shared_memory(server):
    def put(parameters):
        parameters["shared_memory_region"].string_param = "r"
        parameters["shared_memory_byte_size"].int64_param = 8

    message = one()
    put(message.inputs[0].parameters)
    refused(server, message, grpc.StatusCode.UNIMPLEMENTED, "--allow-client-shm")
    message = one()
    put(message.outputs.add(name="OUT").parameters)
    refused(server, message, grpc.StatusCode.UNIMPLEMENTED, "--allow-client-shm")


@case("GE32", "gRPC", "a bad classification", "INVALID_ARGUMENT with the path")
def test_bad_classification(server):
    message = one()
    message.outputs.add(name="OUT").parameters["classification"].int64_param = 0
    refused(server, message, INVALID, "outputs[0].parameters.classification: expected an integer in 1..")


@case("GE33", "gRPC", "a model that fails", "INTERNAL with its reason")
def test_failing_model(server):
    refused(server, one(model="failing"), grpc.StatusCode.INTERNAL, "fail")


@case("GE34", "gRPC", "a call whose deadline passes", "DEADLINE_EXCEEDED, at once; the request is cancelled")
def test_deadline(server):
    refused(server, one(model="stuck"), grpc.StatusCode.DEADLINE_EXCEEDED, timeout=0.3)
