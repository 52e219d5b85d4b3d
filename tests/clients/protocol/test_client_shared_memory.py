"""tritonclient: system and CUDA shared memory, with its own utilities on the client's side."""

import base64
import threading

import memory
import models
import numpy as np
import peers
import pytest
from cases import case, triton_differs
from models import DATATYPES
from triton_client import array_of, integers, response_of, same
from tritonclient.utils import serialize_byte_tensor


@pytest.fixture
def client(peer, connect):
    connected = connect(peer)
    connected.unregister_system_shared_memory()
    return connected


@pytest.fixture
def make():
    with memory.objects() as function:
        yield function


def regions(client, name=""):
    return client.told("get_system_shared_memory_status", name)


def names(client):
    return [row["name"] for row in regions(client)]


def register(client, name, made, size=None, offset=0):
    client.register_system_shared_memory(name, made.key, made.size if size is None else size, offset=offset)


def packed(values):
    """The bytes of an array as a tensor has them."""
    return serialize_byte_tensor(values).item() if values.dtype == np.object_ else values.tobytes()


def shared_input(client, values, region, offset=0, size=None, name="IN", datatype=None):
    tensor = client.tensor(values, datatype, name=name)
    return tensor.set_shared_memory(region, len(packed(values)) if size is None else size, offset=offset)


def shared_output(client, region, size, offset=0, name="OUT"):
    output = client.output(name)
    output.set_shared_memory(region, size, offset=offset)
    return output


ODD_NAMES = ["a b", "\"'", "100%", "Ünïcödé", "世界🙂", "?x=1&y"]


# ---- the table of regions ----


@case("SM01", "four clients", "register a region of a system shared-memory object", "its status says what was registered",
      does="register_system_shared_memory")
def test_register(client, make):
    made = make(8192)
    register(client, "r", made, 100, 4096)
    assert regions(client, "r") == [{"name": "r", "key": made.key, "offset": 4096, "byte_size": 100}]


@case("SM02", "four clients", "status of all regions: none, and several", "an empty list; one row a region",
      does="get_system_shared_memory_status")
def test_status(client, make):
    assert regions(client) == []
    for name in ("b", "a", "c"):
        register(client, name, make())
    assert sorted(names(client)) == ["a", "b", "c"]


@case("SM03", "four clients", "unregister one of two regions", "only the other one is left", does="unregister_system_shared_memory")
def test_unregister(client, make):
    register(client, "a", make())
    register(client, "b", make())
    client.unregister_system_shared_memory("a")
    assert names(client) == ["b"]


@case("SM04", "four clients", "unregister all regions", "none is left")
def test_unregister_all(client, make):
    for i in range(20):
        register(client, f"r{i}", make(), 1 + i)
    client.unregister_system_shared_memory()
    assert names(client) == []


@case("SM05", "four clients", "unregister a region that is not there", "success")
def test_unregister_nothing(client):
    client.unregister_system_shared_memory("nothing")


@case("SM06", "four clients", "status of a region that is not there", "NOT_FOUND with its name", fails="get_system_shared_memory_status")
def test_status_of_nothing(client):
    with client.refused("NOT_FOUND", "Unable to find system shared memory region: 'nothing'"):
        regions(client, "nothing")


@case("SM07", "four clients", "register a name twice", "ALREADY_EXISTS; the first stays as it is",
      fails="register_system_shared_memory")
def test_name_is_taken(client, make):
    first, second = make(), make()
    register(client, "r", first)
    with client.refused("ALREADY_EXISTS", "shared memory region 'r' already in manager"):
        register(client, "r", second)
    assert regions(client, "r")[0]["key"] == first.key


@case("SM08", "four clients", "register, unregister and register a name again, for another object", "the new object's bytes are used")
def test_register_again(client, make):
    for value in (1, 2):
        made = make()
        made.put(integers(value))
        register(client, "r", made)
        assert client.infer("id_int32", [shared_input(client, integers(0), "r")]).as_numpy("OUT")[0, 0] == value
        client.unregister_system_shared_memory("r")


@case("SM09", "four clients", "keys with and without the leading slash", "the same object; the status shows the key as it was given")
def test_key_without_slash(client, make):
    made = make()
    made.put(integers(7))
    client.register_system_shared_memory("r", made.key[1:], 4096)
    assert regions(client, "r")[0]["key"] == made.key[1:]
    assert client.infer("id_int32", [shared_input(client, integers(0), "r")]).as_numpy("OUT")[0, 0] == 7


@case("SM10", "four clients", "register an object that is not there", "INTERNAL with its key")
def test_no_object(client):
    with client.refused("INTERNAL", "Unable to open shared memory region: '/inferd_nothing'"):
        client.register_system_shared_memory("r", "/inferd_nothing", 64)


@case("SM11", "four clients", "register more than the object has: by the size, the offset, both", "INVALID_ARGUMENT with the region's name")
@pytest.mark.parametrize("size,offset", [(65, 0), (64, 1), (1, 64), (0, 65), (2**63 - 1, 0), (1, 2**63 - 1), (2**63 - 1, 2**63 - 1)])
@triton_differs("numbers that wrap are not checked in 2.51", run=False)
def test_outside_the_object(client, make, size, offset):
    made = make(64)
    with client.refused("INVALID_ARGUMENT", "failed to register shared memory region 'r'", "invalid args"):
        register(client, "r", made, size, offset)
    assert names(client) == []


@case("SM12", "four clients", "register sizes and offsets of 2^64 - 1", "INVALID_ARGUMENT")
@pytest.mark.parametrize("size,offset", [(2**64 - 1, 0), (1, 2**64 - 1), (2**64 - 1, 2**64 - 1), (2**64 - 1, 1)])
@triton_differs("numbers that wrap are not checked in 2.51", run=False)
def test_numbers_that_wrap(client, make, size, offset):
    with client.refused("INVALID_ARGUMENT", "invalid args"):
        register(client, "r", make(64), size, offset)


@case("SM13", "four clients", "a key with the prefix of the Python backend's own regions", "INVALID_ARGUMENT")
@triton_differs("not refused in 2.51")
def test_reserved_key(client):
    with client.refused("INVALID_ARGUMENT", "reserved prefix 'triton_python_backend_shm_region_'"):
        client.register_system_shared_memory("r", "/triton_python_backend_shm_region_1", 64)


@case("SM14", "HTTP clients", "a region whose name has blanks, quotes, percent signs, other alphabets", "it works like any other")
@pytest.mark.parametrize("name", ODD_NAMES)
@triton_differs("names are not percent-decoded")
def test_odd_names_http(client, make, name):
    check_name(client, make, name)


@case("SM15", "gRPC clients", "a region whose name has blanks, quotes, percent signs, slashes, other alphabets", "it works like any other")
@pytest.mark.parametrize("name", [*ODD_NAMES, "a/b", "status", "a" * 1024])
def test_odd_names_grpc(client, make, name):
    check_name(client, make, name)


def check_name(client, make, name):
    made = make()
    made.put(integers(5))
    register(client, name, made)
    assert [row["name"] for row in regions(client, name)] == [name]
    assert client.infer("id_int32", [shared_input(client, integers(0), name)]).as_numpy("OUT")[0, 0] == 5
    client.unregister_system_shared_memory(name)
    assert names(client) == []


# ---- inference ----


@case("SM16", "four clients", "infer: input and output of each datatype in shared memory", "the same elements")
@pytest.mark.parametrize("datatype", list(DATATYPES))
def test_every_datatype(client, make, datatype):
    made = make()
    values = array_of(datatype)
    data = packed(values)
    made.put(data)
    register(client, "r", made)
    outputs = [shared_output(client, "r", len(data), 2048)]
    client.infer("id_" + datatype.lower(), [shared_input(client, values, "r", datatype=datatype)], outputs=outputs)
    assert made.bytes(2048, len(data)) == data
    assert same(made.array(values.dtype.type, values.shape, 2048), values)


@case("SM17", "four clients", "infer: an input in shared memory, the output in the response", "the same array")
def test_input_only(client, make):
    made = make()
    made.put(integers(1, -2, 3), 40)
    register(client, "r", made)
    result = client.infer("id_int32", [shared_input(client, integers(0, 0, 0), "r", 40)])
    assert same(result.as_numpy("OUT"), integers(1, -2, 3))


@case("SM18", "four clients", "infer: an input in the request, the output in shared memory", "the array, where it was wanted and nowhere else")
def test_output_only(client, make):
    made = make()
    made.put(b"\xaa" * 4096)
    register(client, "r", made)
    client.infer("id_int32", [client.tensor(integers(1, -2, 3))], outputs=[shared_output(client, "r", 64, 40)])
    assert same(made.array(np.int32, [1, 3], 40), integers(1, -2, 3))
    assert made.bytes(0, 40) == b"\xaa" * 40 and made.bytes(52) == b"\xaa" * 4044


@case("SM19", "four clients", "the response to an output in shared memory", "name, datatype, shape, no data; over gRPC also where it is and how many bytes")
@triton_differs("the response does not repeat the parameters", only="gRPC clients")
def test_response(client, make):
    register(client, "r", make())
    result = client.infer("id_int32", [client.tensor(integers(1, 2))], outputs=[shared_output(client, "r", 64, 40)])
    told = {} if client.http else {"shared_memory_region": "r", "shared_memory_offset": 40, "shared_memory_byte_size": 8}
    assert response_of(result)["outputs"] == [{"name": "OUT", "datatype": "INT32", "shape": [1, 2], "parameters": told}]
    if client.http:
        assert "parameters" not in result.get_output("OUT")
    else:
        assert list(result.get_response().raw_output_contents) == [b""]


@case("SM20", "four clients", "infer: some inputs in shared memory, others in the request, in each order; outputs likewise",
      "every tensor with its own elements")
@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_mixed(client, make, which):
    made = make()
    arrays = [np.array([[1.5, 2, 3, 4]], dtype=np.float32), integers(5, 6), np.array([["seven", "eight"]], dtype=np.object_)]
    register(client, "r", made)
    inputs, outputs = [], []
    for i, values in enumerate(arrays):
        inputs.append(client.tensor(values, name=f"IN{i}"))
        if i in which:
            made.put(packed(values), 256 * i)
            inputs[-1] = shared_input(client, values, "r", 256 * i, name=f"IN{i}")
        # The outputs the other way round, so that both forms alternate.
        outputs.append(client.output(f"OUT{i}") if i in which else shared_output(client, "r", 64, 1024 + 256 * i, f"OUT{i}"))
    result = client.infer("several", inputs, outputs=outputs)
    for i, values in enumerate(arrays):
        if i in which:
            assert same(result.as_numpy(f"OUT{i}"), values)
        else:
            assert same(made.array(values.dtype.type, values.shape, 1024 + 256 * i), values)


@case("SM21", "four clients", "a region that begins in the middle of a page, a tensor at an odd address in it", "the same elements")
@triton_differs("a region must begin at a page")
def test_unaligned(client, make):
    made = make(3 * 4096)
    values = np.arange(300, dtype=np.float64).reshape(1, 300)
    made.put(values, 4096 + 7 + 3)
    register(client, "r", made, 8000, 4096 + 7)
    outputs = [shared_output(client, "r", 2400, 2405)]
    client.infer("id_fp64", [shared_input(client, values, "r", 3)], outputs=outputs)
    assert made.bytes(4096 + 7 + 2405, 2400) == values.tobytes()


@case("SM22", "four clients", "two regions of one object, that overlap", "both show the same bytes")
@triton_differs("an object cannot be opened a second time: 'Invalid shared memory region'")
def test_two_regions_of_an_object(client, make):
    made = make(8192)
    values = integers(1, 2, 3, 4)
    made.put(values, 4096)
    register(client, "all", made)
    register(client, "page", made, 4096, 4096)
    for region, offset in (("all", 4096), ("page", 0)):
        assert same(client.infer("id_int32", [shared_input(client, values, region, offset)]).as_numpy("OUT"), values)


@case("SM23", "four clients", "an input in one region, the output in another", "the same elements")
def test_two_regions(client, make):
    source, target = make(), make()
    source.put(integers(9, 8))
    register(client, "in", source)
    register(client, "out", target)
    client.infer("id_int32", [shared_input(client, integers(0, 0), "in")], outputs=[shared_output(client, "out", 8)])
    assert same(target.array(np.int32, [1, 2]), integers(9, 8))


@case("SM24", "four clients", "an output put over its own input, also shifted", "the input's elements, as they were")
@pytest.mark.parametrize("shift", [0, 4, 4000])
@pytest.mark.parametrize("count", [1024, 256 * 1024])
def test_output_over_input(client, make, shift, count):
    made = make(8192 + 4 * count)
    values = np.arange(count, dtype=np.float32).reshape(1, count)
    made.put(values)
    register(client, "r", made)
    client.infer("id_fp32", [shared_input(client, values, "r")], outputs=[shared_output(client, "r", 4 * count, shift)])
    assert made.bytes(shift, 4 * count) == values.tobytes()


@case("SM25", "four clients", "tensors of 8 MiB in both directions", "the same elements")
def test_large(client, make):
    count = 2 << 20
    made = make(8 * count)
    values = np.arange(count, dtype=np.float32).reshape(1, count)
    made.put(values)
    register(client, "r", made)
    outputs = [shared_output(client, "r", 4 * count, 4 * count)]
    client.infer("id_fp32", [shared_input(client, values, "r")], outputs=outputs)
    assert made.bytes(4 * count) == values.tobytes()


@case("SM26", "four clients", "an empty tensor: no elements, 0 bytes of shared memory", "an empty tensor")
@triton_differs("a part of 0 bytes is outside of every region")
def test_empty(client, make):
    register(client, "r", make())
    values = np.zeros((1, 0), dtype=np.int32)
    outputs = [shared_output(client, "r", 0, 4096)]
    result = client.infer("id_int32", [shared_input(client, values, "r", 4096)], outputs=outputs)
    assert response_of(result)["outputs"][0]["shape"] == [1, 0]


@case("SM27", "four clients", "BYTES of several lengths in shared memory, the output's part larger than they are",
      "the same strings; over gRPC their size in the response")
@triton_differs("the response does not repeat the parameters", only="gRPC clients")
def test_strings(client, make):
    made = make()
    values = np.array([["", "Grüße".encode(), b"\xff\x00", b"x" * 1000]], dtype=np.object_)
    made.put(packed(values))
    register(client, "r", made)
    outputs = [shared_output(client, "r", 2048, 2048)]
    result = client.infer("id_bytes", [shared_input(client, values, "r")], outputs=outputs)
    assert same(made.array(np.object_, [1, 4], 2048), values)
    if not client.http:
        assert response_of(result)["outputs"][0]["parameters"]["shared_memory_byte_size"] == len(packed(values))


@case("SM28", "four clients", "several clients at once, each with parts of its own of one region", "each its own elements")
def test_many_at_once(client, peer, connect, make):
    made = make(64 * 1024)
    register(client, "r", made)
    clients = [connect(peer) for _ in range(1 if client.name.endswith("aio") else 4)]
    failures = []

    def work(number, own):
        for round_number in range(20):
            values = integers(*range(number * 1000 + round_number, number * 1000 + round_number + 50))
            made.put(values, 8192 * number)
            tensors = [shared_input(own, values, "r", 8192 * number)]
            own.infer("batching", tensors, outputs=[shared_output(own, "r", 200, 8192 * number + 4096)])
            if not same(made.array(np.int32, [1, 50], 8192 * number + 4096), values):
                failures.append((number, round_number))

    # gevent clients stay with the thread that made them.
    if client.name == "http":
        for number, own in enumerate(clients):
            work(number, own)
    else:
        threads = [threading.Thread(target=work, args=pair_) for pair_ in enumerate(clients)]
        for thread in threads[1:]:
            thread.start()
        work(0, clients[0])
        for thread in threads[1:]:
            thread.join()
    assert failures == []


# ---- what is refused ----


@case("SM29", "four clients", "infer: an input or output in a region that is not there", "NOT_FOUND with its name")
def test_unknown_region(client, make):
    made = make()
    register(client, "r", made)
    with client.refused("NOT_FOUND", "Unable to find shared memory region: 'nothing'"):
        client.infer("id_int32", [shared_input(client, integers(1), "nothing")])
    with client.refused("NOT_FOUND", "Unable to find shared memory region: 'nothing'"):
        client.infer("id_int32", [client.tensor(integers(1))], outputs=[shared_output(client, "nothing", 4)])


OUTSIDE = [(64, 64, "Invalid offset for shared memory region: 'r'"), (2**63 - 1, 64, "Invalid offset for shared memory region: 'r'"),
           (60, 64, "Invalid offset + byte size for shared memory region: 'r'"),
           (0, 2**63 - 1, "Invalid offset + byte size for shared memory region: 'r'")]


@case("SM30", "four clients", "infer: an input or output that is not inside its region", "INVALID_ARGUMENT with the region's name")
@pytest.mark.parametrize("offset,size,text", OUTSIDE)
def test_outside_the_region(client, make, offset, size, text):
    register(client, "r", make(4096), 64)
    with client.refused("INVALID_ARGUMENT", text):
        client.infer("id_int32", [shared_input(client, integers(*range(16)), "r", offset, size)])
    with client.refused("INVALID_ARGUMENT", text):
        client.infer("id_int32", [client.tensor(integers(*range(16)))], outputs=[shared_output(client, "r", size, offset)])


@case("SM31", "four clients", "infer: an input whose part is larger or smaller than its shape needs", "INVALID_ARGUMENT with both sizes")
@pytest.mark.parametrize("size", [60, 68, 128])
def test_wrong_size(client, make, size):
    register(client, "r", make())
    with client.refused("INVALID_ARGUMENT", f"input byte size mismatch for input 'IN' for model 'id_int32'. Expected 64, got {size}"):
        client.infer("id_int32", [shared_input(client, integers(*range(16)), "r", size=size)])


@case("SM32", "four clients", "infer: BYTES in shared memory whose lengths do not add up", "INVALID_ARGUMENT with the tensor's name")
@pytest.mark.parametrize("data,shape", [(b"\x05\0\0\0abc", [1, 1]), (b"\x03\0\0\0abc", [1, 2]), (b"\x03\0\0\0abcd", [1, 1]),
                                        (b"\xff\xff\xff\xffabc", [1, 1]), (b"\x03\0", [1, 1])])
@triton_differs("says it otherwise")
def test_broken_strings(client, make, data, shape):
    made = make()
    made.put(data)
    register(client, "r", made)
    values = np.array([["x"] * shape[1]], dtype=np.object_)
    with client.refused("INVALID_ARGUMENT", "tensor 'IN'"):
        client.infer("id_bytes", [shared_input(client, values, "r", size=len(data))])


@case("SM33", "four clients", "infer: a result that is larger than its part of the region", "INTERNAL with both sizes; nothing is written")
def test_result_too_large(client, make):
    made = make()
    register(client, "r", made)
    text = "shared memory size specified with the request for output 'OUT' (7 bytes) should be at least 8 bytes to hold the results"
    with client.refused("INTERNAL", text):
        client.infer("id_int32", [client.tensor(integers(1, 2))], outputs=[shared_output(client, "r", 7)])
    assert made.bytes() == bytes(4096)


# ---- CUDA ----

HANDLE = base64.b64encode(bytes(64))


@case("SC01", "four clients", "status of all CUDA regions", "an empty list", does="get_cuda_shared_memory_status")
def test_cuda_status(client, make):
    register(client, "r", make())
    assert client.told("get_cuda_shared_memory_status") == []


@case("SC02", "four clients", "register a CUDA region", "UNIMPLEMENTED: what is missing here", fails="register_cuda_shared_memory")
@triton_differs("the CPU build has no such call at all")
def test_cuda_register(client):
    with client.refused("UNIMPLEMENTED", "'c'", "no GPU can be used here"):
        client.register_cuda_shared_memory("c", HANDLE, 0, 64)


@case("SC03", "four clients", "unregister one CUDA region, or all", "success; system regions stay", does="unregister_cuda_shared_memory")
def test_cuda_unregister(client, make):
    register(client, "r", make())
    client.unregister_cuda_shared_memory("r")
    client.unregister_cuda_shared_memory()
    assert names(client) == ["r"]


@case("SC04", "four clients", "status of a CUDA region that is not there", "NOT_FOUND with its name", fails="get_cuda_shared_memory_status")
def test_cuda_status_of_nothing(client):
    with client.refused("NOT_FOUND", "Unable to find cuda shared memory region: 'nothing'"):
        client.get_cuda_shared_memory_status("nothing")


@case("SC05", "four clients", "status of a system region, asked as CUDA's", "NOT_FOUND: it is the other kind")
def test_cuda_status_of_a_system_region(client, make):
    register(client, "r", make())
    with client.refused("NOT_FOUND", "The region named 'r' is registered as system shared memory, not CUDA shared memory"):
        client.get_cuda_shared_memory_status("r")


@case("SC06", "four clients", "register a CUDA region with a handle that has not 64 bytes", "INVALID_ARGUMENT with its size")
@pytest.mark.parametrize("size", [0, 1, 63, 65, 4096])
@triton_differs("the CPU build has no such call at all")
def test_cuda_handle(client, size):
    with client.refused("INVALID_ARGUMENT", f"raw_handle: expected 64 bytes, got {size}"):
        client.register_cuda_shared_memory("c", base64.b64encode(bytes(size)), 0, 64)


# ---- a server that does not let clients ----


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    repository = tmp_path_factory.mktemp("closed") / "models"
    repository.mkdir()
    models.add(repository, "id_int32", models.BATCHED + models.pair("INT32", "-1"))
    running = peers.start(repository)
    yield running
    running.stop()


@case("SM34", "four clients", "register a region, without --allow-client-shm", "UNIMPLEMENTED with the flag; status and unregister answer as ever")
@triton_differs("2.51 has no such flag: clients may always do so")
def test_not_allowed(closed, connect):
    client = connect(closed)
    with client.refused("UNIMPLEMENTED", "--allow-client-shm"):
        client.register_system_shared_memory("r", "/inferd_key", 64)
    assert regions(client) == []
    client.unregister_system_shared_memory()


@case("SM35", "four clients", "infer with an input in shared memory, without --allow-client-shm", "UNIMPLEMENTED with the flag")
@triton_differs("2.51 has no such flag: the region is unknown")
def test_infer_not_allowed(closed, connect):
    client = connect(closed)
    with client.refused("UNIMPLEMENTED", "--allow-client-shm"):
        client.infer("id_int32", [shared_input(client, integers(1), "r")])
