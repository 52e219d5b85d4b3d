"""What the tests do with kserve's client. Runs in a process of its own: kserve's protobuf messages have the names of tritonclient's, and
one process cannot know both. Nothing but plain values, arrays and Python's own exceptions goes in and out."""

import asyncio
import logging

import grpc
import httpx
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput

logging.disable(logging.CRITICAL)  # the client logs the errors that it raises


def client_of(protocol, url, authority):
    """The client, and the arguments that its calls begin with. `authority`: a file with whom to trust; None: without TLS."""
    if protocol == "grpc":
        return InferenceGRPCClient(url, use_ssl=bool(authority), root_certificates=authority), []
    config = RESTConfig(protocol="v2", retries=0, http2=protocol == "http2", verify=authority or True)
    return InferenceRESTClient(config), [f"{'https' if authority else 'http'}://{url}"]


def call(protocol, url, method, *arguments, authority=None):
    """One call; its answer. What the client raises is a RuntimeError of the status and the text here."""

    async def talk():
        client, first = client_of(protocol, url, authority)
        async with client:
            return await getattr(client, method)(*first, *arguments)

    try:
        return asyncio.run(talk())
    except httpx.HTTPStatusError as error:
        raise RuntimeError(str(error.response.status_code), str(error)) from None
    except grpc.RpcError as error:
        raise RuntimeError(error.code().name, error.details()) from None


def infer(protocol, url, model, arrays, binary=True, outputs=None, authority=None, **more):
    """Sends arrays, {name: (datatype, array)}; (id, {name: array}) of the answer. `outputs`: {name: parameters}."""
    inputs = []
    for name, (datatype, array) in arrays.items():
        inputs.append(InferInput(name, list(array.shape), datatype))
        inputs[-1].set_data_from_numpy(array, binary_data=binary)
    wanted = [RequestedOutput(name, parameters) for name, parameters in (outputs or {}).items()]
    request = InferRequest(model, inputs, request_outputs=wanted or None, **more)
    arguments = [request] if protocol == "grpc" else [request, model]
    answer = call(protocol, url, "infer", *arguments, authority=authority)
    return answer.id, {output.name: output.as_numpy() for output in answer.outputs}
