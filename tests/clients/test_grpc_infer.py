"""Good inferences over gRPC: raw and typed contents."""

import struct

import numpy as np
import pytest
from cases import case
from tritonclient.grpc import service_pb2 as pb
from wire import grpc_infer, infer_message

# datatype -> (member of InferTensorContents, values, their binary form)
TYPED = {
    "BOOL": ("bool_contents", [True, False], b"\1\0"),
    "UINT8": ("uint_contents", [0, 255], b"\0\xff"),
    "UINT16": ("uint_contents", [1, 65535], struct.pack("<2H", 1, 65535)),
    "UINT32": ("uint_contents", [1, 2**32 - 1], struct.pack("<2I", 1, 2**32 - 1)),
    "UINT64": ("uint64_contents", [1, 2**64 - 1], struct.pack("<2Q", 1, 2**64 - 1)),
    "INT8": ("int_contents", [-128, 127], b"\x80\x7f"),
    "INT16": ("int_contents", [-32768, 32767], struct.pack("<2h", -32768, 32767)),
    "INT32": ("int_contents", [-(2**31), 2**31 - 1], struct.pack("<2i", -(2**31), 2**31 - 1)),
    "INT64": ("int64_contents", [-(2**63), 2**63 - 1], struct.pack("<2q", -(2**63), 2**63 - 1)),
    "FP32": ("fp32_contents", [0.5, -1.25], struct.pack("<2f", 0.5, -1.25)),
    "FP64": ("fp64_contents", [0.1, 1e300], struct.pack("<2d", 0.1, 1e300)),
    "BYTES": ("bytes_contents", [b"", b"\xff\x00"], b"\0\0\0\0\2\0\0\0\xff\x00"),
}


@case("GI01", "gRPC", "raw contents", "datatype, full shape and the bytes in raw_output_contents; version and id")
def test_raw_contents(server):
    data = struct.pack("<3i", 1, -2, 3)
    answer = grpc_infer(server.grpc, infer_message("versions", ("IN", "INT32", [1, 3], data), id="my id"))
    assert (answer.model_name, answer.model_version, answer.id) == ("versions", "10", "my id")
    assert [(t.name, t.datatype, list(t.shape)) for t in answer.outputs] == [("OUT", "INT32", [1, 3])]
    assert list(answer.raw_output_contents) == [data]
    assert not answer.outputs[0].HasField("contents")


@case("GI02", "gRPC", "typed contents of each datatype", "the same values, raw")
@pytest.mark.parametrize("datatype", list(TYPED))
def test_typed_contents(server, datatype):
    member, values, raw = TYPED[datatype]
    message = infer_message("id_" + datatype.lower(), ("IN", datatype, [1, 2], None))
    getattr(message.inputs[0].contents, member).extend(values)
    assert list(grpc_infer(server.grpc, message).raw_output_contents) == [raw]


@case("GI03", "gRPC", "FP16 and BF16 as raw contents", "the same bytes")
@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_half_types(server, datatype):
    raw = b"\x00\x3c\x80\x3f"
    assert list(grpc_infer(server.grpc, infer_message("id_" + datatype.lower(), ("IN", datatype, [1, 2], raw))).raw_output_contents) == [raw]


@case("GI04", "gRPC", "several inputs; some outputs wanted", "a raw entry for each output, at its index")
def test_several_outputs(server):
    floats, words = struct.pack("<4f", 1, 2, 3, 4), struct.pack("<I", 1) + b"w"
    inputs = [("IN0", "FP32", [1, 4], floats), ("IN1", "INT32", [1, 0], b""), ("IN2", "BYTES", [1, 1], words)]
    answer = grpc_infer(server.grpc, infer_message("several", *inputs))
    assert [t.name for t in answer.outputs] == ["OUT0", "OUT1", "OUT2"]
    assert list(answer.raw_output_contents) == [floats, b"", words]
    message = infer_message("several", *inputs)
    message.outputs.add(name="OUT2")
    answer = grpc_infer(server.grpc, message)
    assert [t.name for t in answer.outputs] == ["OUT2"]
    assert list(answer.raw_output_contents) == [words]


@case("GI05", "gRPC", "more raw entries than inputs", "the surplus is ignored, as the protocol says")
def test_surplus_raw_contents(server):
    message = infer_message("id_int32", ("IN", "INT32", [1, 1], b"\1\0\0\0"))
    message.raw_input_contents.append(b"surplus")
    assert list(grpc_infer(server.grpc, message).raw_output_contents) == [b"\1\0\0\0"]


@case("GI06", "gRPC", "parameters of every kind", "taken; sequence parameters come back from a model that knows them")
def test_parameters(server):
    message = infer_message("id_int32", ("IN", "INT32", [1, 1], b"\1\0\0\0"))
    message.parameters["mine"].string_param = "x"
    message.parameters["rate"].double_param = 0.5
    message.parameters["count"].uint64_param = 2**64 - 1
    message.parameters["flag"].bool_param = False
    message.parameters["priority"].uint64_param = 1
    message.parameters["timeout"].int64_param = 60_000_000
    message.parameters["sequence_id"].string_param = "s1"
    message.parameters["sequence_end"].bool_param = True
    message.inputs[0].parameters["color"].string_param = "red"
    answer = grpc_infer(server.grpc, message)
    assert answer.parameters["sequence_id"].string_param == "s1"
    assert answer.parameters["sequence_end"].bool_param is True


@case("GI07", "gRPC", "classification", "BYTES with length prefixes in raw_output_contents")
def test_classification(server):
    message = infer_message("labelled", ("IN", "FP32", [1, 4], struct.pack("<4f", 4, 3, 2, 1)))
    message.outputs.add(name="OUT").parameters["classification"].int64_param = 2
    answer = grpc_infer(server.grpc, message)
    assert (answer.outputs[0].datatype, list(answer.outputs[0].shape)) == ("BYTES", [1, 2])
    first, second = b"4.000000:0:ant", b"3.000000:1:bee"
    assert answer.raw_output_contents[0] == struct.pack("<I", 14) + first + struct.pack("<I", 14) + second


@case("GI08", "gRPC", "a message larger than HTTP/2's windows", "all of it comes back")
def test_large_tensor(server):
    data = np.arange(4_000_000, dtype=np.int32).tobytes()
    answer = grpc_infer(server.grpc, infer_message("id_int32", ("IN", "INT32", [1, 4_000_000], data)))
    assert answer.raw_output_contents[0] == data


@case("GI09", "gRPC", "fields that are not known, groups, fields in any order", "skipped")
def test_unknown_fields(server):
    from wire import grpc_call

    known = infer_message("id_int32", ("IN", "INT32", [1, 1], b"\1\0\0\0")).SerializeToString()
    unknown = b"\xfa\x7f\x03abc" + b"\xf8\x7f\x05" + b"\xfd\x7f1234" + b"\xf9\x7f12345678" + b"\xfb\x7f\xfc\x7f"
    answer = pb.ModelInferResponse.FromString(grpc_call(server.grpc, "ModelInfer", unknown + known + unknown))
    assert list(answer.raw_output_contents) == [b"\1\0\0\0"]
