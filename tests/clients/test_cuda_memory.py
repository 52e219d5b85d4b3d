"""CUDA shared memory, with a fake driver whose allocations are files: regions, inputs and outputs in them, and drivers that fail."""

import json
import socket
import threading
import time
from base64 import b64encode

import cuda_memory
import fakes
import memory
import memory_wire
import models
import numpy as np
import pytest
from cases import case
from memory_wire import part, shared
from serving import Server, wait_until
from tritonclient import grpc as grpcclient
from tritonclient import http as httpclient
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException, serialize_byte_tensor
from wire import get, good_inference, infer_input, post_infer, request

CUDA = "/v2/cudasharedmemory"
MODULES = {"http": httpclient, "grpc": grpcclient}


class Host:
    """A server with the fake driver, and what that is to answer."""

    def __init__(self, folder, *flags):
        models.add(folder / "models", "id_int32", models.BATCHED + models.pair("INT32", "-1"))
        models.add(folder / "models", "id_bytes", models.BATCHED + models.pair("BYTES", "-1"))
        models.add(folder / "models", "slow", models.BATCHED + models.pair("INT32", "-1") + models.parameter("execute_delay_ms", "300"))
        many = "model_transaction_policy { decoupled: true }\n" + models.parameter("responses", "3")
        models.add(folder / "models", "many", models.BATCHED + models.pair("INT32", "-1") + many)
        gate = "dynamic_batching { preferred_batch_size: [2] max_queue_delay_microseconds: 600000000 }"
        models.add(folder / "models", "gate_int32", models.BATCHED + models.pair("INT32", "-1") + gate)
        self.driver = cuda_memory.Driver(folder / "answers")
        self.server = Server(folder / "models", "--allow-client-shm", *flags, environment=fakes.environment(FAKE_CUDA=folder / "answers"))


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    host = Host(tmp_path_factory.mktemp("cuda"))
    yield host
    good_inference(host.server.http)
    host.server.stop()


@pytest.fixture
def host(running):
    running.driver.behave()
    unregister_all(running.server)
    yield running
    running.driver.behave()


@pytest.fixture
def make():
    with cuda_memory.allocations() as function:
        yield function


@pytest.fixture(params=["http", "grpc"])
def protocol(request):
    return request.param


@pytest.fixture
def client(host, protocol):
    with connect(host.server, protocol) as connected:
        yield connected


def connect(server, protocol):
    return MODULES[protocol].InferenceServerClient(server.http_url if protocol == "http" else server.grpc_url)


def unregister_all(server):
    request(server.http, "POST", CUDA + "/unregister")
    memory_wire.unregister_all(server)
    wait_until(lambda: get(server.http, CUDA + "/status").json == [])


def regions(client):
    answer = client.get_cuda_shared_memory_status()
    if isinstance(answer, list):
        return answer
    return [{"name": row.name, "device_id": row.device_id, "byte_size": row.byte_size} for row in answer.regions.values()]


def register(server, name, made, size=None, device=0):
    body = {"raw_handle": {"b64": made.handle.decode()}, "device_id": device, "byte_size": made.size if size is None else size}
    return request(server.http, "POST", f"{CUDA}/region/{name}/register", json.dumps(body))


def infer(client, protocol, model, shape, source=None, target=None, data=None, datatype="INT32"):
    """An inference of one tensor; source and target: (region, size, offset)."""
    module = MODULES[protocol]
    tensor = module.InferInput("IN", shape, datatype)
    if source:
        tensor.set_shared_memory(*source)
    else:
        tensor.set_data_from_numpy(data)
    output = module.InferRequestedOutput("OUT")
    if target:
        output.set_shared_memory(*target)
    return client.infer(model, [tensor], outputs=[output])


class Background:
    """A call on a thread of its own."""

    def __init__(self, function):
        self.answer = None

        def work():
            self.answer = function()

        self.thread = threading.Thread(target=work)
        self.thread.start()

    def wait(self):
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self.answer


# ---- regions ----


@case("GS01", "HTTP, gRPC", "register CUDA regions on two devices, their status, unregister of one and of all", "as told; each is open while it is registered")
def test_regions(host, client, make):
    one, two = make(), make(100)
    client.register_cuda_shared_memory("b", one.handle, 1, 4000)
    client.register_cuda_shared_memory("a", two.handle, 0, 100)
    rows = [{"name": "a", "device_id": 0, "byte_size": 100}, {"name": "b", "device_id": 1, "byte_size": 4000}]
    assert sorted(regions(client), key=lambda row: row["name"]) == rows
    assert one.is_open(host.server) and two.is_open(host.server)
    client.unregister_cuda_shared_memory("b")
    assert not one.is_open(host.server)
    assert regions(client) == rows[:1]
    client.register_cuda_shared_memory("b", one.handle, 1, 4096)
    client.unregister_cuda_shared_memory()
    assert regions(client) == []
    assert not one.is_open(host.server) and not two.is_open(host.server)


@case("GS02", "HTTP", "GET /v2 of a server whose driver has devices", "cuda_shared_memory among the extensions")
def test_extension(host):
    wait_until(lambda: "cuda_shared_memory" in get(host.server.http, "/v2").json["extensions"])


@case("GS03", "HTTP, gRPC", "a handle that is registered twice, with other sizes, and on another device", "both serve; it stays open until the last is gone; the other device: an error")
def test_one_handle_twice(host, client, protocol, make):
    made = make(64)
    made.put(np.array([[3, 4]], dtype=np.int32))
    client.register_cuda_shared_memory("a", made.handle, 0, 64)
    client.register_cuda_shared_memory("b", made.handle, 0, 8)
    with pytest.raises(InferenceServerException, match="1 to the 64 bytes of the allocation, got 65"):
        client.register_cuda_shared_memory("c", made.handle, 0, 65)
    with pytest.raises(InferenceServerException, match="resource already mapped"):
        client.register_cuda_shared_memory("c", made.handle, 1, 64)
    client.unregister_cuda_shared_memory("a")
    assert made.is_open(host.server)
    assert infer(client, protocol, "id_int32", [1, 2], ("b", 8)).as_numpy("OUT").tolist() == [[3, 4]]
    client.unregister_cuda_shared_memory("b")
    assert not made.is_open(host.server)


BAD = [
    ({"byte_size": 0}, "1 to the 4096 bytes of the allocation, got 0"),
    ({"byte_size": 4097}, "1 to the 4096 bytes of the allocation, got 4097"),
    ({"byte_size": 1 << 62}, "1 to the 4096 bytes of the allocation, got 4611686018427387904"),
    ({"device_id": 2}, "device_id: expected 0 to 1, got 2"),
    ({"device_id": 1 << 40}, "device_id: expected 0 to 1, got 1099511627776"),
    ({"raw_handle": b"x" * 64}, "raw_handle stands for no memory that a process of this machine lends: cuIpcOpenMemHandle: error 1"),
    ({"raw_handle": b"x" * 63}, "raw_handle: expected 64 bytes, got 63"),
    ({"raw_handle": b""}, "raw_handle: expected 64 bytes, got 0"),
]


@case("GS04", "HTTP, gRPC", "register with a size, a device or a handle that cannot be", "400, INVALID_ARGUMENT with what was expected; nothing is open")
@pytest.mark.parametrize("change,text", BAD)
def test_bad_regions(host, client, make, change, text):
    made = make()
    values = {"raw_handle": made.raw_handle, "device_id": 0, "byte_size": 4096, **change}
    with pytest.raises(InferenceServerException) as refused:
        client.register_cuda_shared_memory("c", b64encode(values["raw_handle"]), values["device_id"], values["byte_size"])
    assert refused.value.status() in ("400", "StatusCode.INVALID_ARGUMENT")
    assert text in refused.value.message() and "'c'" in refused.value.message()
    assert regions(client) == []
    assert not made.is_open(host.server)


@case("GS05", "gRPC", "register with a negative device", "INVALID_ARGUMENT")
def test_negative_device(host, make):
    with connect(host.server, "grpc") as client:
        with pytest.raises(InferenceServerException, match="device_id: expected 0 to 1, got -1"):
            client.register_cuda_shared_memory("c", make().handle, -1, 8)


@case("GS06", "HTTP", "a name that is taken, by a region of either kind; a status asked as the other kind; unregister as the other kind",
      "400; 404 that says which kind it is; success, and the region stays")
def test_names(host, make):
    server = host.server
    assert register(server, "c", make()).status == 200
    answer = register(server, "c", make())
    assert answer.status == 400 and "shared memory region 'c' already in manager" in answer.error
    with memory.objects() as make_object:
        memory_wire.register(server, "s", make_object())
        assert "already in manager" in register(server, "s", make()).error
        body = json.dumps({"key": make_object().key, "byte_size": 8})
        assert "already in manager" in request(server.http, "POST", memory_wire.SYSTEM + "/region/c/register", body).error
        answer = get(server.http, memory_wire.SYSTEM + "/region/c/status")
        assert answer.status == 404
        assert "The region named 'c' is registered as CUDA shared memory, not system shared memory" in answer.error
        request(server.http, "POST", memory_wire.SYSTEM + "/unregister")
        request(server.http, "POST", memory_wire.SYSTEM + "/region/c/unregister")
        assert [row["name"] for row in get(server.http, CUDA + "/status").json] == ["c"]
        memory_wire.register(server, "s", make_object())
        request(server.http, "POST", CUDA + "/unregister")
        assert get(server.http, CUDA + "/status").json == []
        assert [row["name"] for row in memory_wire.status(server)] == ["s"]


# ---- tensors ----


@case("GS07", "HTTP, gRPC", "an input on a GPU, with an offset", "its values")
def test_input(client, protocol, make):
    made = make()
    made.put(np.array([[5, 6]], dtype=np.int32), 100)
    client.register_cuda_shared_memory("r", made.handle, 0, 4096)
    assert infer(client, protocol, "id_int32", [1, 2], ("r", 8, 100)).as_numpy("OUT").tolist() == [[5, 6]]


@case("GS08", "HTTP, gRPC", "an output on a GPU, with an offset", "there; the response has no data, and over gRPC the size")
def test_output(client, protocol, make):
    made = make()
    client.register_cuda_shared_memory("r", made.handle, 1, 4096)
    values = np.array([[7, 8, 9]], dtype=np.int32)
    result = infer(client, protocol, "id_int32", [1, 3], target=("r", 100, 40), data=values)
    assert made.bytes(40, 12) == values.tobytes()
    assert made.bytes(0, 40) == bytes(40) and made.bytes(52, 60) == bytes(60)
    if protocol == "http":
        assert result.get_output("OUT") == {"name": "OUT", "datatype": "INT32", "shape": [1, 3]}
    else:
        assert result.get_response().raw_output_contents[0] == b""
        assert result.get_output("OUT").parameters["shared_memory_byte_size"].int64_param == 12


@case("GS09", "HTTP, gRPC", "8 MiB from one device to another, and the other way, over one part", "every byte")
def test_large(client, protocol, make):
    source, target = make(8 << 20), make(8 << 20)
    values = np.random.default_rng(7).integers(0, 1 << 30, (1, 2 << 20), dtype=np.int32)
    source.put(values)
    client.register_cuda_shared_memory("s", source.handle, 0, source.size)
    client.register_cuda_shared_memory("t", target.handle, 1, target.size)
    infer(client, protocol, "id_int32", [1, 2 << 20], ("s", 8 << 20), ("t", 8 << 20))
    assert target.bytes() == values.tobytes()
    infer(client, protocol, "id_int32", [1, (2 << 20) - 1], ("t", (8 << 20) - 4, 4), ("t", (8 << 20) - 4))
    assert target.bytes(0, (8 << 20) - 4) == values.tobytes()[4:]


@case("GS10", "HTTP, gRPC", "BYTES on a GPU; lengths in them that are wrong", "its elements; 400, INVALID_ARGUMENT")
def test_bytes(client, protocol, make):
    made = make()
    packed = serialize_byte_tensor(np.array([b"ab", b"", b"cde"], dtype=object)).item()
    made.put(packed)
    client.register_cuda_shared_memory("r", made.handle, 0, 4096)
    assert infer(client, protocol, "id_bytes", [1, 3], ("r", len(packed)), datatype="BYTES").as_numpy("OUT").tolist() == [[b"ab", b"", b"cde"]]
    made.put(b"\xff\xff\xff\x7f")
    with pytest.raises(InferenceServerException) as refused:
        infer(client, protocol, "id_bytes", [1, 3], ("r", len(packed)), datatype="BYTES")
    assert refused.value.status() in ("400", "StatusCode.INVALID_ARGUMENT")


@case("GS11", "HTTP, gRPC", "parts that are not inside the region, an input of the wrong size, an output that is too large for its part", "an error that says so; nothing is written")
def test_bad_parts(client, protocol, make):
    made = make(64)
    client.register_cuda_shared_memory("r", made.handle, 0, 64)
    values = np.array([[1, 2, 3, 4]], dtype=np.int32)
    for source, text in ((("r", 16, 60), "Invalid offset"), (("r", 8), "Expected 16, got 8"), (("gone", 16), "Unable to find shared memory region: 'gone'")):
        with pytest.raises(InferenceServerException, match=text):
            infer(client, protocol, "id_int32", [1, 4], source)
    with pytest.raises(InferenceServerException, match="should be at least 16 bytes"):
        infer(client, protocol, "id_int32", [1, 4], target=("r", 12), data=values)
    assert made.bytes() == bytes(64)


@case("GS12", "gRPC", "a stream of a decoupled model with input and output on a GPU", "all responses in order, then the end")
def test_stream(host, make):
    made = make(64)
    made.put(np.array([[5, 6]], dtype=np.int32))
    answers = []
    with connect(host.server, "grpc") as client:
        client.register_cuda_shared_memory("r", made.handle, 0, 64)
        arrived = threading.Semaphore(0)
        client.start_stream(lambda result, error: (answers.append((result, error)), arrived.release()))
        tensor = grpcclient.InferInput("IN", [1, 2], "INT32")
        tensor.set_shared_memory("r", 8)
        output = grpcclient.InferRequestedOutput("OUT")
        output.set_shared_memory("r", 8, 32)
        client.async_stream_infer("many", [tensor], outputs=[output], enable_empty_final_response=True)
        final = False
        while not final:
            assert arrived.acquire(timeout=60)
            result, error = answers[-1]
            assert error is None
            final = result.get_response().parameters["triton_final_response"].bool_param
        client.stop_stream()
    told = [row[0].get_output("OUT") for row in answers if row[0].get_response().outputs]
    assert len(told) == 3
    assert made.bytes(32, 8) == made.bytes(0, 8)


@case("GS13", "HTTP", "unregister a region while a request that uses it waits", "success; it is listed and open until that request has its answer")
def test_unregister_in_use(host, make):
    server, made = host.server, make(64)
    made.put(np.array([[5, 6]], dtype=np.int32))
    assert register(server, "r", made).status == 200
    body = {"inputs": [shared([1, 2], part())], "outputs": [{"name": "OUT", "parameters": part(offset=32)}]}
    later = Background(lambda: post_infer(server.http, "gate_int32", body))
    pending = 'nv_inference_pending_request_count{model="gate_int32",version="1"} 1'
    wait_until(lambda: pending in get(server.metrics, "/metrics").body.decode())
    assert request(server.http, "POST", CUDA + "/region/r/unregister").status == 200
    assert [row["name"] for row in get(server.http, CUDA + "/status").json] == ["r"]
    assert made.is_open(server)
    assert post_infer(server.http, "gate_int32", {"inputs": [infer_input([1])]}).status == 200
    assert later.wait().status == 200
    assert made.bytes(32, 8) == made.bytes(0, 8)
    assert get(server.http, CUDA + "/status").json == []
    wait_until(lambda: not made.is_open(server))


@case("GS14", "HTTP", "inputs on a GPU that are larger than --max-inflight-size allows, one and many of the same part", "413, or 503; the server serves on")
def test_budget(tmp_path, make):
    host = Host(tmp_path, "--max-inflight-size=16777216", "--max-request-size=4194304", "--max-connections=8")
    try:
        made = make(32 << 20)
        assert register(host.server, "r", made).status == 200
        tensor = shared([1, 8 << 20], part(size=32 << 20))
        answer = post_infer(host.server.http, "id_int32", {"inputs": [tensor]})
        assert answer.status in (413, 503), answer.body
        assert post_infer(host.server.http, "id_int32", {"inputs": [tensor] * 1000}).status in (400, 413, 503)
        small = {"inputs": [shared([1, 2], part())]}
        for _ in range(50):
            assert post_infer(host.server.http, "id_int32", small).json["outputs"][0]["data"] == [0, 0]
    finally:
        host.server.stop()


# ---- drivers that fail ----


@case("GS15", "HTTP, gRPC", "a copy that fails in the middle of a request: of the second input's, and of the output", "500, INTERNAL with the driver's error; the next request is fine, and the region can be unregistered")
@pytest.mark.parametrize("function", ["cuMemcpyDtoHAsync_v2", "cuMemcpyHtoDAsync_v2", "cuStreamSynchronize"])
def test_copy_fails(host, client, protocol, make, function):
    made = make(64)
    made.put(np.array([[5, 6]], dtype=np.int32))
    client.register_cuda_shared_memory("r", made.handle, 0, 64)
    host.driver.answer(**{function: 700})
    with pytest.raises(InferenceServerException) as failed:
        infer(client, protocol, "id_int32", [1, 2], ("r", 8), ("r", 8, 32))
    assert failed.value.status() in ("500", "StatusCode.INTERNAL")
    assert "error 700, an illegal memory access was encountered" in failed.value.message()
    assert "'OUT'" in failed.value.message() or "'IN'" in failed.value.message()
    host.driver.behave()
    infer(client, protocol, "id_int32", [1, 2], ("r", 8), ("r", 8, 32))
    assert made.bytes(32, 8) == made.bytes(0, 8)
    client.unregister_cuda_shared_memory("r")
    assert not made.is_open(host.server)


@case("GS16", "HTTP", "register with a driver whose functions fail", "400 or 503 with the function and its error; the name can be used afterwards")
@pytest.mark.parametrize("function,status", [("cuIpcOpenMemHandle_v2", 400), ("cuMemGetAddressRange_v2", 503)])
def test_register_fails(host, make, function, status):
    made = make(64)
    host.driver.answer(**{function: 700})
    answer = register(host.server, "r", made)
    assert answer.status == status and function.removesuffix("_v2") in answer.error and "error 700" in answer.error
    assert not made.is_open(host.server)
    host.driver.behave()
    assert register(host.server, "r", made).status == 200


@case("GS17", "HTTP", "a driver that does not come back from a copy of an input, and from one of an output", "the server answers all others meanwhile, of the same model too; once it comes back so do the answers")
@pytest.mark.parametrize("function", ["cuMemcpyDtoHAsync_v2", "cuMemcpyHtoDAsync_v2"])
def test_copy_hangs(host, make, function):
    server, made = host.server, make(64)
    made.put(np.array([[5, 6]], dtype=np.int32))
    assert register(server, "r", made).status == 200
    host.driver.answer(**{function: -1})
    body = {"inputs": [shared([1, 2], part())], "outputs": [{"name": "OUT", "parameters": part(offset=32)}]}
    later = [Background(lambda: post_infer(server.http, "id_int32", body)) for _ in range(12)]
    time.sleep(0.3)  # all of them wait for the driver by now, or will do: nothing below depends on it
    for _ in range(20):
        assert post_infer(server.http, "id_int32", {"inputs": [infer_input([1, 2])]}).json["outputs"][0]["data"] == [1, 2]
    assert get(server.http, "/v2/health/ready").status == 200
    assert get(server.http, CUDA + "/status").json[0]["name"] == "r"
    host.driver.behave()
    assert [one.wait().status for one in later] == [200] * 12
    assert made.bytes(32, 8) == made.bytes(0, 8)


@case("GS18", "HTTP", "a driver that does not come back from opening memory: another register, other calls, inferences", "503 that says so after 5 seconds; the others as ever")
def test_open_hangs(host, make):
    server, one, two = host.server, make(64), make(64)
    host.driver.answer(cuIpcOpenMemHandle_v2=-1)
    hangs = Background(lambda: register(server, "a", one))
    wait_until(lambda: hangs.thread.is_alive())
    time.sleep(0.2)
    answer = register(server, "b", two)
    assert answer.status == 503 and "the CUDA driver has been at work on other memory for 5 seconds" in answer.error
    assert get(server.http, CUDA + "/status").json == []
    assert post_infer(server.http, "id_int32", {"inputs": [infer_input([1, 2])]}).status == 200
    host.driver.behave()
    assert hangs.wait().status == 200
    assert register(server, "b", two).status == 200


@case("GS19", "HTTP", "a client that goes while the driver does not come back from its copy", "its request ends with the copy; the region can be unregistered")
def test_client_goes(host, make):
    server, made = host.server, make(64)
    assert register(server, "r", made).status == 200
    host.driver.answer(cuMemcpyDtoHAsync_v2=-1)
    body = json.dumps({"inputs": [shared([1, 2], part())]}).encode()
    for _ in range(12):
        with socket.create_connection(("127.0.0.1", server.http)) as connection:
            connection.sendall(b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            time.sleep(0.02)
    host.driver.behave()
    assert request(server.http, "POST", CUDA + "/unregister").status == 200
    wait_until(lambda: get(server.http, CUDA + "/status").json == [])
    wait_until(lambda: not made.is_open(server))


@case("GS20", "HTTP", "SIGTERM while requests with memory of a GPU are under way, with regions registered", "their answers, and a clean end")
def test_shutdown(tmp_path, make):
    host = Host(tmp_path)
    made = make(64)
    made.put(np.array([[5, 6]], dtype=np.int32))
    assert register(host.server, "r", made).status == 200
    body = {"inputs": [shared([1, 2], part())], "outputs": [{"name": "OUT", "parameters": part(offset=32)}]}
    later = Background(lambda: post_infer(host.server.http, "slow", body))
    time.sleep(0.1)
    host.server.signal()
    assert later.wait().status == 200
    assert host.server.wait() == 0
    host.server.stop()
    assert made.bytes(32, 8) == made.bytes(0, 8)


@case("GS21", "HTTP", "SIGTERM while the driver does not come back from a copy, with --exit-timeout-secs=1", "the server ends all the same")
def test_shutdown_with_a_dead_driver(tmp_path, make):
    host = Host(tmp_path, "--exit-timeout-secs=1")
    made = make(64)
    assert register(host.server, "r", made).status == 200
    host.driver.answer(cuMemcpyHtoDAsync_v2=-1)
    body = {"inputs": [infer_input([1, 2])], "outputs": [{"name": "OUT", "parameters": part()}]}

    def send():
        with pytest.raises(Exception):
            post_infer(host.server.http, "id_int32", body)

    later = Background(send)
    time.sleep(0.2)
    host.server.signal()
    assert host.server.wait() != 0
    later.wait()


@case("GS22", "HTTP", "register with a driver that has no device, or does not start", "501 with what the driver says; no cuda_shared_memory among the extensions; a driver that comes up later serves")
@pytest.mark.parametrize("init,devices,text", [(0, 0, "the CUDA driver has no device"), (100, 1, "the CUDA driver has no device"), (803, 1, "cuInit: error 803, system has unsupported display driver")])
def test_no_gpu(tmp_path, make, init, devices, text):
    (tmp_path / "models").mkdir()
    driver = cuda_memory.Driver(tmp_path / "answers")
    driver.answer(init, devices)
    server = Server(tmp_path / "models", "--allow-client-shm", environment=fakes.environment(FAKE_CUDA=tmp_path / "answers"))
    try:
        made = make()
        answer = register(server, "r", made)
        assert answer.status == 501
        assert "'r': no GPU can be used here (" in answer.error and text in answer.error and "use system shared memory" in answer.error
        assert "cuda_shared_memory" not in get(server.http, "/v2").json["extensions"]
        driver.behave()
        assert register(server, "r", made).status == 200
        assert "cuda_shared_memory" in get(server.http, "/v2").json["extensions"]
    finally:
        server.stop()


@case("GS23", "HTTP, gRPC", "register on a server without --allow-client-shm", "501, UNIMPLEMENTED with the flag")
def test_not_allowed(server, protocol, make):
    with connect(server, protocol) as client:
        with pytest.raises(InferenceServerException, match="--allow-client-shm"):
            client.register_cuda_shared_memory("r", make().handle, 0, 8)


@case("GS24", "gRPC", "CudaSharedMemoryStatus of one region", "a map with its name, device and size")
def test_status_message(host, make):
    assert register(host.server, "r", make(), 10, 1).status == 200
    with connect(host.server, "grpc") as client:
        answer = client.get_cuda_shared_memory_status("r")
        assert isinstance(answer, pb.CudaSharedMemoryStatusResponse) and list(answer.regions) == ["r"]
        assert (answer.regions["r"].device_id, answer.regions["r"].byte_size) == (1, 10)
