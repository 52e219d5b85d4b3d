"""Shared memory on the wire: what tritonclient would not send, and clients that take their memory back."""

import base64
import json
import os
import threading

import grpc
import memory
import models
import numpy as np
import pytest
import wire
from cases import case
from serving import Server, wait_until
from streaming import Stream
from tritonclient.grpc import service_pb2 as pb
from wire import get, grpc_call, grpc_error, grpc_infer, infer_input, post_infer, request

INVALID = grpc.StatusCode.INVALID_ARGUMENT
SYSTEM = "/v2/systemsharedmemory"
CUDA = "/v2/cudasharedmemory"
LARGE = 1 << 20  # bytes of a tensor that is read in place


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A server that lets clients register memory."""
    repository = tmp_path_factory.mktemp("memory")
    models.build(repository)
    for datatype in ("FP32", "INT32", "BYTES"):
        batches = "dynamic_batching { preferred_batch_size: [2] max_queue_delay_microseconds: 600000000 }"
        models.add(repository, "gate_" + datatype.lower(), models.BATCHED + models.pair(datatype, "-1") + batches)
    many = "model_transaction_policy { decoupled: true }\n" + models.parameter("responses", "3")
    models.add(repository, "many", models.BATCHED + models.pair("INT32", "-1") + many)
    running = Server(repository, "--allow-client-shm")
    yield running
    wire.good_inference(running.http)
    running.stop()


@pytest.fixture
def make():
    with memory.objects() as function:
        yield function


@pytest.fixture(autouse=True)
def clean(request):
    """No region outlives its test."""
    if "host" in request.fixturenames:
        host = request.getfixturevalue("host")
        wire.request(host.http, "POST", SYSTEM + "/unregister")
        wait_until(lambda: status(host) == [])


def register(server, name, made, size=None, offset=0):
    body = json.dumps({"key": made.key, "offset": offset, "byte_size": made.size if size is None else size})
    answer = request(server.http, "POST", f"{SYSTEM}/region/{name}/register", body)
    assert (answer.status, answer.body) == (200, b"")


def status(server, name=None):
    answer = get(server.http, SYSTEM + (f"/region/{name}" if name else "") + "/status")
    assert answer.status == 200, answer.body
    return answer.json


def part(region="r", size=8, offset=None):
    parameters = {"shared_memory_region": region, "shared_memory_byte_size": size}
    return parameters if offset is None else {**parameters, "shared_memory_offset": offset}


def shared(shape, parameters, datatype="INT32", name="IN"):
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": parameters}


def refused(server, body, status_code, *texts, model="id_int32"):
    answer = post_infer(server.http, model, body)
    assert answer.status == status_code, answer.body
    for text in texts:
        assert text in answer.error


def message_with(parameters, shape, datatype="INT32", model="id_int32", where="input"):
    """A ModelInferRequest whose input or output lies where the parameters say."""
    message = pb.ModelInferRequest(model_name=model)
    tensor = message.inputs.add(name="IN", datatype=datatype, shape=shape)
    if where == "output":
        message.raw_input_contents.append(bytes(4 * shape[-1]))
        tensor = message.outputs.add(name="OUT")
    put(tensor.parameters, parameters)
    return message


def put(target, parameters):
    for key, value in parameters.items():
        kind = "string_param" if isinstance(value, str) else "bool_param" if isinstance(value, bool) else "int64_param"
        setattr(target[key], kind, value)


# ---- the calls ----


@case("SM40", "HTTP", "status of regions: none, one, several, and one by name", "an array of objects with four members, by name")
def test_status(host, make):
    assert get(host.http, SYSTEM + "/status").body == b"[]"
    made = make(8192)
    register(host, "b", made, 10, 4096)
    register(host, "a", made)
    rows = [{"name": "a", "key": made.key, "offset": 0, "byte_size": 8192}, {"name": "b", "key": made.key, "offset": 4096, "byte_size": 10}]
    assert status(host) == rows
    assert status(host, "b") == rows[1:]
    assert get(host.http, SYSTEM + "/status").headers["content-type"] == "application/json"


@case("SM41", "gRPC", "SystemSharedMemoryStatus", "a map from each name to its region")
def test_status_message(host, make):
    made = make()
    register(host, "r", made, 10, 20)
    answer = pb.SystemSharedMemoryStatusResponse.FromString(
        grpc_call(host.grpc, "SystemSharedMemoryStatus", pb.SystemSharedMemoryStatusRequest())
    )
    assert list(answer.regions) == ["r"]
    region = answer.regions["r"]
    assert (region.name, region.key, region.offset, region.byte_size) == ("r", made.key, 20, 10)


BAD_BODIES = [
    ("", "JSON"),
    ("{", "JSON"),
    ("[]", "object"),
    ('{"byte_size": 8}', "the key"),
    ('{"key": "", "byte_size": 8}', "the key"),
    ('{"key": 5, "byte_size": 8}', "key"),
    ('{"key": "/x", "byte_size": "eight"}', "byte_size"),
    ('{"key": "/x", "byte_size": -8}', "byte_size"),
    ('{"key": "/x", "byte_size": 8.5}', "byte_size"),
    ('{"key": "/x", "byte_size": 18446744073709551616}', "byte_size"),
    ('{"key": "/x", "byte_size": 8, "offset": -1}', "offset"),
    ('{"key": "/x", "byte_size": 8, "offset": null, "offset": []}', "offset"),
    ('{"key": "a\\u0000b", "byte_size": 8}', "NUL"),
]


@case("SM42", "HTTP", "register with a body that is broken, or lacks a member, or has one of another type", "400 with the member")
@pytest.mark.parametrize("body,text", BAD_BODIES)
def test_bad_register(host, body, text):
    answer = request(host.http, "POST", SYSTEM + "/region/r/register", body)
    assert answer.status == 400, answer.body
    assert text in answer.error
    assert status(host) == []


@case("SM43", "HTTP", "register without byte_size", "400: a region of no bytes is none")
def test_register_without_size(host, make):
    answer = request(host.http, "POST", SYSTEM + "/region/r/register", json.dumps({"key": make().key}))
    assert answer.status == 400
    assert "invalid args" in answer.error


@case("SM44", "HTTP", "register without an offset, with members that mean nothing here", "offset 0; the others are ignored")
def test_register_defaults(host, make):
    made = make()
    body = json.dumps({"key": made.key, "byte_size": 8, "name": "other", "color": ["red"]})
    assert request(host.http, "POST", SYSTEM + "/region/r/register", body).status == 200
    assert status(host) == [{"name": "r", "key": made.key, "offset": 0, "byte_size": 8}]


@case("SM45", "HTTP", "the other methods on each path", "405 with Allow")
@pytest.mark.parametrize("base", [SYSTEM, CUDA])
def test_wrong_method(host, base):
    for path, right in (("/status", "GET"), ("/region/r/status", "GET"), ("/region/r/register", "POST"), ("/unregister", "POST")):
        for method in ("GET", "POST", "PUT", "DELETE"):
            if method != right:
                answer = request(host.http, method, base + path)
                assert (answer.status, answer.headers["allow"]) == (405, right), path


@case("SM46", "HTTP", "a region whose name has slashes and other signs, percent-encoded", "the name is what they stand for")
@pytest.mark.parametrize("name,path", [("a/b", "a%2Fb"), ("/", "%2f"), ("100%", "100%25"), ("ä", "%C3%A4"), ("a+b", "a+b")])
def test_encoded_names(host, make, name, path):
    made = make()
    made.put(np.array([[3, 4]], dtype=np.int32))
    register(host, path, made)
    assert [row["name"] for row in status(host, path)] == [name]
    answer = post_infer(host.http, "id_int32", {"inputs": [shared([1, 2], part(name))]})
    assert answer.json["outputs"][0]["data"] == [3, 4]
    assert request(host.http, "POST", f"{SYSTEM}/region/{path}/unregister").status == 200
    assert status(host) == []


@case("SM47", "gRPC", "names and keys that are empty, too long, or have a NUL in them", "INVALID_ARGUMENT")
@pytest.mark.parametrize("name,key", [("", "/k"), ("n" * 1025, "/k"), ("a\0b", "/k"), ("r", ""), ("r", "/"), ("r", "/" + "k" * 256), ("r", "/a\0b")])
def test_bad_texts(host, name, key):
    message = pb.SystemSharedMemoryRegisterRequest(name=name, key=key, byte_size=8)
    assert grpc_error(host.grpc, "SystemSharedMemoryRegister", message)[0] == INVALID


@case("SM48", "HTTP", "keys that lead out of /dev/shm, a folder, a pipe, a socket", "refused, at once")
def test_other_objects(host):
    pipe = f"/dev/shm/inferd_pipe_{os.getpid()}"
    folder = f"/dev/shm/inferd_folder_{os.getpid()}"
    os.mkfifo(pipe)
    os.mkdir(folder)
    try:
        for key in ("../../etc/passwd", "/../../etc/passwd", ".", "..", "/.", os.path.basename(pipe), os.path.basename(folder)):
            body = json.dumps({"key": key, "byte_size": 1})
            answer = request(host.http, "POST", SYSTEM + "/region/r/register", body)
            assert answer.status in (400, 500), key
            assert "hared memory region" in answer.error
    finally:
        os.unlink(pipe)
        os.rmdir(folder)
    assert status(host) == []


@case("SM49", "HTTP", "GET /v2 of a server with and one without --allow-client-shm", "system_shared_memory among the extensions, or not")
def test_extensions(host, server):
    assert "system_shared_memory" in get(host.http, "/v2").json["extensions"]
    assert "system_shared_memory" not in get(server.http, "/v2").json["extensions"]
    assert "cuda_shared_memory" not in get(host.http, "/v2").json["extensions"]


DISABLED = "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable."


@case("SM50", "HTTP", "register and infer on a server that was started without --allow-client-shm", "501 with the flag; it lists none and unregisters any")
def test_disabled_http(server, make):
    made = make()
    body = json.dumps({"key": made.key, "byte_size": 8})
    answer = request(server.http, "POST", SYSTEM + "/region/r/register", body)
    assert (answer.status, answer.error) == (501, DISABLED)
    refused(server, {"inputs": [shared([1, 2], part())]}, 501, DISABLED)
    refused(server, {"inputs": [infer_input([1])], "outputs": [{"name": "OUT", "parameters": part()}]}, 501, DISABLED)
    assert status(server) == []
    assert request(server.http, "POST", SYSTEM + "/region/r/unregister").status == 200


@case("SM51", "gRPC", "register and infer on a server that was started without --allow-client-shm", "UNIMPLEMENTED with the flag")
def test_disabled_grpc(server, make):
    message = pb.SystemSharedMemoryRegisterRequest(name="r", key=make().key, byte_size=8)
    assert grpc_error(server.grpc, "SystemSharedMemoryRegister", message) == (grpc.StatusCode.UNIMPLEMENTED, DISABLED)
    code, text = grpc_error(server.grpc, "ModelInfer", message_with(part(), [1, 2]))
    assert (code, text) == (grpc.StatusCode.UNIMPLEMENTED, DISABLED)


@case("SM52", "HTTP", "more regions, or larger ones, than --max-shm-regions and --max-shm-size allow", "503; what is unregistered makes room")
def test_limits(start, repository, make):
    models.add(repository, "id_int32", models.BATCHED + models.pair("INT32", "-1"))
    limited = start(repository, "--allow-client-shm=true", "--max-shm-regions=2", "--max-shm-size=6000")
    made = make()
    register(limited, "a", made)
    full = json.dumps({"key": made.key, "byte_size": 4096})
    answer = request(limited.http, "POST", SYSTEM + "/region/b/register", full)
    assert answer.status == 503 and "6000 bytes" in answer.error
    register(limited, "b", made, 8)
    answer = request(limited.http, "POST", SYSTEM + "/region/c/register", json.dumps({"key": made.key, "byte_size": 8}))
    assert answer.status == 503 and "2 regions" in answer.error
    request(limited.http, "POST", SYSTEM + "/region/a/unregister")
    register(limited, "c", made)


# ---- inference ----


@case("SM53", "HTTP", "an input with two or three of data, binary_data_size and shared_memory_region, or with none", "400 with what was there")
def test_one_way_only(host, make):
    register(host, "r", make())
    both = {**shared([1, 2], part()), "data": [1, 2]}
    refused(host, {"inputs": [both]}, 400, "inputs[0]: expected one of data", "got data and parameters.shared_memory_region")
    sized = shared([1, 2], {**part(), "binary_data_size": 8})
    refused(host, {"inputs": [sized]}, 400, "got parameters.binary_data_size and parameters.shared_memory_region")
    refused(host, {"inputs": [shared([1, 2], {})]}, 400, "got none")


BAD_PARAMETERS = [
    ({"shared_memory_region": "r"}, "shared_memory_region: expected shared_memory_byte_size with it"),
    ({"shared_memory_byte_size": 8}, "shared_memory_byte_size: expected shared_memory_region with it"),
    ({"shared_memory_offset": 8}, "shared_memory_offset: expected shared_memory_region with it"),
    (part(region=""), "shared_memory_region: expected the name of a region"),
    (part(region=5), "shared_memory_region: expected the name of a region"),
    (part(size=-1), "shared_memory_byte_size: expected bytes"),
    (part(size="8"), "shared_memory_byte_size: expected bytes"),
    (part(size=True), "shared_memory_byte_size: expected bytes"),
    (part(offset=-8), "shared_memory_offset: expected bytes"),
    (part(offset="0"), "shared_memory_offset: expected bytes"),
]


@case("SM54", "HTTP", "shared-memory parameters alone, of another type, negative; of inputs and outputs", "400 with the path")
@pytest.mark.parametrize("parameters,text", BAD_PARAMETERS)
def test_bad_parameters_http(host, parameters, text):
    refused(host, {"inputs": [shared([1, 2], parameters)]}, 400, "inputs[0].parameters." + text)
    refused(host, {"inputs": [infer_input([1])], "outputs": [{"name": "OUT", "parameters": parameters}]}, 400, "outputs[0].parameters." + text)


@case("SM55", "gRPC", "shared-memory parameters alone, of another type, negative; of inputs and outputs", "INVALID_ARGUMENT with the path")
@pytest.mark.parametrize("parameters,text", BAD_PARAMETERS)
def test_bad_parameters_grpc(host, parameters, text):
    for where in ("input", "output"):
        code, got = grpc_error(host.grpc, "ModelInfer", message_with(parameters, [1, 2], where=where))
        assert code == INVALID
        assert f"{where}s[0].parameters.{text}" in got


@case("SM56", "HTTP", "offsets and sizes up to 2^64 - 1 in a request", "400: outside of the region")
@pytest.mark.parametrize("offset,size,text", [(2**64 - 1, 8, "Invalid offset"), (2**64 - 32, 64, "Invalid offset"), (0, 2**64 - 1, "Invalid offset + byte size"),
                                              (32, 2**64 - 32, "Integer overflow detected: byte_size"), (1, 2**64 - 1, "Integer overflow")])
def test_wrapping_numbers_http(host, make, offset, size, text):
    register(host, "r", make(), 64)
    refused(host, {"inputs": [shared([1, 2], part("r", size, offset))]}, 400, text)
    refused(host, {"inputs": [infer_input([1])], "outputs": [{"name": "OUT", "parameters": part("r", size, offset)}]}, 400, text)


@case("SM57", "gRPC", "an offset of 2^64 - 1, as a uint64_param", "INVALID_ARGUMENT: outside of the region")
def test_wrapping_numbers_grpc(host, make):
    register(host, "r", make(), 64)
    message = message_with(part(), [1, 2])
    message.inputs[0].parameters["shared_memory_offset"].uint64_param = 2**64 - 1
    code, text = grpc_error(host.grpc, "ModelInfer", message)
    assert code == INVALID and "Invalid offset for shared memory region: 'r'" in text


@case("SM58", "HTTP", "classification of an output that is to go to shared memory", "400")
def test_classification_http(host, make):
    register(host, "r", make())
    body = {"inputs": [infer_input([1.0], datatype="FP32")], "outputs": [{"name": "OUT", "parameters": {**part(), "classification": 1}}]}
    refused(host, body, 400, "classification and shared_memory_region exclude each other", model="id_fp32")


@case("SM59", "gRPC", "classification of an output that is to go to shared memory", "INVALID_ARGUMENT")
def test_classification_grpc(host, make):
    register(host, "r", make())
    message = message_with({**part(), "classification": 1}, [1, 2], "FP32", "id_fp32", where="output")
    code, text = grpc_error(host.grpc, "ModelInfer", message)
    assert code == INVALID and "exclude each other" in text


@case("SM60", "gRPC", "an input in shared memory that has typed contents too", "INVALID_ARGUMENT with the path")
def test_contents_and_memory(host, make):
    register(host, "r", make())
    message = message_with(part(), [1, 2])
    message.inputs[0].contents.int_contents.extend([1, 2])
    code, text = grpc_error(host.grpc, "ModelInfer", message)
    assert code == INVALID and "inputs[0].contents" in text


@case("SM61", "gRPC", "raw_input_contents beside inputs in shared memory: as many entries as other inputs, and one too few", "the right bytes; INVALID_ARGUMENT")
def test_raw_entries(host, make):
    made = make()
    made.put(np.array([[7, 8]], dtype=np.int32))
    register(host, "r", made)
    message = pb.ModelInferRequest(model_name="several")
    message.inputs.add(name="IN1", datatype="INT32", shape=[1, 2])
    put(message.inputs[0].parameters, part())
    message.inputs.add(name="IN0", datatype="FP32", shape=[1, 4])
    message.inputs.add(name="IN2", datatype="BYTES", shape=[1, 1])
    floats = np.arange(4, dtype=np.float32).tobytes()
    message.raw_input_contents.extend([floats, b"\x01\0\0\0x"])
    answer = grpc_infer(host.grpc, message)
    assert list(answer.raw_output_contents) == [floats, made.bytes(0, 8), b"\x01\0\0\0x"]
    del message.raw_input_contents[1]
    code, text = grpc_error(host.grpc, "ModelInfer", message)
    assert code == INVALID and "raw_input_contents" in text and "inputs[2]" in text


@case("SM62", "HTTP", "an input in shared memory, others as JSON and as bytes behind it; outputs in all three forms", "every tensor with its own elements")
def test_three_ways(host, make):
    made = make()
    made.put(np.array([[7, 8]], dtype=np.int32))
    register(host, "r", made)
    head = json.dumps(
        {
            "inputs": [
                shared([1, 2], part(), name="IN1"),
                shared([1, 4], {"binary_data_size": 16}, "FP32", "IN0"),
                {"name": "IN2", "shape": [1, 1], "datatype": "BYTES", "data": ["x"]},
            ],
            "outputs": [
                {"name": "OUT0", "parameters": part(size=16, offset=64)},
                {"name": "OUT1", "parameters": {"binary_data": True}},
                {"name": "OUT2"},
            ],
        }
    ).encode()
    floats = np.arange(4, dtype=np.float32).tobytes()
    answer = post_infer(host.http, "several", head + floats, {"Inference-Header-Content-Length": str(len(head))})
    assert answer.status == 200, answer.body
    size = int(answer.headers["inference-header-content-length"])
    outputs = json.loads(answer.body[:size])["outputs"]
    assert outputs[0] == {"name": "OUT0", "datatype": "FP32", "shape": [1, 4]}
    assert outputs[1]["parameters"] == {"binary_data_size": 8}
    assert outputs[2]["data"] == ["x"]
    assert answer.body[size:] == made.bytes(0, 8)
    assert made.bytes(64, 16) == floats


@case("SM63", "HTTP", "all outputs in shared memory, though they are to be binary", "JSON alone, without data")
def test_only_json_is_left(host, make):
    register(host, "r", make())
    output = {"name": "OUT", "parameters": {**part(), "binary_data": True}}
    answer = post_infer(host.http, "id_int32", {"inputs": [infer_input([1, 2])], "outputs": [output]})
    assert answer.headers["content-type"] == "application/json"
    assert "inference-header-content-length" not in answer.headers
    assert "data" not in answer.json["outputs"][0]


@case("SM64", "HTTP", "an object that its client unlinks after it was registered", "the region serves on")
def test_unlinked(host, make):
    made = make()
    made.put(np.array([[3]], dtype=np.int32))
    register(host, "r", made)
    os.unlink(made.path)
    try:
        answer = post_infer(host.http, "id_int32", {"inputs": [shared([1, 1], part(size=4))]})
        assert answer.json["outputs"][0]["data"] == [3]
    finally:
        open(made.path, "wb").close()  # the client's utility unlinks it once more


# ---- under way ----


class Later:
    """An inference that waits in the queue of a model that runs batches of two only: it is there when this object is, and runs when its
    answer is waited for."""

    def __init__(self, server, model, send):
        self.server, self.model, self.answer = server, model, None

        def work():
            self.answer = send()

        self.thread = threading.Thread(target=work)
        self.thread.start()
        wait_until(lambda: pending(server, model) == 1)

    def wait(self):
        datatype = self.model[len("gate_") :].upper()
        second = post_infer(self.server.http, self.model, {"inputs": [infer_input(["x"] if datatype == "BYTES" else [1], datatype=datatype)]})
        assert second.status == 200, second.body
        self.thread.join()
        return self.answer


def pending(server, model):
    lines = get(server.metrics, "/metrics").body.decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("nv_inference_pending_request_count") and f'"{model}"' in line)


def mapped(server, made):
    return made.key[1:] in open(f"/proc/{server.process.pid}/maps").read()


@case("SM65", "HTTP", "unregister a region while a request that uses it waits", "success; the region is listed, and mapped, until that request has its answer")
def test_unregister_in_use(host, make):
    made = make()
    made.put(np.array([[5, 6]], dtype=np.int32))
    register(host, "r", made)
    body = {"inputs": [shared([1, 2], part())], "outputs": [{"name": "OUT", "parameters": part(offset=64)}]}
    later = Later(host, "gate_int32", lambda: post_infer(host.http, "gate_int32", body))
    assert request(host.http, "POST", SYSTEM + "/region/r/unregister").status == 200
    assert [row["name"] for row in status(host)] == ["r"]
    answer = request(host.http, "POST", SYSTEM + "/region/r/register", json.dumps({"key": made.key, "byte_size": 8}))
    assert answer.status == 400 and "requests still use it" in answer.error
    assert mapped(host, made)
    assert later.wait().status == 200
    assert made.bytes(64, 8) == made.bytes(0, 8)
    assert status(host) == []
    assert not mapped(host, made)


@case("SM66", "HTTP, gRPC", "an object that its client cuts short after its region was registered", "400, INVALID_ARGUMENT for what is missing; the region takes no more; others go on")
def test_cut_before_use(host, make):
    made = make(2 * LARGE)
    register(host, "r", made)
    made.cut(4096)
    count = LARGE // 4
    refused(host, {"inputs": [shared([1, count], part(size=LARGE), "FP32")]}, 400, "'r'", "cut short", model="id_fp32")
    code, text = grpc_error(host.grpc, "ModelInfer", message_with(part(), [1, 2]))
    assert code == INVALID and "cut short" in text
    wire.good_inference(host.http)
    request(host.http, "POST", SYSTEM + "/region/r/unregister")
    register(host, "r", made, 4096)
    assert post_infer(host.http, "id_int32", {"inputs": [shared([1, 2], part())]}).status == 200


CUTS = [("gate_fp32", "FP32", True), ("gate_fp32", "FP32", False), ("gate_int32", "INT32", False)]


@case("SM67", "HTTP", "an object that its client cuts to nothing while a request that reads it, or writes it, is under way", "400; the server lives, and other regions serve on")
@pytest.mark.parametrize("model,datatype,reads", CUTS)
def test_cut_in_flight_http(host, make, model, datatype, reads):
    made, other = make(2 * LARGE), make()
    register(host, "r", made)
    register(host, "other", other)
    count = LARGE // 4
    body = {"inputs": [shared([1, count], part(size=LARGE), datatype)]}
    if not reads:
        body["outputs"] = [{"name": "OUT", "parameters": part(size=LARGE, offset=LARGE)}]
    later = Later(host, model, lambda: post_infer(host.http, model, body))
    made.cut()
    answer = later.wait()
    assert answer.status == 400, answer.body[:200]
    assert "cut short" in answer.error
    assert post_infer(host.http, "id_int32", {"inputs": [shared([1, 2], part("other"))]}).status == 200


@case("SM68", "gRPC", "an object that its client cuts to nothing while a request that reads it is under way", "INVALID_ARGUMENT; the server lives")
def test_cut_in_flight_grpc(host, make):
    made = make(LARGE)
    register(host, "r", made)
    message = message_with(part(size=LARGE), [1, LARGE // 4], "FP32", "gate_fp32")
    later = Later(host, "gate_fp32", lambda: grpc_error(host.grpc, "ModelInfer", message, timeout=None))
    made.cut()
    code, text = later.wait()
    assert code == INVALID and "cut short" in text


@case("SM69", "HTTP", "BYTES and integers that the client changes while their request is under way", "the elements that were there when it was sent")
@pytest.mark.parametrize("model,datatype,shape,data", [("gate_bytes", "BYTES", [1, 1], b"\x04\0\0\0abcd"), ("gate_int32", "INT32", [1, 2], b"\x04\0\0\0abcd")])
def test_changed_in_flight(host, make, model, datatype, shape, data):
    made = make()
    made.put(data)
    register(host, "r", made)
    body = {"inputs": [shared(shape, part(), datatype)], "outputs": [{"name": "OUT", "parameters": part(offset=64)}]}
    later = Later(host, model, lambda: post_infer(host.http, model, body))
    made.put(b"\xff" * 8)
    assert later.wait().status == 200
    assert made.bytes(64, 8) == data


@case("SM70", "HTTP", "a client that hangs up while its request with shared memory waits", "its region can be unregistered, and is gone")
def test_lost_client(host, make):
    made = make()
    register(host, "r", made)
    body = json.dumps({"inputs": [shared([1, 2], part())]}).encode()
    head = f"POST /v2/models/stuck/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with wire.Socket(host.http) as connection:
        connection.send(head + body)
        request(host.http, "GET", "/v2/health/live")
        connection.abort()
    request(host.http, "POST", SYSTEM + "/unregister")
    wait_until(lambda: status(host) == [])
    assert not mapped(host, made)


PORT = '<port id="{}" precision="FP32"{}><dim>-1</dim><dim>-1</dim></port>'
# y = exp(x), which the engine computes where x lies, on threads of its own.
EXP = f"""<net name="exp" version="11"><layers>
<layer id="0" name="x" type="Parameter" version="opset1"><data shape="?,?" element_type="f32"/><output>{PORT.format(0, ' names="x"')}</output></layer>
<layer id="1" name="exp" type="Exp" version="opset1"><input>{PORT.format(0, "")}</input><output>{PORT.format(1, ' names="y"')}</output></layer>
<layer id="2" name="y" type="Result" version="opset1"><input>{PORT.format(0, "")}</input></layer>
</layers><edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/><edge from-layer="1" from-port="1" to-layer="2" to-port="0"/></edges></net>"""


@case("SM71", "HTTP", "an engine with threads of its own, and objects that are cut at all moments of its work", "400, or 200 with all the results; the server lives")
def test_cut_under_an_engine(start, repository, make):
    config = 'backend: "openvino"\nmax_batch_size: 2\n'
    models.add(repository, "exp", config + models.tensor("input", "x", "FP32", "-1") + models.tensor("output", "y", "FP32", "-1"))
    (repository / "exp/1/model.xml").write_text(EXP)
    (repository / "exp/1/model.bin").write_bytes(b"")
    host = start(repository, "--allow-client-shm", environment={"TBB_ENABLE_SANITIZERS": "1"})
    count = 4 << 20
    body = {"inputs": [shared([1, count], part(size=4 * count), "FP32", "x")], "outputs": [{"name": "y", "parameters": part(size=4 * count, offset=4 * count)}]}
    outcomes = []
    for moment in range(24):
        made = make(8 * count)
        register(host, "r", made)
        sender = threading.Thread(target=lambda: outcomes.append(post_infer(host.http, "exp", body)))
        sender.start()
        for _ in range(moment * 20000):
            pass
        made.cut()
        sender.join()
        assert outcomes[-1].status in (200, 400), outcomes[-1].body
        assert outcomes[-1].status == 200 or "cut short" in outcomes[-1].error
        request(host.http, "POST", SYSTEM + "/unregister")
    made = make(8 * count)
    made.put(np.ones(count, dtype=np.float32))
    register(host, "r", made)
    assert post_infer(host.http, "exp", body).status == 200
    assert np.allclose(np.frombuffer(made.bytes(4 * count), dtype=np.float32), np.e)
    assert 400 in [outcome.status for outcome in outcomes]


# ---- streams ----


def stream_message(values, offset, model="id_int32", region="r"):
    """An input at `offset` of the region, its output 64 bytes behind it."""
    message = pb.ModelInferRequest(model_name=model, id=str(offset))
    size = 4 * len(values)
    put(message.inputs.add(name="IN", datatype="INT32", shape=[1, len(values)]).parameters, part(region, size, offset))
    put(message.outputs.add(name="OUT").parameters, part(region, size, offset + 64))
    return message


@case("SM72", "gRPC stream", "requests with inputs and outputs in shared memory, one with a region that is not there", "the results in their places; an error for that one, and the stream goes on")
def test_stream(host, make):
    made = make()
    register(host, "r", made)
    for i in range(10):
        made.put(np.array([i, -i], dtype=np.int32), 128 * i)
    with Stream(host.grpc) as stream:
        for i in range(10):
            stream.send(stream_message([0, 0], 128 * i, region="r" if i != 5 else "nothing"))
            if i == 5:
                text, identity = stream.error()
                assert "Unable to find shared memory region: 'nothing'" in text and identity == "640"
                continue
            answer = stream.good()
            assert list(answer.raw_output_contents) == [b""]
            assert made.bytes(128 * i + 64, 8) == made.bytes(128 * i, 8)
        assert stream.rest() == []


@case("SM73", "gRPC stream", "a decoupled model whose responses all go to one part of shared memory", "each response, and the elements there; the region can go afterwards")
def test_decoupled_stream(host, make):
    made = make()
    made.put(np.array([3, 4], dtype=np.int32))
    register(host, "r", made)
    with Stream(host.grpc) as stream:
        stream.send(stream_message([0, 0], 0, model="many"))
        answers = [stream.good() for _ in range(3)]
        assert [list(answer.raw_output_contents) for answer in answers] == [[b""]] * 3
        assert made.bytes(64, 8) == made.bytes(0, 8)
        assert stream.rest() == []
    assert request(host.http, "POST", SYSTEM + "/region/r/unregister").status == 200
    assert status(host) == []
    assert not mapped(host, made)


# ---- CUDA ----


@case("SC10", "HTTP", "status of CUDA regions; unregister of all and of one", "[]; 200")
def test_cuda(host):
    assert get(host.http, CUDA + "/status").body == b"[]"
    assert request(host.http, "POST", CUDA + "/unregister").status == 200
    assert request(host.http, "POST", CUDA + "/region/c/unregister").status == 200


HANDLE = base64.b64encode(bytes(64)).decode()
BAD_CUDA = [
    ("", "raw_handle.b64: expected a string in base64, got nothing"),
    ("[]", "request: expected an object"),
    ("{}", "raw_handle.b64: expected a string in base64, got nothing"),
    (json.dumps({"raw_handle": HANDLE, "device_id": 0, "byte_size": 8}), "raw_handle.b64"),
    (json.dumps({"raw_handle": {"b64": 5}, "device_id": 0, "byte_size": 8}), "raw_handle.b64: expected a string in base64, got 5"),
    (json.dumps({"raw_handle": {"b64": "!!"}, "device_id": 0, "byte_size": 8}), "raw_handle.b64"),
    (json.dumps({"raw_handle": {"b64": HANDLE}, "byte_size": 8}), "device_id: expected an integer of 0 or more, got nothing"),
    (json.dumps({"raw_handle": {"b64": HANDLE}, "device_id": -1, "byte_size": 8}), "device_id"),
    (json.dumps({"raw_handle": {"b64": HANDLE}, "device_id": 0}), "byte_size"),
    (json.dumps({"raw_handle": {"b64": HANDLE}, "device_id": 0, "byte_size": 1.5}), "byte_size"),
    (json.dumps({"raw_handle": {"b64": HANDLE[:-4]}, "device_id": 0, "byte_size": 8}), "expected 64 bytes"),
]


@case("SC11", "HTTP", "register a CUDA region with a body that is broken, or lacks a member, or has one of another type", "400 with the member")
@pytest.mark.parametrize("body,text", BAD_CUDA)
def test_bad_cuda_register(host, body, text):
    answer = request(host.http, "POST", CUDA + "/region/c/register", body)
    assert answer.status == 400, answer.body
    assert text in answer.error


@case("SC12", "HTTP", "register a CUDA region with a good body", "501: no GPU support in this build")
def test_cuda_register(host):
    body = json.dumps({"raw_handle": {"b64": HANDLE}, "device_id": 0, "byte_size": 8})
    answer = request(host.http, "POST", CUDA + "/region/c/register", body)
    assert answer.status == 501
    assert "no GPU support" in answer.error


@case("SC13", "HTTP", "infer with a region that was to be CUDA's", "404: it is not there")
def test_cuda_region_is_not_there(host):
    refused(host, {"inputs": [shared([1, 2], part("c"))]}, 404, "Unable to find shared memory region: 'c'")
