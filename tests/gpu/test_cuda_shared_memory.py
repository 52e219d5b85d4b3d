"""CUDA shared memory on a machine that has a GPU: `INFERD=build/inferd python3 tests/gpu/test_cuda_shared_memory.py`.

Starts `$INFERD serve` on a model of the identity backend, lends it memory of the GPU, and compares the bytes. Needs Python, and one of
tritonclient.utils.cuda_shared_memory, cuda-bindings and the driver library itself, to allocate memory; requests go by plain HTTP, and
where tritonclient is there by its two clients too. Where there is no GPU it says so and ends with 0; pytest skips it."""

import base64
import ctypes
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

INFERD = os.environ.get("INFERD", str(Path(__file__).resolve().parents[2] / "build" / "inferd"))
LIBRARY = "libcuda.so.1"
HANDLE_BYTES = 64
LARGE = 64 << 20


class Missing(Exception):
    """What the machine lacks."""


# ---- memory of the GPU: each of these has allocate(size) -> address, free, handle -> 64 bytes, write, read ----


class Bindings:
    """By cuda-bindings' runtime."""

    name = "cuda-bindings"

    def __init__(self):
        try:
            from cuda.bindings import runtime
        except ImportError as error:
            raise Missing(f"cuda-bindings: {error}") from error
        self.runtime = runtime
        self.call("cudaSetDevice", 0)

    def call(self, function, *arguments):
        error, *rest = getattr(self.runtime, function)(*arguments)
        if int(error) != 0:
            raise RuntimeError(f"{function}: {error}")
        return rest[0] if rest else None

    def allocate(self, size):
        return int(self.call("cudaMalloc", size))

    def free(self, address):
        self.call("cudaFree", address)

    def handle(self, address):
        handle = self.call("cudaIpcGetMemHandle", address)
        return ctypes.string_at(handle.getPtr(), HANDLE_BYTES)

    def write(self, address, data):
        buffer = ctypes.create_string_buffer(data, len(data))
        self.call("cudaMemcpy", address, ctypes.addressof(buffer), len(data), self.runtime.cudaMemcpyKind.cudaMemcpyHostToDevice)
        self.call("cudaDeviceSynchronize")

    def read(self, address, size):
        buffer = ctypes.create_string_buffer(size)
        self.call("cudaMemcpy", ctypes.addressof(buffer), address, size, self.runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost)
        return buffer.raw


class IpcHandle(ctypes.Structure):
    _fields_ = [("reserved", ctypes.c_char * HANDLE_BYTES)]


class Driver:
    """By the driver library alone."""

    name = LIBRARY

    def __init__(self):
        try:
            self.library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise Missing(str(error)) from error
        context, device = ctypes.c_void_p(), ctypes.c_int()
        self.call("cuInit", ctypes.c_uint(0))
        self.call("cuDeviceGet", ctypes.byref(device), ctypes.c_int(0))
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self.call("cuCtxSetCurrent", context)

    def call(self, function, *arguments):
        error = getattr(self.library, function)(*arguments)
        if error != 0:
            raise RuntimeError(f"{function}: error {error}")

    def allocate(self, size):
        address = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
        return address.value

    def free(self, address):
        self.call("cuMemFree_v2", ctypes.c_uint64(address))

    def handle(self, address):
        handle = IpcHandle()
        self.call("cuIpcGetMemHandle", ctypes.byref(handle), ctypes.c_uint64(address))
        return ctypes.string_at(ctypes.addressof(handle), HANDLE_BYTES)

    def write(self, address, data):
        self.call("cuMemcpyHtoD_v2", ctypes.c_uint64(address), ctypes.c_char_p(data), ctypes.c_size_t(len(data)))
        self.call("cuCtxSynchronize")

    def read(self, address, size):
        buffer = ctypes.create_string_buffer(size)
        self.call("cuMemcpyDtoH_v2", buffer, ctypes.c_uint64(address), ctypes.c_size_t(size))
        return buffer.raw


class Allocation:
    """Memory of the GPU with these bytes."""

    def __init__(self, gpu, data):
        self.gpu, self.size = gpu, len(data)
        self.address = gpu.allocate(self.size)
        gpu.write(self.address, data)
        self.handle = gpu.handle(self.address)

    def bytes(self):
        return self.gpu.read(self.address, self.size)

    def free(self):
        self.gpu.free(self.address)


def devices():
    """How many GPUs the driver shows. Missing: none."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise Missing(str(error)) from error
    count = ctypes.c_int()
    for error in (library.cuInit(0), library.cuDeviceGetCount(ctypes.byref(count))):
        if error != 0:
            raise Missing(f"the CUDA driver has no device (error {error})")
    if count.value == 0:
        raise Missing("the CUDA driver has no device")
    return count.value


def open_gpu():
    reasons = []
    for kind in (Bindings, Driver):
        try:
            return kind()
        except Missing as missing:
            reasons.append(str(missing))
    raise Missing("; ".join(reasons))


# ---- the server ----

CONFIG = """backend: "identity"
max_batch_size: 8
input { name: "IN" data_type: TYPE_UINT8 dims: [ -1 ] }
output { name: "OUT" data_type: TYPE_UINT8 dims: [ -1 ] }
"""


class Server:
    def __init__(self, folder):
        model = Path(folder) / "id"
        (model / "1").mkdir(parents=True)
        (model / "config.pbtxt").write_text(CONFIG)
        ports = [f"--{name}-port=0" for name in ("http", "grpc", "metrics")]
        command = [INFERD, "serve", f"--model-repository={folder}", "--allow-client-shm", *ports]
        self.log_path = Path(folder).parent / "log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        self.wait_for("server ready in")
        self.http = self.wait_for(r"HTTP listening on \S*:(\d+)").group(1)
        self.grpc = self.wait_for(r"gRPC listening on \S*:(\d+)").group(1)

    def wait_for(self, pattern):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(pattern, self.log_path.read_text(errors="replace"))
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"no '{pattern}' in the log:\n{self.log_path.read_text(errors='replace')}")

    def stop(self):
        self.process.terminate()
        code = self.process.wait(60)
        assert code == 0, f"exit code {code}:\n{self.log_path.read_text(errors='replace')}"

    def call(self, path, body=None, method=None):
        """(status, answer) of a call over HTTP."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", data, method=method or ("GET" if data is None else "POST"))
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                text = response.read()
                return response.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def register(self, name, handle, size, device=0):
        body = {"raw_handle": {"b64": base64.b64encode(handle).decode()}, "device_id": device, "byte_size": size}
        return self.call(f"/v2/cudasharedmemory/region/{name}/register", body)

    def unregister(self, name=None):
        path = f"/region/{name}" if name else ""
        return self.call(f"/v2/cudasharedmemory{path}/unregister", method="POST")

    def regions(self):
        return self.call("/v2/cudasharedmemory/status")[1]


def part(region, size, offset=0):
    return {"shared_memory_region": region, "shared_memory_byte_size": size, "shared_memory_offset": offset}


def infer(server, size, source=None, target=None, data=None):
    tensor = {"name": "IN", "shape": [1, size], "datatype": "UINT8"}
    tensor.update({"parameters": source} if source else {"data": data})
    output = {"name": "OUT", **({"parameters": target} if target else {})}
    return server.call("/v2/models/id/infer", {"inputs": [tensor], "outputs": [output]})


# ---- the checks; each has the server, the GPU and its devices ----


def check_regions(server, gpu, count):
    end = time.monotonic() + 60
    while "cuda_shared_memory" not in server.call("/v2")[1]["extensions"]:
        assert time.monotonic() < end, "cuda_shared_memory is not among the extensions"
        time.sleep(0.05)
    memory = Allocation(gpu, bytes(4096))
    assert server.register("r", memory.handle, 4096) == (200, None)
    assert server.regions() == [{"name": "r", "device_id": 0, "byte_size": 4096}]
    assert server.register("again", memory.handle, 100) == (200, None)
    assert server.register("r", memory.handle, 8)[0] == 400
    for size in (0, 1 << 40):
        status, answer = server.register("bad", memory.handle, size)
        assert status == 400 and "bytes of the allocation" in answer["error"], answer
    status, answer = server.register("bad", memory.handle, 8, count)
    assert status == 400 and "device_id" in answer["error"], answer
    status, answer = server.register("bad", memory.handle[:-1], 8)
    assert status == 400 and "expected 64 bytes" in answer["error"], answer
    status, answer = server.register("bad", bytes(range(64)), 8)
    assert status == 400 and "cuIpcOpenMemHandle" in answer["error"], answer
    assert server.unregister() == (200, None)
    assert server.regions() == []
    memory.free()


def check_input(server, gpu, _):
    memory = Allocation(gpu, bytes(range(200)))
    assert server.register("r", memory.handle, 200)[0] == 200
    status, answer = infer(server, 50, part("r", 50, 100))
    assert status == 200 and answer["outputs"][0]["data"] == list(range(100, 150)), answer
    assert server.unregister("r")[0] == 200
    memory.free()


def check_output(server, gpu, _):
    memory = Allocation(gpu, bytes(256))
    assert server.register("r", memory.handle, 256)[0] == 200
    status, answer = infer(server, 16, target=part("r", 100, 64), data=list(range(1, 17)))
    assert status == 200 and "data" not in answer["outputs"][0], answer
    assert memory.bytes() == bytes(64) + bytes(range(1, 17)) + bytes(256 - 80)
    status, answer = infer(server, 16, target=part("r", 15), data=list(range(1, 17)))
    assert status == 500 and "at least 16 bytes" in answer["error"], answer
    assert server.unregister("r")[0] == 200
    memory.free()


def check_neighbours(server, gpu, _):
    """Small allocations share a page of the GPU: each handle must give its own bytes."""
    memories = [Allocation(gpu, bytes([10 + i]) * 64) for i in range(4)]
    for i, memory in enumerate(memories):
        status, answer = server.register(f"n{i}", memory.handle, 64)
        assert status == 200, answer
    for i in range(len(memories)):
        answer = infer(server, 64, part(f"n{i}", 64))[1]
        assert answer["outputs"][0]["data"] == [10 + i] * 64, (i, answer)
    assert server.unregister()[0] == 200
    for memory in memories:
        memory.free()


def check_large(server, gpu, _):
    data = os.urandom(LARGE)
    source, target = Allocation(gpu, data), Allocation(gpu, bytes(LARGE))
    assert server.register("s", source.handle, LARGE)[0] == 200
    assert server.register("t", target.handle, LARGE)[0] == 200
    for _ in range(3):
        gpu.write(target.address, bytes(LARGE))
        begun = time.monotonic()
        status, answer = infer(server, LARGE, part("s", LARGE), part("t", LARGE))
        took = time.monotonic() - begun
        assert status == 200, answer
        assert target.bytes() == data
    print(f"     {LARGE >> 20} MiB from the GPU and to it in {1000 * took:.0f} ms")
    assert server.unregister()[0] == 200
    source.free()
    target.free()


def check_registered_anew(server, gpu, _):
    """Memory that is freed, allocated and lent again: the server must not hold on to the old."""
    for round_ in range(20):
        memory = Allocation(gpu, bytes([round_]) * 64)
        assert server.register("r", memory.handle, 64)[0] == 200
        status, answer = infer(server, 64, part("r", 64))
        assert status == 200 and answer["outputs"][0]["data"] == [round_] * 64, answer
        assert server.unregister("r")[0] == 200
        memory.free()


def check_owner_gone(server, _, __):
    """The process that lent the memory ends: its region can be named, or not, but harms nobody; its handle opens nothing."""
    script = ("import sys; sys.path.insert(0, sys.argv[1]); import test_cuda_shared_memory as t; "
              "m = t.Allocation(t.open_gpu(), bytes(range(64))); print(m.handle.hex(), flush=True); sys.stdin.read()")
    owner = subprocess.Popen([sys.executable, "-c", script, str(Path(__file__).parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    handle = bytes.fromhex(owner.stdout.readline())
    assert server.register("r", handle, 64)[0] == 200
    assert infer(server, 64, part("r", 64))[1]["outputs"][0]["data"] == list(range(64))
    owner.communicate("")
    status, answer = infer(server, 64, part("r", 64))
    print(f"     a region whose owner is gone: {status}")
    assert status in (200, 500), answer
    assert server.unregister("r")[0] == 200
    status, answer = server.register("r", handle, 64)
    assert status == 400 and "cuIpcOpenMemHandle" in answer["error"], answer
    assert infer(server, 2, data=[1, 2])[1]["outputs"][0]["data"] == [1, 2]


def check_clients(server, gpu, _):
    """tritonclient over both protocols, and its own utilities for the memory where they can be had."""
    try:
        import numpy as np
        import tritonclient.grpc as grpcclient
        import tritonclient.http as httpclient
    except ImportError as error:
        print(f"     left out: {error}")
        return
    try:
        from tritonclient.utils import cuda_shared_memory

        cuda_shared_memory.destroy_shared_memory_region(cuda_shared_memory.create_shared_memory_region("try", 64, 0))
    except Exception as error:  # its libraries may be missing in many ways
        print(f"     tritonclient's own utilities: {error}")
        cuda_shared_memory = None
    values = np.arange(48, dtype=np.uint8).reshape(1, 48)
    for module, port in ((httpclient, server.http), (grpcclient, server.grpc)):
        memory = None
        if cuda_shared_memory:
            region = cuda_shared_memory.create_shared_memory_region("r", 128, 0)
            cuda_shared_memory.set_shared_memory_region(region, [values])
            handle = cuda_shared_memory.get_raw_handle(region)
        else:
            memory = Allocation(gpu, values.tobytes() + bytes(80))
            handle = base64.b64encode(memory.handle)
        with module.InferenceServerClient(f"127.0.0.1:{port}") as client:
            client.register_cuda_shared_memory("r", handle, 0, 128)
            tensor, output = module.InferInput("IN", [1, 48], "UINT8"), module.InferRequestedOutput("OUT")
            tensor.set_shared_memory("r", 48)
            output.set_shared_memory("r", 48, 64)
            client.infer("id", [tensor], outputs=[output])
            if cuda_shared_memory:
                found = cuda_shared_memory.get_contents_as_numpy(region, np.uint8, [112])[64:].tobytes()
            else:
                found = memory.bytes()[64:112]
            assert found == values.tobytes()
            client.unregister_cuda_shared_memory("r")
        if cuda_shared_memory:
            cuda_shared_memory.destroy_shared_memory_region(region)
        else:
            memory.free()


CHECKS = (check_regions, check_input, check_output, check_neighbours, check_large, check_registered_anew, check_owner_gone, check_clients)


def run():
    """Runs all checks; how many failed. Missing: there is no GPU."""
    count = devices()
    gpu = open_gpu()
    print(f"{count} GPUs; memory by {gpu.name}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "models")
        for check in CHECKS:
            try:
                check(server, gpu, count)
                print(f"ok   {check.__name__}", flush=True)
            except Exception as error:
                failed += 1
                print(f"FAIL {check.__name__}: {type(error).__name__}: {error}", flush=True)
                server.unregister()
        server.stop()
    return failed


def test_cuda_shared_memory():
    import pytest

    try:
        assert run() == 0
    except Missing as missing:
        pytest.skip(str(missing))


def main():
    try:
        failed = run()
    except Missing as missing:
        print(f"skipped: {missing}")
        return 0
    print("all good" if failed == 0 else f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
