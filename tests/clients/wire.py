"""Talking to the server without a client library: HTTP by http.client or bare sockets, gRPC by serialized messages."""

import http.client
import json
import socket
import struct

import grpc
import h2.config
import h2.connection
import h2.events
import h2.settings
from tritonclient.grpc import service_pb2 as pb

SERVICE = "/inference.GRPCInferenceService/"


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The text of an error answer, which always has this form."""
        assert self.headers.get("content-type") == "application/json", (self.status, self.headers, self.body)
        assert list(self.json) == ["error"], self.body
        return self.json["error"]


def request(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Response(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def get(port, path, **headers):
    return request(port, "GET", path, headers=headers)


def post_infer(port, model, body, headers=None, version=None):
    """Sends an inference; a dict goes as JSON."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    path = f"/v2/models/{model}" + (f"/versions/{version}" if version is not None else "") + "/infer"
    return request(port, "POST", path, body, headers)


def infer_input(data, shape=None, datatype="INT32", name="IN", **more):
    return {"name": name, "shape": shape if shape is not None else [1, len(data)], "datatype": datatype, "data": data, **more}


def good_inference(port):
    """The check that the server is still alive and well."""
    assert get(port, "/v2/health/live").status == 200
    answer = post_infer(port, "id_int32", {"inputs": [infer_input([1, -2, 3])]})
    assert answer.status == 200, answer.body
    assert answer.json["outputs"][0]["data"] == [1, -2, 3]


class Socket:
    """A bare connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def abort(self):
        """Closes with a reset, as a killed client's machine does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def read_to_end(self):
        """Everything until the server closes; a reset counts as closing."""
        data = b""
        try:
            while chunk := self.socket.recv(65536):
                data += chunk
        except ConnectionResetError:
            pass
        return data

    def read_response(self, method="GET"):
        """One HTTP/1.1 response with its framing undone."""
        answer = http.client.HTTPResponse(self.socket, method=method)
        answer.begin()
        return Response(answer.status, answer.getheaders(), answer.read())


def exchange(port, data):
    """Sends bytes on a connection of their own; the response to them."""
    with Socket(port) as connection:
        connection.send(data)
        return connection.read_response()


class Http2(Socket):
    """An HTTP/2 connection, driven step by step."""

    def __init__(self, port):
        super().__init__(port)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False))
        self.h2.initiate_connection()
        self.streams = {}
        self.flush()

    def flush(self):
        self.send(self.h2.data_to_send())

    def begin(self, method, path, headers=(), end=False):
        """Opens a stream; its number."""
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "h"), *headers]
        self.streams[stream] = {"fields": {}, "trailers": {}, "body": b"", "ended": False, "reset": None}
        self.h2.send_headers(stream, head, end_stream=end)
        self.flush()
        return stream

    def data(self, stream, data, end=True):
        """Sends data in frames as the server's windows allow; False when it has closed."""
        while True:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room or not data:
                part, data = data[:room], data[room:]
                self.h2.send_data(stream, part, end_stream=end and not data)
                self.flush()
                if not data:
                    return True
            elif not self.receive():
                return False

    def receive(self):
        """Takes what the server sends; False when it has closed."""
        data = self.socket.recv(65536)
        for event in self.h2.receive_data(data) if data else []:
            stream = self.streams.get(getattr(event, "stream_id", None))
            if isinstance(event, h2.events.ResponseReceived):
                stream["fields"] = dict(event.headers)
            elif isinstance(event, h2.events.TrailersReceived):
                stream["trailers"] = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                stream["body"] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                stream["ended"] = True
            elif isinstance(event, h2.events.StreamReset) and stream:
                stream["reset"] = event.error_code
        self.flush()
        return bool(data)

    def answer(self, stream):
        """Waits until the stream has ended; its state."""
        state = self.streams[stream]
        while not state["ended"] and state["reset"] is None and self.receive():
            pass
        return state


def grpc_channel(port):
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    return grpc.insecure_channel(f"127.0.0.1:{port}", options=options)


def grpc_call(port, method, message, **more):
    """A unary call with a message or raw bytes; the raw answer. Raises grpc.RpcError."""
    path = method if method.startswith("/") else SERVICE + method
    data = message if isinstance(message, bytes) else message.SerializeToString()
    with grpc_channel(port) as channel:
        return channel.unary_unary(path)(data, timeout=more.pop("timeout", 60), **more)


def grpc_infer(port, message, **more):
    return pb.ModelInferResponse.FromString(grpc_call(port, "ModelInfer", message, **more))


def grpc_error(port, method, message, **more):
    """The status code and text of a call that must fail."""
    try:
        answer = grpc_call(port, method, message, **more)
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError(f"{method} succeeded: {answer!r}")


def infer_message(model, *inputs, **more):
    """A ModelInferRequest; each input is (name, datatype, shape, raw bytes or None)."""
    message = pb.ModelInferRequest(model_name=model, **more)
    for name, datatype, shape, raw in inputs:
        message.inputs.add(name=name, datatype=datatype, shape=shape)
        if raw is not None:
            message.raw_input_contents.append(raw)
    return message
