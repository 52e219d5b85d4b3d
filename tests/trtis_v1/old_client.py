"""The client library of TRTIS 1.11, made to run on today's Python: import what the tests use from here."""

import numpy as np

np.object, np.bool = object, bool  # names that numpy has dropped since

from tensorrtserver import api, shared_memory  # noqa: E402
from tensorrtserver.api import (  # noqa: E402
    InferContext,
    InferenceServerException,
    ModelControlContext,
    ModelRepositoryContext,
    ProtocolType,
    ServerHealthContext,
    ServerStatusContext,
    SharedMemoryControlContext,
    api_pb2,
    server_status_pb2,
)


def _take_any_buffer(message):
    """Protobuf in pure Python wants bytes where the library hands it a ctypes array."""
    parse = message.ParseFromString
    message.ParseFromString = lambda self, data: parse(self, memoryview(data).tobytes())


for _message in (server_status_pb2.ServerStatus, server_status_pb2.SharedMemoryStatus, server_status_pb2.ModelRepositoryIndex):
    _take_any_buffer(_message)

RAW, CLASS = InferContext.ResultFormat.RAW, InferContext.ResultFormat.CLASS
SEQUENCE_START = api_pb2.InferRequestHeader.FLAG_SEQUENCE_START
SEQUENCE_END = api_pb2.InferRequestHeader.FLAG_SEQUENCE_END


class Collector:
    """Gathers the results of async_run by the order in which the requests were made."""

    def __init__(self, context):
        import queue

        self.context, self.done, self.sent = context, queue.Queue(), 0

    def run(self, inputs, outputs, batch_size=1, **more):
        number = self.sent
        self.sent += 1
        self.context.async_run(lambda _, request: self.done.put((number, request)), inputs, outputs, batch_size, **more)

    def results(self):
        """Results, or the exception in the place of one, of everything that was sent."""
        found = [None] * self.sent
        for _ in range(self.sent):
            number, request = self.done.get(timeout=60)
            try:
                found[number] = self.context.get_async_run_results(request)
            except InferenceServerException as error:
                found[number] = error
        return found


__all__ = [name for name in dir() if not name.startswith("_")]
