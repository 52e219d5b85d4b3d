"""System shared memory by the client of 2020."""

import http.client

import cuda_memory
import fakes
import grpc
import numpy as np
import pytest
from cases import case
from conftest import add_models
from old_client import RAW, InferContext, InferenceServerException, SharedMemoryControlContext, shared_memory
from serving import Server


class Region:
    def __init__(self, name, size):
        self.handle = shared_memory.create_shared_memory_region(name, f"/inferd_v1_{name}", size)

    def __enter__(self):
        return self.handle

    def __exit__(self, *_):
        shared_memory.destroy_shared_memory_region(self.handle)


@pytest.fixture
def control(wire):
    context = SharedMemoryControlContext(*wire)
    context.unregister_all()
    yield context
    context.unregister_all()


def names(control):
    return sorted(region.name for region in control.get_shared_memory_status().shared_memory_region)


@case("VM01", "v1 HTTP, v1 gRPC", "register", "the region in the status, with key and size")
def test_register(control):
    with Region("one", 64) as handle:
        control.register(handle)
        region = control.get_shared_memory_status().shared_memory_region[0]
        assert (region.name, region.system_shared_memory.shared_memory_key, region.byte_size) == ("one", "/inferd_v1_one", 64)


@case("VM02", "v1 HTTP, v1 gRPC", "unregister of one of two", "the other stays")
def test_unregister(control):
    with Region("one", 64) as one, Region("two", 64) as two:
        control.register(one)
        control.register(two)
        control.unregister(one)
        assert names(control) == ["two"]


@case("VM03", "v1 HTTP, v1 gRPC", "unregister all", "none is left")
def test_unregister_all(control):
    with Region("one", 64) as one, Region("two", 64) as two:
        control.register(one)
        control.register(two)
        control.unregister_all()
        assert names(control) == []


@case("VM04", "v1 HTTP, v1 gRPC", "register twice", "an error that names the region")
def test_register_twice(control):
    with Region("one", 64) as handle:
        control.register(handle)
        with pytest.raises(InferenceServerException, match="one"):
            control.register(handle)


@case("VM05", "v1 HTTP, v1 gRPC", "register of what is gone", "an error")
def test_register_missing(control):
    with Region("gone", 64) as handle:
        pass
    with pytest.raises(InferenceServerException):
        control.register(handle)


@case("VM06", "v1 HTTP, v1 gRPC", "unregister of what is not registered", "success")
def test_unregister_unknown(control):
    with Region("one", 64) as handle:
        control.unregister(handle)


@case("VM07", "v1 HTTP, v1 gRPC", "an input in shared memory", "its values")
def test_input(wire, control):
    values = np.arange(4, dtype=np.int32)
    with Region("in", 16) as handle:
        shared_memory.set_shared_memory_region(handle, [values])
        control.register(handle)
        result = InferContext(*wire, "fixed").run({"IN": (handle, [4])}, {"OUT": RAW})
        assert np.array_equal(result["OUT"][0], values)


@case("VM08", "v1 HTTP, v1 gRPC", "an output in shared memory", "its values there")
def test_output(wire, control):
    values = np.arange(4, dtype=np.int32)
    with Region("out", 64) as handle:
        control.register(handle)
        result = InferContext(*wire, "fixed").run({"IN": [values]}, {"OUT": (RAW, handle)})
        assert np.array_equal(result["OUT"][0], values)


@case("VM09", "v1 HTTP, v1 gRPC", "a batch, input and output in shared memory", "each entry")
def test_batch(wire, control):
    batch = [np.full(4, i, np.int32) for i in range(3)]
    with Region("in", 48) as source, Region("out", 48) as target:
        shared_memory.set_shared_memory_region(source, batch)
        control.register(source)
        control.register(target)
        result = InferContext(*wire, "fixed").run({"IN": (source, [4])}, {"OUT": (RAW, target)}, 3)
        assert np.array_equal(result["OUT"], batch)


@case("VM10", "v1 HTTP, v1 gRPC", "an output larger than its region", "an error that names the output")
def test_output_too_large(wire, control):
    with Region("out", 8) as handle:
        control.register(handle)
        with pytest.raises(InferenceServerException, match="OUT"):
            InferContext(*wire, "fixed").run({"IN": [np.arange(4, dtype=np.int32)]}, {"OUT": (RAW, handle)})


@case("VM11", "v1 HTTP, v1 gRPC", "an input in a region that is not registered", "an error that names the region")
def test_unknown_region(wire, control):
    with Region("missing", 16) as handle:
        with pytest.raises(InferenceServerException, match="missing"):
            InferContext(*wire, "fixed").run({"IN": (handle, [4])}, {"OUT": RAW})


@case("VM12", "v1 HTTP, v1 gRPC", "one input in shared memory, the other in the request", "each its values")
def test_mixed(wire, control):
    with Region("a", 8) as handle:
        shared_memory.set_shared_memory_region(handle, [np.array([5, 6], np.int32)])
        control.register(handle)
        inputs = {"A": (handle, [2]), "B": [np.array([1, 2], np.float32)]}
        result = InferContext(*wire, "pair").run(inputs, {"X": RAW, "Y": RAW})
        assert np.array_equal(result["X"][0], [5, 6]) and np.array_equal(result["Y"][0], [1, 2])


@case("VM13", "v1 HTTP, v1 gRPC", "register on a server that does not allow it", "an error that says how to allow it")
def test_not_allowed(start, repository):
    from old_client import ProtocolType

    server = start(repository)
    with Region("one", 64) as handle:
        for wire in ((server.http_url, ProtocolType.HTTP), (server.grpc_url, ProtocolType.GRPC)):
            with pytest.raises(InferenceServerException, match="allow-client-shm"):
                SharedMemoryControlContext(*wire).register(handle)


HANDLES = [(64, "UNSUPPORTED", "'c': no GPU can be used here"), (63, "INVALID_ARG", "raw_handle: expected 64 bytes, got 63")]


@case("VM14", "v1 HTTP", "register of a CUDA region, with a handle of 64 bytes and with a shorter one", "UNSUPPORTED, and INVALID_ARG; no region")
@pytest.mark.parametrize("size,code,text", HANDLES)
def test_cuda_over_http(server, size, code, text):
    connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=60)
    connection.request("POST", "/api/sharedmemorycontrol/cudaregister/c/1024/0", bytes(size))
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 400
    assert response.headers["NV-Status"].startswith(f"code: {code} ")
    assert text.replace("'", "\\'") in response.headers["NV-Status"]
    assert "c" not in names(SharedMemoryControlContext(server.http_url, 0))


@case("VM15", "v1 gRPC", "the same", "the same, in the answer's status")
@pytest.mark.parametrize("size,code,text", HANDLES)
def test_cuda_over_grpc(server, size, code, text):
    from tensorrtserver.api import grpc_service_pb2, request_status_pb2

    request = grpc_service_pb2.SharedMemoryControlRequest()
    request.register.name = "c"
    request.register.byte_size = 1024
    request.register.cuda_shared_memory.raw_handle = bytes(size)
    with grpc.insecure_channel(server.grpc_url) as channel:
        raw = channel.unary_unary("/nvidia.inferenceserver.GRPCService/SharedMemoryControl")(request.SerializeToString(), timeout=60)
    status = grpc_service_pb2.SharedMemoryControlResponse.FromString(raw).request_status
    assert request_status_pb2.RequestStatusCode.Name(status.code) == code
    assert text in status.msg


# ---- memory of a GPU, of tests/fakes ----


@pytest.fixture(scope="module")
def gpu_server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("gpu")
    add_models(repository)
    running = Server(repository, "--allow-client-shm=true", environment=fakes.environment())
    yield running
    running.stop()


@pytest.fixture
def make():
    with cuda_memory.allocations() as function:
        yield function


def post(server, path, body=b"", headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=60)
    connection.request("POST", path, body, headers or {})
    response = connection.getresponse()
    answer = response.status, response.headers, response.read()
    connection.close()
    return answer


def control_call(server, request):
    from tensorrtserver.api import grpc_service_pb2

    with grpc.insecure_channel(server.grpc_url) as channel:
        raw = channel.unary_unary("/nvidia.inferenceserver.GRPCService/SharedMemoryControl")(request.SerializeToString(), timeout=60)
    return grpc_service_pb2.SharedMemoryControlResponse.FromString(raw)


def rows(server):
    status = SharedMemoryControlContext(server.http_url, 0).get_shared_memory_status()
    return [(region.name, region.cuda_shared_memory.device_id, region.byte_size) for region in status.shared_memory_region]


def register_cuda(server, protocol, name, made, device=0):
    from tensorrtserver.api import grpc_service_pb2

    if protocol == "http":
        status, headers, _ = post(server, f"/api/sharedmemorycontrol/cudaregister/{name}/{made.size}/{device}", made.raw_handle)
        assert status == 200, headers["NV-Status"]
        return
    request = grpc_service_pb2.SharedMemoryControlRequest()
    request.register.name = name
    request.register.byte_size = made.size
    request.register.cuda_shared_memory.raw_handle = made.raw_handle
    request.register.cuda_shared_memory.device_id = device
    assert control_call(server, request).request_status.code == 1


@case("VM16", "v1 HTTP, v1 gRPC", "register of a CUDA region, status, infer with input and output in it, unregister", "the region with its device; the values; nothing is left open")
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_cuda_region(gpu_server, make, protocol):
    made = make(64)
    made.put(np.arange(4, dtype=np.int32))
    register_cuda(gpu_server, protocol, "c", made, 1)
    assert rows(gpu_server) == [("c", 1, 64)]
    header = (b'batch_size: 1 input { name: "IN" shared_memory { name: "c" byte_size: 16 } } '
              b'output { name: "OUT" shared_memory { name: "c" offset: 32 byte_size: 16 } }')
    status, headers, _ = post(gpu_server, "/api/infer/fixed", b"", {"NV-InferRequest": header})
    assert status == 200, headers["NV-Status"]
    assert made.bytes(32, 16) == made.bytes(0, 16)
    assert made.is_open(gpu_server)
    status, _, _ = post(gpu_server, "/api/sharedmemorycontrol/unregister/c")
    assert status == 200
    assert rows(gpu_server) == [] and not made.is_open(gpu_server)
