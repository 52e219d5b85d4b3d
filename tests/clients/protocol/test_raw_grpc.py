"""grpcio with the protocol's messages and no client library: what people write in other languages, with generated code."""

import grpc
import pytest
import wire
from cases import case, triton_differs
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub


@pytest.fixture
def stub(peer):
    with wire.grpc_channel(peer.grpc) as channel:
        yield GRPCInferenceServiceStub(channel)


def infer_request(model="id_int32", values=(1, 2, 3), **more):
    """A request with typed contents, as a generated client fills it most simply."""
    request = pb.ModelInferRequest(model_name=model, **more)
    tensor = request.inputs.add(name="IN", datatype="INT32", shape=[1, len(values)])
    tensor.contents.int_contents.extend(values)
    return request


def values_of(answer):
    assert len(answer.raw_output_contents) == len(answer.outputs)
    raw = answer.raw_output_contents[0]
    return [int.from_bytes(raw[at : at + 4], "little", signed=True) for at in range(0, len(raw), 4)]


def refused(code, call, *arguments, **more):
    with pytest.raises(grpc.RpcError) as raised:
        call(*arguments, timeout=60, **more)
    assert raised.value.code() == code, raised.value
    return raised.value.details()


@case("RG01", "gRPC", "every call that only asks, through generated stubs", "their messages")
def test_questions(stub):
    assert stub.ServerLive(pb.ServerLiveRequest(), timeout=60).live
    assert stub.ServerReady(pb.ServerReadyRequest(), timeout=60).ready
    assert stub.ModelReady(pb.ModelReadyRequest(name="plain"), timeout=60).ready
    assert stub.ServerMetadata(pb.ServerMetadataRequest(), timeout=60).version
    assert list(stub.ModelMetadata(pb.ModelMetadataRequest(name="plain"), timeout=60).inputs[0].shape) == [2, 3]
    assert stub.ModelConfig(pb.ModelConfigRequest(name="batching"), timeout=60).config.max_batch_size == 8
    assert stub.ModelStatistics(pb.ModelStatisticsRequest(name="plain"), timeout=60).model_stats[0].name == "plain"


@case("RG02", "gRPC", "ModelInfer with typed contents", "raw contents")
def test_typed_contents(stub):
    assert values_of(stub.ModelInfer(infer_request(), timeout=60)) == [1, 2, 3]


@case("RG03", "gRPC", "ModelInfer with raw contents beside typed ones", "INVALID_ARGUMENT")
def test_both_contents(stub):
    request = infer_request()
    request.raw_input_contents.append(bytes(12))
    refused(grpc.StatusCode.INVALID_ARGUMENT, stub.ModelInfer, request)


@case("RG04", "gRPC", "ModelInfer with typed contents of another kind than the datatype", "INVALID_ARGUMENT")
def test_contents_of_another_kind(stub):
    request = infer_request()
    request.inputs[0].contents.Clear()
    request.inputs[0].contents.fp32_contents.extend([1, 2, 3])
    refused(grpc.StatusCode.INVALID_ARGUMENT, stub.ModelInfer, request)


@case("RG05", "gRPC", "ModelInfer with more values than the shape says, and with fewer", "INVALID_ARGUMENT")
@pytest.mark.parametrize("count", [2, 4])
def test_wrong_count(stub, count):
    request = infer_request()
    request.inputs[0].shape[1] = count
    refused(grpc.StatusCode.INVALID_ARGUMENT, stub.ModelInfer, request)


@case("RG06", "gRPC", "ModelInfer on an unknown model", "NOT_FOUND with its name")
def test_unknown_model(stub):
    assert "nothing" in refused(grpc.StatusCode.NOT_FOUND, stub.ModelInfer, infer_request("nothing"))


@case("RG07", "gRPC", "ModelInfer with parameters of each kind", "taken")
def test_parameters(stub):
    request = infer_request()
    request.parameters["truth"].bool_param = False
    request.parameters["number"].int64_param = 0
    request.parameters["text"].string_param = ""
    request.parameters["share"].double_param = 0.5
    assert values_of(stub.ModelInfer(request, timeout=60)) == [1, 2, 3]


@case("RG08", "gRPC", "ModelInfer with a parameter whose name begins with triton_", "INVALID_ARGUMENT with the name")
def test_reserved_parameter(stub):
    request = infer_request()
    request.parameters["triton_mine"].bool_param = True
    assert "triton_" in refused(grpc.StatusCode.INVALID_ARGUMENT, stub.ModelInfer, request)


@case("RG09", "gRPC", "ModelInfer with triton_enable_empty_final_response, which perf_analyzer sends", "taken")
def test_empty_final_response(stub):
    request = infer_request()
    request.parameters["triton_enable_empty_final_response"].bool_param = True
    assert values_of(stub.ModelInfer(request, timeout=60)) == [1, 2, 3]


@case("RG10", "gRPC", "a call with a deadline that passes", "DEADLINE_EXCEEDED")
def test_deadline(stub):
    with pytest.raises(grpc.RpcError) as raised:
        stub.ModelInfer(infer_request("stuck"), timeout=0.2)
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


@case("RG11", "gRPC", "a call that is cancelled", "CANCELLED; the next is answered")
def test_cancel(stub):
    call = stub.ModelInfer.future(infer_request("stuck"), timeout=60)
    call.cancel()
    assert call.cancelled()
    assert values_of(stub.ModelInfer(infer_request(), timeout=60)) == [1, 2, 3]


@case("RG12", "gRPC", "100 calls at once on one channel", "each its own answer")
def test_many_calls(stub):
    calls = [stub.ModelInfer.future(infer_request("batching", [i]), timeout=60) for i in range(100)]
    assert [values_of(call.result())[0] for call in calls] == list(range(100))


@case("RG13", "gRPC", "a method and a service that do not exist", "UNIMPLEMENTED")
@pytest.mark.parametrize("path", ["/inference.GRPCInferenceService/Nothing", "/another.Service/ServerLive"])
def test_unknown_method(peer, path):
    with wire.grpc_channel(peer.grpc) as channel:
        refused(grpc.StatusCode.UNIMPLEMENTED, channel.unary_unary(path), b"")


@case("RG14", "gRPC", "grpc.health.v1.Health Check, of the server", "SERVING")
def test_health_check(peer):
    with wire.grpc_channel(peer.grpc) as channel:
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=60) == b"\x08\x01"


@case("RG15", "gRPC", "metadata of the caller's own, also binary", "ignored")
def test_metadata(stub):
    metadata = [("my-header", "x"), ("my-bytes-bin", b"\x00\xff")]
    assert values_of(stub.ModelInfer(infer_request(), timeout=60, metadata=metadata)) == [1, 2, 3]


@case("RG16", "gRPC", "ModelInfer with a shape that has a negative dimension", "INVALID_ARGUMENT")
def test_negative_dimension(stub):
    request = infer_request()
    request.inputs[0].shape[1] = -1
    refused(grpc.StatusCode.INVALID_ARGUMENT, stub.ModelInfer, request)


@case("RG17", "gRPC", "ModelInfer with a parameter of an unsigned number that has no meaning", "taken")
@triton_differs("INVALID_ARGUMENT: only priority may be unsigned")
def test_unsigned_parameter(stub):
    request = infer_request()
    request.parameters["mine"].uint64_param = 2**64 - 1
    assert values_of(stub.ModelInfer(request, timeout=60)) == [1, 2, 3]
