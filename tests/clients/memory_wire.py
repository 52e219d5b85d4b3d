"""Requests that use shared memory, as a test writes them."""

import json

from serving import wait_until
from tritonclient.grpc import service_pb2 as pb
from wire import get, post_infer, request

SYSTEM = "/v2/systemsharedmemory"


def register(server, name, made, size=None, offset=0):
    body = json.dumps({"key": made.key, "offset": offset, "byte_size": made.size if size is None else size})
    answer = request(server.http, "POST", f"{SYSTEM}/region/{name}/register", body)
    assert (answer.status, answer.body) == (200, b"")


def status(server, name=None):
    answer = get(server.http, SYSTEM + (f"/region/{name}" if name else "") + "/status")
    assert answer.status == 200, answer.body
    return answer.json


def unregister_all(server):
    """Also waits for requests that tests have left behind."""
    request(server.http, "POST", SYSTEM + "/unregister")
    wait_until(lambda: status(server) == [])


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
