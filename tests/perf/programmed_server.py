#!/usr/bin/env python3
"""A server whose latencies are known: it answers each inference after a delay from a list, and may stall once.

    programmed_server.py --delays-ms 10,20,400 [--stall-after N --stall-ms 1000] --log FILE

KServe v2 over HTTP/1.1 and gRPC, with one model `m` (IN FP32 [1] -> OUT FP32 [1]). The n-th inference that arrives, over either, gets
the n-th delay of the list, which begins anew at its end. A stall begins with the arrival of inference N: as in a process that is stopped,
no delay goes on for so long, neither of those that wait nor of those that come meanwhile.

The first line of its output names both ports. SIGTERM ends it; then FILE holds, for each inference in order of arrival, a line of JSON:
when it arrived, when it was due and when it was answered (CLOCK_MONOTONIC, ns), so that what a load generator says can be held against
what happened. One thread does it all, so that requests do not wait for each other's turn longer than it takes to read them."""

import argparse
import asyncio
import json
import signal
import struct
import time

import h2.config
import h2.connection
import h2.events
from google.protobuf import json_format
from tritonclient.grpc import service_pb2 as pb

NS_PER_MS = 1_000_000
MODEL, INPUT, OUTPUT = "m", "IN", "OUT"
SERVER_METADATA = {"name": "programmed", "version": "1", "extensions": []}
MODEL_METADATA = {
    "name": MODEL, "versions": ["1"], "platform": "none",
    "inputs": [{"name": INPUT, "datatype": "FP32", "shape": [1]}], "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [1]}],
}  # fmt: skip
MODEL_CONFIG = {
    "name": MODEL, "platform": "none", "backend": "none", "max_batch_size": 0,
    "input": [{"name": INPUT, "data_type": "TYPE_FP32", "dims": [1]}], "output": [{"name": OUTPUT, "data_type": "TYPE_FP32", "dims": [1]}],
}  # fmt: skip
ANSWER = {
    "model_name": MODEL, "model_version": "1",
    "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [1], "parameters": {"binary_data_size": 4}}],
}  # fmt: skip


class Program:
    """What is to happen, and what has happened."""

    def __init__(self, delays_ms, stall_after=None, stall_ms=0):
        self.delays_ns = [round(delay * NS_PER_MS) for delay in delays_ms]
        self.stall_after, self.stall_ns = stall_after, round(stall_ms * NS_PER_MS)
        self.stall_end = 0
        self.inferences = []

    def answer_later(self, now, answer):
        """An inference has arrived at that time; `answer` is called when it is due."""
        number = len(self.inferences)
        inference = {"arrived": now, "due": now + self.delays_ns[number % len(self.delays_ns)], "answered": None}
        self.inferences.append(inference)
        if number == self.stall_after:
            self._stall(now)
        elif now < self.stall_end:
            inference["due"] += self.stall_end - now
        self._when_due(inference, answer)

    def _stall(self, now):
        self.stall_end = now + self.stall_ns
        for inference in self.inferences:
            if inference["due"] > now:
                inference["due"] += self.stall_ns

    def _when_due(self, inference, answer):
        """A stall may have put it off meanwhile."""
        left = inference["due"] - time.monotonic_ns()
        if left > 0:
            asyncio.get_running_loop().call_later(left / 1e9, self._when_due, inference, answer)
            return
        answer()
        inference["answered"] = time.monotonic_ns()


class Http(asyncio.Protocol):
    """One connection of HTTP/1.1."""

    def __init__(self, program):
        self.program, self.buffered = program, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        now = time.monotonic_ns()
        self.buffered += data
        while b"\r\n\r\n" in self.buffered:
            head, _, rest = self.buffered.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            length = next((int(line.split(":")[1]) for line in lines[1:] if line.lower().startswith("content-length:")), 0)
            if len(rest) < length:
                return
            self.buffered = rest[length:]
            self._take(lines[0].split(" ")[1], now)

    def _take(self, path, now):
        if path.endswith("/infer"):
            self.program.answer_later(now, self._answer_inference)
        elif path == "/v2":
            self._answer(SERVER_METADATA)
        elif path in (f"/v2/models/{MODEL}", f"/v2/models/{MODEL}/versions/1"):
            self._answer(MODEL_METADATA)
        elif path.endswith("/config"):
            self._answer(MODEL_CONFIG)
        elif path.endswith(("/ready", "/live")):
            self._answer({})
        else:
            self._answer({"error": f"no {path}"}, status="404 Not Found")

    def _answer(self, body, status="200 OK", more="", data=b""):
        text = json.dumps(body).encode()
        self.transport.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(text) + len(data)}\r\n{more}\r\n".encode() + text + data)

    def _answer_inference(self):
        self._answer(ANSWER, more=f"Inference-Header-Content-Length: {len(json.dumps(ANSWER))}\r\n", data=bytes(4))


def grpc_answers():
    """The message that each method answers with."""
    infer = pb.ModelInferResponse(model_name=MODEL, model_version="1", raw_output_contents=[bytes(4)])
    infer.outputs.add(name=OUTPUT, datatype="FP32", shape=[1])
    answers = {
        "ServerLive": pb.ServerLiveResponse(live=True),
        "ServerReady": pb.ServerReadyResponse(ready=True),
        "ModelReady": pb.ModelReadyResponse(ready=True),
        "ServerMetadata": json_format.ParseDict(SERVER_METADATA, pb.ServerMetadataResponse()),
        "ModelMetadata": json_format.ParseDict(MODEL_METADATA, pb.ModelMetadataResponse()),
        "ModelConfig": json_format.ParseDict({"config": MODEL_CONFIG}, pb.ModelConfigResponse()),
        "ModelInfer": infer,
    }
    return {method: message.SerializeToString() for method, message in answers.items()}


class Grpc(asyncio.Protocol):
    """One connection of gRPC. What is sent and received is far smaller than any window of HTTP/2."""

    def __init__(self, program, answers):
        self.program, self.answers = program, answers
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.methods = {}

    def connection_made(self, transport):
        self.transport = transport
        self.h2.initiate_connection()
        transport.write(self.h2.data_to_send())

    def data_received(self, data):
        now = time.monotonic_ns()
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                self.methods[event.stream_id] = dict(event.headers)[":path"].rpartition("/")[2]
            elif isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self._take(event.stream_id, self.methods.pop(event.stream_id), now)
        self.transport.write(self.h2.data_to_send())

    def _take(self, stream, method, now):
        if method == "ModelInfer":
            self.program.answer_later(now, lambda: self._answer(stream, method))
        else:
            self._answer(stream, method)

    def _answer(self, stream, method):
        answer = self.answers.get(method)
        head = [(":status", "200"), ("content-type", "application/grpc")]
        if answer is None:
            self.h2.send_headers(stream, [*head, ("grpc-status", "12")], end_stream=True)
        else:
            self.h2.send_headers(stream, head)
            self.h2.send_data(stream, struct.pack(">BI", 0, len(answer)) + answer)
            self.h2.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        self.transport.write(self.h2.data_to_send())


async def serve(program):
    """Until SIGTERM."""
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    answers = grpc_answers()
    http = await loop.create_server(lambda: Http(program), "127.0.0.1", 0, backlog=1024)
    grpc = await loop.create_server(lambda: Grpc(program, answers), "127.0.0.1", 0, backlog=1024)
    print(f"HTTP {http.sockets[0].getsockname()[1]} gRPC {grpc.sockets[0].getsockname()[1]}", flush=True)
    await end.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--delays-ms", required=True)
    parser.add_argument("--stall-after", type=int)
    parser.add_argument("--stall-ms", type=float, default=0)
    parser.add_argument("--log", required=True)
    arguments = parser.parse_args()
    program = Program([float(delay) for delay in arguments.delays_ms.split(",")], arguments.stall_after, arguments.stall_ms)
    asyncio.run(serve(program))
    with open(arguments.log, "w") as file:
        for inference in program.inferences:
            print(json.dumps(inference), file=file)


if __name__ == "__main__":
    main()
