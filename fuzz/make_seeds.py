#!/usr/bin/env python3
"""Makes the seeds of fuzz/corpus: what real clients say to a running server, real configs, small checkpoints.

    .venv/bin/python fuzz/make_seeds.py     (needs build/inferd and the packages of tests/requirements.txt)

Files are named seed-*; inputs that a bug was found with are named after the bug and stay. Run it when clients, calls or the form
of a target's input (top of each fuzz_*.c) change."""

import gzip
import json
import random
import socket
import ssl
import struct
import sys
import tempfile
import threading
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "clients"))

import grpc
import models
import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from google.protobuf import descriptor, json_format, text_format
from serving import Server
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

FIXTURES = HERE.parent / "tests" / "fixtures"
MEASURED = HERE.parent / "tests" / "figures" / "data"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SEED_MAX = 4096  # longer ones make every step slow
CUTS = bytes([5])  # of a stream: small pieces, always the same
DATA = 0


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data[:SEED_MAX])


class Recorder:
    """Stands between a client and the server, and keeps what both say, by connection."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = []  # [from the client, from the server]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.target))
            said = [bytearray(), bytearray()]
            self.connections.append(said)
            for side, (source, sink) in enumerate([(client, server), (server, client)]):
                threading.Thread(target=self._copy, args=(source, sink, said[side]), daemon=True).start()

    @staticmethod
    def _copy(source, sink, said):
        try:
            while data := source.recv(65536):
                said += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def arrays():
    for datatype, (_, kind) in models.DATATYPES.items():
        if datatype == "BYTES":
            yield datatype, np.array([["", "Grüße".encode(), b"\xff\x00"]], dtype=np.object_)
        elif kind is not None:
            yield datatype, np.array([[1, 0, 1]], dtype=kind)


def infer_inputs(triton, datatype, values, **more):
    tensor = triton.InferInput("IN", list(values.shape), datatype)
    tensor.set_data_from_numpy(values, **more)
    return [tensor]


def http_traffic(port):
    """What tritonclient does over HTTP; one connection a call, so that seeds are small."""
    for compression in (None, "gzip", "deflate"):
        with triton_http.InferenceServerClient(f"127.0.0.1:{port}") as client:
            client.infer("id_int32", infer_inputs(triton_http, "INT32", np.array([[1, 2, 3]], np.int32)),
                         request_compression_algorithm=compression, response_compression_algorithm=compression)
    for call in ("is_server_live", "is_server_ready", "get_server_metadata", "get_inference_statistics"):
        with triton_http.InferenceServerClient(f"127.0.0.1:{port}") as client:
            getattr(client, call)()
    with triton_http.InferenceServerClient(f"127.0.0.1:{port}") as client:
        client.is_model_ready("id_int32")
        client.get_model_metadata("id_int32")
        client.get_model_config("id_int32")
    for datatype, values in arrays():
        for binary in (True, False):
            if not binary and datatype in ("FP16", "BYTES"):
                continue
            with triton_http.InferenceServerClient(f"127.0.0.1:{port}") as client:
                output = triton_http.InferRequestedOutput("OUT", binary_data=binary)
                client.infer("id_" + datatype.lower(), infer_inputs(triton_http, datatype, values, binary_data=binary),
                             outputs=[output], request_id=datatype)


def grpc_traffic(port):
    for compression in (None, "gzip", "deflate"):
        with triton_grpc.InferenceServerClient(f"127.0.0.1:{port}") as client:
            client.infer("id_int32", infer_inputs(triton_grpc, "INT32", np.array([[1, 2, 3]], np.int32)),
                         compression_algorithm=compression, client_timeout=10)
    with triton_grpc.InferenceServerClient(f"127.0.0.1:{port}") as client:
        client.is_server_live()
        client.get_server_metadata()
        client.get_model_config("id_int32")
    for datatype, values in arrays():
        with triton_grpc.InferenceServerClient(f"127.0.0.1:{port}") as client:
            client.infer("id_" + datatype.lower(), infer_inputs(triton_grpc, datatype, values), request_id=datatype)


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, content):
    """A length-delimited field of a protobuf message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


# What is asked in TRTIS v1, each on a connection of its own: the flags that tell fuzz_client which answer it reads; path and method.
V1_TENSORS = b"batch_size: 1 input { name: \"IN\" dims: 3 } output { name: \"OUT\" }"
V1_INFER = (field(1, b"id_int32") + b"\x10" + b"\xff" * 9 + b"\x01" + field(4, bytes(12)) +
            field(3, b"\x08\x01" + field(2, field(1, b"IN") + field(2, b"\x03")) + field(3, field(1, b"OUT"))))
V1_CALLS = [(0x20, "POST /api/infer/id_int32", "Infer", V1_INFER), (0x22, "GET /api/status/id_int32", "Status", field(1, b"id_int32")),
            (0x24, "GET /api/status", "Status", b""), (0x26, "GET /api/status/id_int32", "Status", field(1, b"id_int32")),
            (0x60, None, "StreamInfer", V1_INFER + field(3, b"\x28\x01"))]


def v1_seeds(server):
    """Answers in TRTIS v1 for fuzz_client."""
    http, rpc = Recorder(server.http), Recorder(server.grpc)
    for flags, path, method, message in V1_CALLS:
        if path:
            inference = path.startswith("POST")
            with socket.create_connection(("127.0.0.1", http.port)) as client:
                head = f"{path}?format=binary HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {12 if inference else 0}\r\n".encode()
                client.sendall(head + (b"NV-InferRequest: " + V1_TENSORS + b"\r\n\r\n" + bytes(12) if inference else b"\r\n"))
                while client.recv(65536):
                    pass
            write("client", f"v1-http-{flags:x}", CUTS + bytes([flags]) + http.connections[-1][1])
        with grpc.insecure_channel(f"127.0.0.1:{rpc.port}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
            path = f"/nvidia.inferenceserver.GRPCService/{method}"
            if method == "StreamInfer":
                list(channel.stream_stream(path)(iter([message])))
            else:
                channel.unary_unary(path)(message)
        write("client", f"v1-grpc-{flags:x}", CUTS + bytes([flags | 9]) + compact(rpc.connections[-1][1]))


def stream_seeds(server):
    """Answers on one ModelStreamInfer call, to both of fuzz_client's requests; of a decoupled model, with the end told apart, too."""
    for name, model, parameter in (("stream", "id_int32", False), ("stream-decoupled", "many", True)):
        recorder, requests = Recorder(server.grpc), []
        for number in ("1", "2"):
            request = service_pb2.ModelInferRequest(model_name=model, id=number, raw_input_contents=[bytes(12)])
            request.inputs.add(name="IN", datatype="INT32", shape=[1, 3])
            request.parameters["triton_enable_empty_final_response"].bool_param = parameter
            requests.append(request)
        with grpc.insecure_channel(f"127.0.0.1:{recorder.port}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
            list(service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelStreamInfer(iter(requests)))
        write("client", f"grpc-{name}", CUTS + b"\x59" + compact(recorder.connections[-1][1]))


def frames(data):
    """(kind, flags, stream, payload) of each whole frame."""
    at = 0
    while at + 9 <= len(data):
        size = int.from_bytes(data[at : at + 3], "big")
        kind, flags, stream = struct.unpack(">BBI", data[at + 3 : at + 9])
        yield kind, flags, stream & 0xFF, data[at + 9 : at + 9 + size]
        at += 9 + size


def compact(data):
    """Frames in the form that the targets take, which put the lengths right."""
    return b"".join(struct.pack("<BBBH", kind, flags, stream, len(payload)) + payload
                    for kind, flags, stream, payload in frames(data) if len(payload) < 65536)


def http_seeds(connections):
    for i, (client, server) in enumerate(connections):
        write("http1", f"traffic-{i}", CUTS + b"\0" + client)
        write("client", f"http-{i}", CUTS + b"\0" + server)
        head, _, body = bytes(client).partition(b"\r\n\r\n")
        if b"/infer " in head and b"Content-Encoding" not in head:
            length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"inference-header-content-length")]
            json_size = int(length[0].split(b":")[1]) if length else len(body)
            write("json_infer", f"traffic-{i}", struct.pack("<H", len(body) - json_size) + body)
    paths = "echo hold refuse stream idle deadline pieces dirty reset nothing sip drip".split()
    post = b"POST /%s HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
    chunked = b"POST /%s?q HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;e=1\r\nab\r\n3\r\ncde\r\n0\r\nT: x\r\n\r\n"
    for i, path in enumerate(paths):
        write("http1", f"path-{path}", CUTS + bytes([1 << (i % 6)]) + post % path.encode() + chunked % path.encode())
    write("http1", "pipeline", CUTS + b"\0" + b"".join(post % path.encode() for path in paths if path != "reset"))
    write("http1", "expect", CUTS + b"\0POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na")
    write("http1", "head", CUTS + b"\0HEAD http://h:1/pieces HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n")


def grpc_seeds(connections):
    for i, (client, server) in enumerate(connections):
        assert client.startswith(PREFACE)
        client = client[len(PREFACE) :]
        write("http2", f"raw-{i}", CUTS + b"\0" + client)
        write("http2", f"frames-{i}", CUTS + b"\x80" + compact(client))
        write("client", f"grpc-{i}", CUTS + b"\x09" + compact(server))
        body = b"".join(payload for kind, _, _, payload in frames(client) if kind == DATA)
        write("grpc_framing", f"traffic-{i}", CUTS + b"\0" + struct.pack("<BH", 0, len(body)) + body)
    field = lambda name, value: b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
    for i, path in enumerate(b"echo hold refuse stream idle deadline pieces dirty reset nothing sip drip".split()):
        head = b"".join(field(*pair) for pair in [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", b"/" + path)])
        stream = b"".join(struct.pack("<BBBH", kind, flags, number, len(payload)) + payload for kind, flags, number, payload in
                          [(4, 0, 0, b""), (1, 4, 1, head), (0, 0, 1, b"hello"), (0, 1, 1, b"!"), (1, 5, 3, head), (3, 0, 3, bytes(4)),
                           (1, 4, 5, head), (0, 0, 5, b"x" * 50), (6, 0, 0, bytes(8)), (8, 0, 0, b"\0\0\1\0"), (7, 0, 0, bytes(8))])
        write("http2", f"path-{path.decode()}", CUTS + bytes([0x80 | 1 << (i % 6)]) + stream)
    for i, choice in enumerate((0, 0x40, 0x61, 0x42, 0x63, 0xC3, 0x4B, 0x5B, 0x28, 5)):
        fields = (b"\x0510S  " if choice & 8 else b"") + (b"\x08identity" if choice & 16 else b"")
        records = b"".join(struct.pack("<BH", flag, 5) + b"hello" for flag in ((3,) if choice & 0x40 else ())) or b"\0\0\0\0\5hello"
        if choice & 7 == 3:
            records += struct.pack("<BH", 0, 2) + b"xy" + struct.pack("<BH", 3, 1) + b"!"
        call = bytes([choice]) + fields + struct.pack("<H", len(records)) + records
        write("grpc_framing", f"call-{i}", CUTS + b"\0" + call * 2)
    write_packed_calls()


def write_packed_calls():
    """Messages that are too heavy for the loop to unpack."""
    noise = random.Random(1).randbytes(1100)
    heavy, light = struct.pack("<BH", 3, len(noise)) + noise, struct.pack("<BH", 3, 5) + b"hello"
    for i, choice in enumerate((0x60, 0x40, 0x63, 0xE3, 0xE1)):
        records = light + heavy + light + heavy if choice & 7 == 3 else heavy
        for flags in (0, 8, 16):
            call = bytes([choice]) + struct.pack("<H", len(records)) + records
            write("grpc_framing", f"packed-{i}-{flags}", CUTS + bytes([flags]) + call)


HEADERS, PADDED, PRIORITY = 1, 8, 32


def hpack_seeds(connections):
    """The header blocks of each side, one connection a seed; most say the same."""
    seen = set()
    for i, (client, server) in enumerate(connections):
        for side, data in (("client", client[len(PREFACE) :]), ("server", server)):
            blocks = [payload[1 if flags & PADDED else 0 :][5 if flags & PRIORITY else 0 :]
                      for kind, flags, _, payload in frames(data) if kind == HEADERS]
            seed = b"".join(struct.pack("<HB", len(block), 0) + block for block in blocks)
            if seed not in seen:
                write("hpack", f"{side}-{i}", seed)
            seen.add(seed)
    for i, forms in enumerate(("203fe11f82be", "3fe1014001610162be7e0163bf", "0f2f0163", "00811f00", "408825a849e95ba97d7f8925a849e95bb8e8b4bf")):
        block = bytes.fromhex(forms)
        write("hpack", f"forms-{i}", struct.pack("<HB", 5, 0x85) + b"@\1a\1b" + struct.pack("<HB", len(block), i) + block)


def fill(message, depth=0):
    """Sets every field, so that a seed shows all of them."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            entry = getattr(message, field.name)
            key = 7 if field.message_type.fields_by_name["key"].cpp_type != descriptor.FieldDescriptor.CPPTYPE_STRING else "key"
            if value.message_type:
                fill(entry[key], depth + 1) if depth < 4 else entry[key].SetInParent()
            else:
                entry[key] = "text" if value.cpp_type == descriptor.FieldDescriptor.CPPTYPE_STRING else 3
        elif field.message_type:
            if depth < 4:
                repeated = field.is_repeated
                fill(getattr(message, field.name).add() if repeated else getattr(message, field.name), depth + 1)
        else:
            kind = field.cpp_type
            value = ("text" if field.type == descriptor.FieldDescriptor.TYPE_STRING else b"\0\xff" if field.type == descriptor.FieldDescriptor.TYPE_BYTES
                     else True if kind == descriptor.FieldDescriptor.CPPTYPE_BOOL
                     else field.enum_type.values[-1].number if kind == descriptor.FieldDescriptor.CPPTYPE_ENUM
                     else 1.5 if kind in (descriptor.FieldDescriptor.CPPTYPE_FLOAT, descriptor.FieldDescriptor.CPPTYPE_DOUBLE) else 300)
            if field.is_repeated:
                getattr(message, field.name).extend([value, value])
            else:
                setattr(message, field.name, value)
    return message


def protobuf_seeds():
    service = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    for i, method in enumerate(service.methods):
        for k, kind in enumerate((method.input_type, method.output_type)):
            message = fill(getattr(service_pb2, kind.name)())
            write("protobuf", kind.name, bytes([2 * i + k]) + message.SerializeToString())
            write("pb_forms", f"wire-{kind.name}", bytes([2 * i + k, 0]) + message.SerializeToString())
            write("pb_forms", f"text-{kind.name}", bytes([2 * i + k, 1]) + text_format.MessageToString(message).encode())
            write("pb_forms", f"json-{kind.name}", bytes([2 * i + k, 2 + k]) + json_format.MessageToJson(message, indent=0).encode())
    count = len(service.methods)
    write("protobuf", "HealthCheckRequest", bytes([2 * count]) + b"\x0a\x04text")
    write("protobuf", "HealthCheckResponse", bytes([2 * count + 1]) + b"\x08\x01")
    write("protobuf", "ModelConfig", bytes([255]) + fill(model_config_pb2.ModelConfig()).SerializeToString())


def config_seeds(repository):
    paths = sorted(repository.glob("*/config.pbtxt")) + sorted(FIXTURES.glob("foreign/repository/*/config.pbtxt"))
    for path in paths:
        name = path.parent.name.replace(" ", "-")
        write("text_config", f"text-{name}", b"\0" + path.read_bytes())
        message = text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())
        write("text_config", f"json-{name}", b"\1" + json_format.MessageToJson(message, preserving_proto_field_name=True).encode())
    for choice in ("dynamic_batching", "sequence_batching", "ensemble_scheduling"):
        full = fill(model_config_pb2.ModelConfig())
        for other in ("dynamic_batching", "sequence_batching", "ensemble_scheduling"):
            if other != choice:
                full.ClearField(other)
        fill(getattr(full, choice))
        full = text_format.MessageToString(full)
        for i in range(0, len(full), 3000):
            write("text_config", f"full-{choice}-{i}", b"\0" + full[i : i + 3500].encode())


def api_seeds():
    """Requests to every route and method of a server with the models of fuzz_api.c."""
    tensor = {"name": "IN", "shape": [1, 2], "datatype": "INT32", "data": [1, 2]}
    several = [{"name": "A", "shape": [1, 1, 2], "datatype": "FP32", "data": [0.5, -1]}, {"name": "B", "shape": [1, 1], "datatype": "BYTES", "data": ["x"]}]
    outputs = [{"name": "OUT", "parameters": {"classification": 2}}]
    config = json.dumps({"backend": "identity", "input": [{"name": "IN", "data_type": "TYPE_INT32", "dims": [1]}],
                         "output": [{"name": "OUT", "data_type": "TYPE_INT32", "dims": [1]}]})
    requests = [
        ("GET", "/v2/health/live", None), ("GET", "/v2/health/ready", None), ("GET", "/v2", None), ("GET", "/metrics", None),
        ("GET", "/v2/models/id", None), ("GET", "/v2/models/id/versions/1/ready", None), ("GET", "/v2/models/several/config", None),
        ("GET", "/v2/models/stats", None), ("GET", "/v2/models/id/versions/1/stats", None),
        ("POST", "/v2/models/id/infer", {"id": "a", "inputs": [tensor], "outputs": outputs, "parameters": {"sequence_id": 3, "sequence_start": True}}),
        ("POST", "/v2/models/several/infer", {"inputs": several, "parameters": {"priority": 1, "timeout": 1000000}}),
        ("POST", "/v2/models/text/infer", {"inputs": [{"name": "IN", "shape": [1], "datatype": "BYTES", "data": ["Gr\u00fc\u00dfe"]}]}),
        ("POST", "/v2/models/decoupled/generate_stream", {"IN": [1], "parameters": {"responses": 3}}),
        ("POST", "/v2/models/text/generate", {"IN": "hello", "stream": False}),
        ("POST", "/v2/models/id/infer", {"inputs": [{**tensor, "data": None, "parameters": {"shared_memory_region": "r", "shared_memory_byte_size": 8}}]}),
        ("POST", "/v2/repository/index", {"ready": True}), ("POST", "/v2/repository/models/id/unload", {"parameters": {"unload_dependents": True}}),
        ("POST", "/v2/repository/models/new/load", {"parameters": {"config": config, "file:1/model.bin": "aGVsbG8="}}),
        ("GET", "/v2/systemsharedmemory/status", None), ("POST", "/v2/systemsharedmemory/region/r/register", {"key": "/none", "offset": 0, "byte_size": 8}),
        ("POST", "/v2/systemsharedmemory/region/r/unregister", {}), ("POST", "/v2/systemsharedmemory/unregister", {}),
        ("GET", "/v2/cudasharedmemory/status", None), ("POST", "/v2/trace/setting", {"trace_level": ["TIMESTAMPS"], "trace_rate": "1", "trace_count": "5"}),
        ("POST", "/v2/models/id/trace/setting", {"trace_rate": None}), ("POST", "/v2/logging", {"log_verbose_level": 1, "log_format": "ISO8601"}),
        ("GET", "/api/status/id?format=json", None), ("GET", "/api/health/live", None), ("POST", "/api/modelcontrol/unload/id", None),
    ]
    for i, (method, path, body) in enumerate(requests):
        body = b"" if body is None else json.dumps(body).encode()
        write("api", f"http-{i}", CUTS + b"\0" + f"{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    head = b'id: 7 batch_size: 1 input { name: "IN" dims: 2 } output { name: "OUT" cls { count: 1 } }'
    write("api", "http-v1", CUTS + b"\0POST /api/infer/id/1 HTTP/1.1\r\nHost: h\r\nNV-InferRequest: " + head + b"\r\nContent-Length: 8\r\n\r\n" + bytes(8))
    infer = service_pb2.ModelInferRequest(model_name="id", raw_input_contents=[bytes(8)])
    infer.inputs.add(name="IN", datatype="INT32", shape=[1, 2])
    stream = service_pb2.ModelInferRequest(model_name="decoupled", id="s")
    stream.inputs.add(name="IN", datatype="INT32", shape=[2]).contents.int_contents.extend([1, 2])
    known = {"ModelInfer": [infer], "ModelStreamInfer": [stream, infer]}
    for method in service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods:
        messages = known.get(method.name) or [fill(getattr(service_pb2, method.input_type.name)())]
        for field in ("name", "model_name"):
            if hasattr(messages[0], field) and "Memory" not in method.name:
                setattr(messages[0], field, "id" if method.name != "ModelStreamInfer" else "decoupled")
        write_call(method.name, f"/inference.GRPCInferenceService/{method.name}", [message.SerializeToString() for message in messages])
    for name, path, messages in [("health", "/grpc.health.v1.Health/Check", [b""]), ("watch", "/grpc.health.v1.Health/Watch", [b""]),
                                 ("reflection", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", [b"\x3a\0", b"\x22\x04none"]),
                                 ("v1-status", "/nvidia.inferenceserver.GRPCService/Status", [b"\x0a\2id"])]:
        write_call(name, path, messages)


def write_call(name, path, messages):
    call = bytes([255, len(path)]) + path.encode() + bytes([0, len(messages)]) + b"".join(struct.pack("<H", len(message)) + message for message in messages)
    write("api", f"grpc-{name}", CUTS + b"\1" + call * 2)


def text_seeds():
    texts = ["The Norman dynasty had a major political, cultural and military impact.", "unaffable, [CLS] [SEP] don't!",
             "Ångström ﬁ Ǆ ΣΑΣ straße İstanbul", "日本語のテキスト 한국어 ไทย العربية", "a\u0300\u0301\u0327 \u200b\u00ad\ufeff\u2028 e\u0301",
             "😀 👩‍👩‍👧 \U0001d54f", "x" * 150 + " " + "ä" * 101]
    for i, text in enumerate(texts):
        write("wordpiece", f"text-{i}", bytes([i % 2 ^ 1]) + text.encode())
    for bits in range(2, 8):
        write("wordpiece", f"options-{bits}", bytes([bits]) + "".join(texts[2:5]).encode())
    write("wordpiece", "broken", b"\1\xff\xc3 a\xe2\x82 \xed\xa0\x80")
    small = {name: json.loads((FIXTURES / folder / name).read_text()) for folder, name in [("hf_checkpoint", "config.json"), ("tf_checkpoint", "bert_config.json")]}
    for name, config in small.items():
        write("bert_config", name, b"\0" + json.dumps(config).encode())
    write("bert_config", "vocab", b"\1" + (FIXTURES / "hf_checkpoint" / "vocab.txt").read_bytes())
    answer = {"text": "b c", "answer_start": 2}
    qas = [{"id": "1", "question": "what?", "answers": [answer], "is_impossible": False},
           {"id": "2", "question": "who?", "answers": [], "plausible_answers": [answer], "is_impossible": True}]
    data = json.dumps({"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": "a b c", "qas": qas}]}]}).encode()
    for odd, second in ((0, {"1": "b c", "2": ""}), (1, {"1": 1.5, "2": -2e9})):
        data += b" " * (len(data) % 2 != odd)
        write("squad", f"set-{odd}", struct.pack("<H", len(data)) + data + json.dumps(second).encode())
    write("figures", "verbose", b"\0" + (MEASURED / "identity-delay-10.csv").read_bytes())
    write("figures", "perf-client", b"\2" + (MEASURED / "perf-client-2019.csv").read_bytes())
    write("figures", "rate", b"\4Request Rate,Inferences/Second,p99.9 latency,p50 latency,Avg latency\n12.5,12,900,300,\"310\"\n")
    requests = [{"timestamp": t, "response_timestamps": [t + 5000 * t]} for t in range(1, 9)]
    profile = [{"experiment": {"mode": mode, "value": 1.5}, "requests": requests} for mode in ("concurrency", "request_rate")]
    write("figures", "profile", b"\1" + json.dumps({"experiments": profile}).encode())
    write("texts", "base64", b"\0aGVsbG8=")
    write("texts", "timeout", b"\x0199999999H")
    for i, route in enumerate(("GET /v2/models/a%20b/versions/12/ready", "POST /v2/models/m/infer", "GET /v2/models/stats", "PUT /metrics")):
        write("texts", f"route-{i}", b"\2" + route.encode())
    write("texts", "target", b"\3http://h:1/a?b")
    write("texts", "gzip", b"\4" + gzip.compress(b"hello " * 20, mtime=0))
    write("texts", "deflate", b"\5" + zlib.compress(b"hello " * 20))
    write("texts", "accept", b"\6gzip;q=0.5, deflate, identity;q=0, *;q=0.1")
    write("onnx_writer", "small", bytes([1, 0, 1, 3, 1, 32, 0, 100, 0, 64, 0, 1, 0, 200]))


def safetensors_seeds():
    def file(tensors, metadata=None):
        header, data = ({"__metadata__": metadata} if metadata else {}), b""
        for name, (kind, shape, content) in tensors.items():
            header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
            data += content
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    write("safetensors", "types", file({"a": ("F32", [2, 2], bytes(16)), "b": ("F16", [3], bytes(6)), "c": ("BF16", [], bytes(2)),
                                        "d": ("I64", [1, 0], b""), "e": ("U8", [3], b"abc")}, {"format": "pt"}))
    write("safetensors", "empty", file({}))
    fixed = bytearray(file({"w": ("F32", [1], bytes(4))}))
    fixed[7] = 0x80  # the target puts the length right
    write("safetensors", "fixed", bytes(fixed))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def bundle_seeds():
    write("tensor_bundle", "fixture", b"\0" + (FIXTURES / "tf_checkpoint" / "model.ckpt.index").read_bytes())

    def entry(name, value, shared=0):
        return varint(shared) + varint(len(name)) + varint(len(value)) + name + value

    def tensor(offset, dims, size):
        crc = crc32c(bytes(size))
        shape = b"".join(b"\x12" + varint(len(dim)) + dim for dim in [b"\x08" + varint(n) for n in dims])
        return (b"\x08\x01\x12" + varint(len(shape)) + shape + (b"\x20" + varint(offset) if offset else b"") + b"\x28" + varint(size) +
                b"\x35" + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF))

    first = entry(b"", b"\x08\x01\x1a\x02\x08\x01") + entry(b"bert/a", tensor(0, [2, 3], 24)) + entry(b"b", tensor(24, [4], 16), shared=5)
    second = entry(b"cls/x", tensor(64, [], 4)) + entry(b"y", tensor(100, [0, 5], 0), shared=4)
    blocks = b"".join(struct.pack("<H", len(block)) + block for block in (first, second))
    write("tensor_bundle", "built", b"\1\2" + blocks)
    write("tensor_bundle", "raw-index", b"\3\1" + struct.pack("<H", len(first)) + first + entry(b"z", varint(0) + varint(len(first) + 8)))


def observability_seeds():
    write("observability", "traceparent", b"\0" b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    settings = ["level=TIMESTAMPS", "rate=1", "count=-1", "triton,file=t.json", "triton,log-frequency=2", "mode=opentelemetry",
                "opentelemetry,url=http://[::1]:4318/v1/traces", "opentelemetry,resource=service.name=x",
                "opentelemetry,bsp_max_queue_size=2048", "opentelemetry,bsp_schedule_delay=5000"]
    write("observability", "config", b"\1" + "\n".join(settings).encode())
    write("observability", "log-json", b"\2\2\6a\"\nb\xffc" + b"inference failed: \xc3\xa9 \x1b[2J")
    write("observability", "log-default", b"\2\0\4a=b " + b"request answered\r\n")
    points = b"".join(struct.pack("<BH", point, 100 + point) for point in range(12))
    write("observability", "trace", b"\3\1m\0" + struct.pack("<H", 4) + b'i"\n\xff' + b"\3bad" + b"\2IN" + b'\5"a",1' + points)


def client_hello(version):
    context, incoming, outgoing = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.MemoryBIO(), ssl.MemoryBIO()
    context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="h").do_handshake()
    except ssl.SSLWantReadError:
        pass  # the server does not answer
    return outgoing.read()


def security_seeds():
    write("security", "hello", b"\0\1" + client_hello(ssl.TLSVersion.TLSv1_3))
    write("security", "handshake", b"\1\0" + client_hello(ssl.TLSVersion.TLSv1_3))
    write("security", "handshake-1.2", b"\1" + CUTS + client_hello(ssl.TLSVersion.TLSv1_2))
    write("security", "text", b"\1\0GET / HTTP/1.1\r\n\r\n")
    write("security", "tokens", b"\2\0# ours\n0123456789abcdef\n\nAZaz09-._~+/AZaz==\n")
    write("security", "rule", b"\3\0health, metadata:public")
    write("security", "rule-file", b"\3\0all:/a/file")


def record_seeds():
    head = b'{"inferd_record":1,"server":"inferd 0.1.0","started":"2026-01-02T03:04:05.000000006Z","bodies":true}\n'
    full = (
        b'{"at_ns":5,"protocol":"v2-grpc","model":"m","version":"2","id":"i","priority":7,"timeout_us":9,'
        b'"sequence":{"id":9,"start":true},"parameters":{"b":true,"i":-1,"u":1,"d":2.5,"s":"x"},'
        b'"outputs":[{"name":"X","classification":3},{"name":"Y","shared":true}],'
        b'"inputs":[{"name":"A","datatype":"UINT8","shape":[2,2],"size":4,"b64":"AP8KIg=="},'
        b'{"name":"B","datatype":"FP32","shape":[],"size":4,"shared":true}]}\n'
    )
    small = b'{"at_ns":1,"protocol":"v1-http","model":"m","sequence":{"id":"s","end":true},"inputs":[]}\n'
    end = b'{"end":"stopped","records":2,"dropped":0,"failed":0}\n'
    cut = struct.pack("<H", len(head) + 30)
    write("record", "whole", cut + head + full + small + end)
    write("record", "open", cut + head + small + full)
    write("record", "odd-numbers", cut + head + small.replace(b'"sequence":{"id":"s","end":true}', b'"parameters":{"n":NaN,"i":-Infinity,"z":-0.0}'))


def main():
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        models.build(repository)
        many = "model_transaction_policy { decoupled: true }\n" + models.parameter("responses", "2") + models.parameter("separate_final", "true")
        models.add(repository, "many", models.BATCHED + models.pair("INT32", "-1") + many)
        server = Server(repository)
        http, grpc_recorder = Recorder(server.http), Recorder(server.grpc)
        try:
            http_traffic(http.port)
            grpc_traffic(grpc_recorder.port)
            v1_seeds(server)
            stream_seeds(server)
        finally:
            server.stop()
        http_seeds(http.connections)
        grpc_seeds(grpc_recorder.connections)
        hpack_seeds(grpc_recorder.connections)
        config_seeds(repository)
    protobuf_seeds()
    api_seeds()
    text_seeds()
    safetensors_seeds()
    bundle_seeds()
    observability_seeds()
    security_seeds()
    record_seeds()


if __name__ == "__main__":
    main()
