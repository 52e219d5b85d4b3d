"""Shared memory on the wire: the calls, and what tritonclient would not send. test_shared_memory_use.py has requests under way."""

import base64
import json
import os

import grpc
import models
import numpy as np
import pytest
from cases import case
from memory_wire import SYSTEM, message_with, part, put, refused, register, shared, status
from tritonclient.grpc import service_pb2 as pb
from wire import get, grpc_call, grpc_error, grpc_infer, infer_input, post_infer, request

INVALID = grpc.StatusCode.INVALID_ARGUMENT
CUDA = "/v2/cudasharedmemory"


# ---- the calls ----


@case("SM40", "HTTP", "status of regions: none, one, several, and one by name", "an array of objects with four members, by name")
def test_status(memory_host, make_object):
    assert get(memory_host.http, SYSTEM + "/status").body == b"[]"
    made = make_object(8192)
    register(memory_host, "b", made, 10, 4096)
    register(memory_host, "a", made)
    rows = [{"name": "a", "key": made.key, "offset": 0, "byte_size": 8192}, {"name": "b", "key": made.key, "offset": 4096, "byte_size": 10}]
    assert status(memory_host) == rows
    assert status(memory_host, "b") == rows[1:]
    assert get(memory_host.http, SYSTEM + "/status").headers["content-type"] == "application/json"


@case("SM41", "gRPC", "SystemSharedMemoryStatus", "a map from each name to its region")
def test_status_message(memory_host, make_object):
    made = make_object()
    register(memory_host, "r", made, 10, 20)
    answer = pb.SystemSharedMemoryStatusResponse.FromString(
        grpc_call(memory_host.grpc, "SystemSharedMemoryStatus", pb.SystemSharedMemoryStatusRequest())
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
def test_bad_register(memory_host, body, text):
    answer = request(memory_host.http, "POST", SYSTEM + "/region/r/register", body)
    assert answer.status == 400, answer.body
    assert text in answer.error
    assert status(memory_host) == []


@case("SM43", "HTTP", "register without byte_size", "400: a region of no bytes is none")
def test_register_without_size(memory_host, make_object):
    answer = request(memory_host.http, "POST", SYSTEM + "/region/r/register", json.dumps({"key": make_object().key}))
    assert answer.status == 400
    assert "invalid args" in answer.error


@case("SM44", "HTTP", "register without an offset, with members that mean nothing here", "offset 0; the others are ignored")
def test_register_defaults(memory_host, make_object):
    made = make_object()
    body = json.dumps({"key": made.key, "byte_size": 8, "name": "other", "color": ["red"]})
    assert request(memory_host.http, "POST", SYSTEM + "/region/r/register", body).status == 200
    assert status(memory_host) == [{"name": "r", "key": made.key, "offset": 0, "byte_size": 8}]


@case("SM45", "HTTP", "the other methods on each path", "405 with Allow")
@pytest.mark.parametrize("base", [SYSTEM, CUDA])
def test_wrong_method(memory_host, base):
    for path, right in (("/status", "GET"), ("/region/r/status", "GET"), ("/region/r/register", "POST"), ("/unregister", "POST")):
        for method in ("GET", "POST", "PUT", "DELETE"):
            if method != right:
                answer = request(memory_host.http, method, base + path)
                assert (answer.status, answer.headers["allow"]) == (405, right), path


@case("SM46", "HTTP", "a region whose name has slashes and other signs, percent-encoded", "the name is what they stand for")
@pytest.mark.parametrize("name,path", [("a/b", "a%2Fb"), ("/", "%2f"), ("100%", "100%25"), ("ä", "%C3%A4"), ("a+b", "a+b")])
def test_encoded_names(memory_host, make_object, name, path):
    made = make_object()
    made.put(np.array([[3, 4]], dtype=np.int32))
    register(memory_host, path, made)
    assert [row["name"] for row in status(memory_host, path)] == [name]
    answer = post_infer(memory_host.http, "id_int32", {"inputs": [shared([1, 2], part(name))]})
    assert answer.json["outputs"][0]["data"] == [3, 4]
    assert request(memory_host.http, "POST", f"{SYSTEM}/region/{path}/unregister").status == 200
    assert status(memory_host) == []


@case("SM47", "gRPC", "names and keys that are empty, too long, or have a NUL in them", "INVALID_ARGUMENT")
@pytest.mark.parametrize("name,key", [("", "/k"), ("n" * 1025, "/k"), ("a\0b", "/k"), ("r", ""), ("r", "/"), ("r", "/" + "k" * 256), ("r", "/a\0b")])
def test_bad_texts(memory_host, name, key):
    message = pb.SystemSharedMemoryRegisterRequest(name=name, key=key, byte_size=8)
    assert grpc_error(memory_host.grpc, "SystemSharedMemoryRegister", message)[0] == INVALID


@case("SM48", "HTTP", "keys that lead out of /dev/shm, a folder, a pipe, a socket", "refused, at once")
def test_other_objects(memory_host):
    pipe = f"/dev/shm/inferd_pipe_{os.getpid()}"
    folder = f"/dev/shm/inferd_folder_{os.getpid()}"
    os.mkfifo(pipe)
    os.mkdir(folder)
    try:
        for key in ("../../etc/passwd", "/../../etc/passwd", ".", "..", "/.", os.path.basename(pipe), os.path.basename(folder)):
            body = json.dumps({"key": key, "byte_size": 1})
            answer = request(memory_host.http, "POST", SYSTEM + "/region/r/register", body)
            assert answer.status in (400, 500), key
            assert "hared memory region" in answer.error
    finally:
        os.unlink(pipe)
        os.rmdir(folder)
    assert status(memory_host) == []


@case("SM49", "HTTP", "GET /v2 of a server with and one without --allow-client-shm", "system_shared_memory among the extensions, or not")
def test_extensions(memory_host, server):
    assert "system_shared_memory" in get(memory_host.http, "/v2").json["extensions"]
    assert "system_shared_memory" not in get(server.http, "/v2").json["extensions"]
    assert "cuda_shared_memory" not in get(memory_host.http, "/v2").json["extensions"]


DISABLED = "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable."


@case("SM50", "HTTP", "register and infer on a server that was started without --allow-client-shm", "501 with the flag; it lists none and unregisters any")
def test_disabled_http(server, make_object):
    made = make_object()
    body = json.dumps({"key": made.key, "byte_size": 8})
    answer = request(server.http, "POST", SYSTEM + "/region/r/register", body)
    assert (answer.status, answer.error) == (501, DISABLED)
    refused(server, {"inputs": [shared([1, 2], part())]}, 501, DISABLED)
    refused(server, {"inputs": [infer_input([1])], "outputs": [{"name": "OUT", "parameters": part()}]}, 501, DISABLED)
    assert status(server) == []
    assert request(server.http, "POST", SYSTEM + "/region/r/unregister").status == 200


@case("SM51", "gRPC", "register and infer on a server that was started without --allow-client-shm", "UNIMPLEMENTED with the flag")
def test_disabled_grpc(server, make_object):
    message = pb.SystemSharedMemoryRegisterRequest(name="r", key=make_object().key, byte_size=8)
    assert grpc_error(server.grpc, "SystemSharedMemoryRegister", message) == (grpc.StatusCode.UNIMPLEMENTED, DISABLED)
    code, text = grpc_error(server.grpc, "ModelInfer", message_with(part(), [1, 2]))
    assert (code, text) == (grpc.StatusCode.UNIMPLEMENTED, DISABLED)


@case("SM52", "HTTP", "more regions, or larger ones, than --max-shm-regions and --max-shm-size allow", "503; what is unregistered makes room")
def test_limits(start, repository, make_object):
    models.add(repository, "id_int32", models.BATCHED + models.pair("INT32", "-1"))
    limited = start(repository, "--allow-client-shm=true", "--max-shm-regions=2", "--max-shm-size=6000")
    made = make_object()
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
def test_one_way_only(memory_host, make_object):
    register(memory_host, "r", make_object())
    both = {**shared([1, 2], part()), "data": [1, 2]}
    refused(memory_host, {"inputs": [both]}, 400, "inputs[0]: expected one of data", "got data and parameters.shared_memory_region")
    sized = shared([1, 2], {**part(), "binary_data_size": 8})
    refused(memory_host, {"inputs": [sized]}, 400, "got parameters.binary_data_size and parameters.shared_memory_region")
    refused(memory_host, {"inputs": [shared([1, 2], {})]}, 400, "got none")


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
def test_bad_parameters_http(memory_host, parameters, text):
    refused(memory_host, {"inputs": [shared([1, 2], parameters)]}, 400, "inputs[0].parameters." + text)
    refused(memory_host, {"inputs": [infer_input([1])], "outputs": [{"name": "OUT", "parameters": parameters}]}, 400, "outputs[0].parameters." + text)


@case("SM55", "gRPC", "shared-memory parameters alone, of another type, negative; of inputs and outputs", "INVALID_ARGUMENT with the path")
@pytest.mark.parametrize("parameters,text", BAD_PARAMETERS)
def test_bad_parameters_grpc(memory_host, parameters, text):
    for where in ("input", "output"):
        code, got = grpc_error(memory_host.grpc, "ModelInfer", message_with(parameters, [1, 2], where=where))
        assert code == INVALID
        assert f"{where}s[0].parameters.{text}" in got


@case("SM56", "HTTP", "offsets and sizes up to 2^64 - 1 in a request", "400: outside of the region")
@pytest.mark.parametrize("offset,size,text", [(2**64 - 1, 8, "Invalid offset"), (2**64 - 32, 64, "Invalid offset"), (0, 2**64 - 1, "Invalid offset + byte size"),
                                              (32, 2**64 - 32, "Integer overflow detected: byte_size"), (1, 2**64 - 1, "Integer overflow")])
def test_wrapping_numbers_http(memory_host, make_object, offset, size, text):
    register(memory_host, "r", make_object(), 64)
    refused(memory_host, {"inputs": [shared([1, 2], part("r", size, offset))]}, 400, text)
    refused(memory_host, {"inputs": [infer_input([1])], "outputs": [{"name": "OUT", "parameters": part("r", size, offset)}]}, 400, text)


@case("SM57", "gRPC", "an offset of 2^64 - 1, as a uint64_param", "INVALID_ARGUMENT: outside of the region")
def test_wrapping_numbers_grpc(memory_host, make_object):
    register(memory_host, "r", make_object(), 64)
    message = message_with(part(), [1, 2])
    message.inputs[0].parameters["shared_memory_offset"].uint64_param = 2**64 - 1
    code, text = grpc_error(memory_host.grpc, "ModelInfer", message)
    assert code == INVALID and "Invalid offset for shared memory region: 'r'" in text


@case("SM58", "HTTP", "classification of an output that is to go to shared memory", "400")
def test_classification_http(memory_host, make_object):
    register(memory_host, "r", make_object())
    body = {"inputs": [infer_input([1.0], datatype="FP32")], "outputs": [{"name": "OUT", "parameters": {**part(), "classification": 1}}]}
    refused(memory_host, body, 400, "classification and shared_memory_region exclude each other", model="id_fp32")


@case("SM59", "gRPC", "classification of an output that is to go to shared memory", "INVALID_ARGUMENT")
def test_classification_grpc(memory_host, make_object):
    register(memory_host, "r", make_object())
    message = message_with({**part(), "classification": 1}, [1, 2], "FP32", "id_fp32", where="output")
    code, text = grpc_error(memory_host.grpc, "ModelInfer", message)
    assert code == INVALID and "exclude each other" in text


@case("SM60", "gRPC", "an input in shared memory that has typed contents too", "INVALID_ARGUMENT with the path")
def test_contents_and_memory(memory_host, make_object):
    register(memory_host, "r", make_object())
    message = message_with(part(), [1, 2])
    message.inputs[0].contents.int_contents.extend([1, 2])
    code, text = grpc_error(memory_host.grpc, "ModelInfer", message)
    assert code == INVALID and "inputs[0].contents" in text


@case("SM61", "gRPC", "raw_input_contents beside inputs in shared memory: as many entries as other inputs, and one too few", "the right bytes; INVALID_ARGUMENT")
def test_raw_entries(memory_host, make_object):
    made = make_object()
    made.put(np.array([[7, 8]], dtype=np.int32))
    register(memory_host, "r", made)
    message = pb.ModelInferRequest(model_name="several")
    message.inputs.add(name="IN1", datatype="INT32", shape=[1, 2])
    put(message.inputs[0].parameters, part())
    message.inputs.add(name="IN0", datatype="FP32", shape=[1, 4])
    message.inputs.add(name="IN2", datatype="BYTES", shape=[1, 1])
    floats = np.arange(4, dtype=np.float32).tobytes()
    message.raw_input_contents.extend([floats, b"\x01\0\0\0x"])
    answer = grpc_infer(memory_host.grpc, message)
    assert list(answer.raw_output_contents) == [floats, made.bytes(0, 8), b"\x01\0\0\0x"]
    del message.raw_input_contents[1]
    code, text = grpc_error(memory_host.grpc, "ModelInfer", message)
    assert code == INVALID and "raw_input_contents" in text and "inputs[2]" in text


@case("SM62", "HTTP", "an input in shared memory, others as JSON and as bytes behind it; outputs in all three forms", "every tensor with its own elements")
def test_three_ways(memory_host, make_object):
    made = make_object()
    made.put(np.array([[7, 8]], dtype=np.int32))
    register(memory_host, "r", made)
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
    answer = post_infer(memory_host.http, "several", head + floats, {"Inference-Header-Content-Length": str(len(head))})
    assert answer.status == 200, answer.body
    size = int(answer.headers["inference-header-content-length"])
    outputs = json.loads(answer.body[:size])["outputs"]
    assert outputs[0] == {"name": "OUT0", "datatype": "FP32", "shape": [1, 4]}
    assert outputs[1]["parameters"] == {"binary_data_size": 8}
    assert outputs[2]["data"] == ["x"]
    assert answer.body[size:] == made.bytes(0, 8)
    assert made.bytes(64, 16) == floats


@case("SM63", "HTTP", "all outputs in shared memory, though they are to be binary", "JSON alone, without data")
def test_only_json_is_left(memory_host, make_object):
    register(memory_host, "r", make_object())
    output = {"name": "OUT", "parameters": {**part(), "binary_data": True}}
    answer = post_infer(memory_host.http, "id_int32", {"inputs": [infer_input([1, 2])], "outputs": [output]})
    assert answer.headers["content-type"] == "application/json"
    assert "inference-header-content-length" not in answer.headers
    assert "data" not in answer.json["outputs"][0]


@case("SM64", "HTTP", "an object that its client unlinks after it was registered", "the region serves on")
def test_unlinked(memory_host, make_object):
    made = make_object()
    made.put(np.array([[3]], dtype=np.int32))
    register(memory_host, "r", made)
    os.unlink(made.path)
    try:
        answer = post_infer(memory_host.http, "id_int32", {"inputs": [shared([1, 1], part(size=4))]})
        assert answer.json["outputs"][0]["data"] == [3]
    finally:
        open(made.path, "wb").close()  # the client's utility unlinks it once more


# ---- CUDA ----


@case("SC10", "HTTP", "status of CUDA regions; unregister of all and of one", "[]; 200")
def test_cuda(memory_host):
    assert get(memory_host.http, CUDA + "/status").body == b"[]"
    assert request(memory_host.http, "POST", CUDA + "/unregister").status == 200
    assert request(memory_host.http, "POST", CUDA + "/region/c/unregister").status == 200


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
def test_bad_cuda_register(memory_host, body, text):
    answer = request(memory_host.http, "POST", CUDA + "/region/c/register", body)
    assert answer.status == 400, answer.body
    assert text in answer.error


@case("SC12", "HTTP", "register a CUDA region with a good body, where there is no driver", "501: what is missing")
def test_cuda_register(memory_host):
    body = json.dumps({"raw_handle": {"b64": HANDLE}, "device_id": 0, "byte_size": 8})
    answer = request(memory_host.http, "POST", CUDA + "/region/c/register", body)
    assert answer.status == 501
    assert "no GPU can be used here" in answer.error


@case("SC13", "HTTP", "infer with a region that was to be CUDA's", "404: it is not there")
def test_cuda_region_is_not_there(memory_host):
    refused(memory_host, {"inputs": [shared([1, 2], part("c"))]}, 404, "Unable to find shared memory region: 'c'")
