"""Loading and unloading models: a server that does what clients tell it, and both protocols behind one face."""

import base64
import json

import grpc
import models
from models import BATCHED, pair
from tritonclient.grpc import service_pb2 as pb
from wire import grpc_call, post_infer, request

EXPLICIT = "--model-control-mode=explicit"
CONFIG = BATCHED + pair("INT32", "-1")

# HTTP status and gRPC code of each kind of error.
KINDS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    500: grpc.StatusCode.INTERNAL,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


def config_json(**more):
    """What CONFIG says, as a load brings it."""
    tensor = {"data_type": "TYPE_INT32", "dims": [-1]}
    config = {"backend": "identity", "max_batch_size": 8, "input": [{"name": "IN", **tensor}], "output": [{"name": "OUT", **tensor}]}
    return json.dumps({**config, **more})


class Failure(Exception):
    """A call that was refused; `status` is HTTP's, for gRPC translated back."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


def refused(status, *parts):
    """Expects a call to fail so."""

    class Expectation:
        def __enter__(self):
            return self

        def __exit__(self, kind, error, trace):
            assert kind is Failure, f"expected {status}, got {error!r}"
            assert error.status == status, error
            for part in parts:
                assert part in error.text, error
            return True

    return Expectation()


class Http:
    """The calls over HTTP."""

    def __init__(self, server):
        self.server = server

    def post(self, path, body):
        answer = request(self.server.http, "POST", path, body)
        if answer.status != 200:
            raise Failure(answer.status, answer.error)
        return answer

    def load(self, model, config=None, files=None):
        parameters = {"config": config} if config is not None else {}
        parameters.update({"file:" + path: base64.b64encode(content).decode() for path, content in (files or {}).items()})
        answer = self.post(f"/v2/repository/models/{model}/load", json.dumps({"parameters": parameters} if parameters else {}))
        assert answer.body == b""

    def unload(self, model):
        assert self.post(f"/v2/repository/models/{model}/unload", b"").body == b""

    def index(self, ready=False):
        rows = self.post("/v2/repository/index", b'{"ready":true}' if ready else b"").json
        return [tuple(row.get(member, "") for member in ("name", "version", "state", "reason")) for row in rows]


class Grpc:
    """The same over gRPC."""

    def __init__(self, server):
        self.server = server

    def call(self, method, message):
        try:
            return grpc_call(self.server.grpc, method, message)
        except grpc.RpcError as error:
            status = [number for number, code in KINDS.items() if code == error.code()]
            raise Failure(status[0] if status else error.code(), error.details()) from None

    def load(self, model, config=None, files=None):
        message = pb.RepositoryModelLoadRequest(model_name=model)
        if config is not None:
            message.parameters["config"].string_param = config
        for path, content in (files or {}).items():
            message.parameters["file:" + path].bytes_param = content
        assert self.call("RepositoryModelLoad", message) == b""

    def unload(self, model):
        assert self.call("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name=model)) == b""

    def index(self, ready=False):
        answer = pb.RepositoryIndexResponse.FromString(self.call("RepositoryIndex", pb.RepositoryIndexRequest(ready=ready)))
        return [(row.name, row.version, row.state, row.reason) for row in answer.models]


def infer(server, model, *numbers):
    """The answer to an inference, and what came back: the numbers, or the text of the error."""
    answer = post_infer(server.http, model, {"inputs": [{"name": "IN", "shape": [1, len(numbers)], "datatype": "INT32", "data": list(numbers)}]})
    return answer.status, answer.json["outputs"][0]["data"] if answer.status == 200 else answer.error


def rows_of(calls, model):
    """The model's rows of the index, without its name."""
    return [row[1:] for row in calls.index() if row[0] == model]


def add(repository, name, more="", **kind):
    models.add(repository, name, CONFIG + more, **kind)
