"""The requests that wrk and h2load send: as the real clients make them, recorded into files."""

import json

import numpy as np
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client

from servers import INPUT_REGION, MODEL, OUTPUT_REGION


class Body:
    def __init__(self, path, content, headers):
        path.write_bytes(content)
        self.path, self.headers = path, headers


def tensor(size):
    return np.arange(size // 4, dtype=np.float32).reshape(1, -1)


def http_binary(folder, size):
    infer_input = http_client.InferInput("INPUT0", [1, size // 4], "FP32")
    infer_input.set_data_from_numpy(tensor(size))
    content, json_size = http_client.InferenceServerClient.generate_request_body([infer_input])
    return Body(folder / f"http-{size}.bin", content,
                {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(json_size)})


def http_json(folder, size):
    values = tensor(size)
    request = {"inputs": [{"name": "INPUT0", "shape": list(values.shape), "datatype": "FP32", "data": values[0].tolist()}]}
    return Body(folder / f"http-{size}.json", json.dumps(request).encode(), {"Content-Type": "application/json"})


def shared_infer_input(client, size):
    infer_input = client.InferInput("INPUT0", [1, size // 4], "FP32")
    infer_input.set_shared_memory(INPUT_REGION, size)
    return infer_input


def shared_output(client, size):
    output = client.InferRequestedOutput("OUTPUT0")
    output.set_shared_memory(OUTPUT_REGION, size)
    return output


def http_shared(folder, size):
    content, _ = http_client.InferenceServerClient.generate_request_body(
        [shared_infer_input(http_client, size)], outputs=[shared_output(http_client, size)])
    return Body(folder / f"http-shared-{size}.json", content, {"Content-Type": "application/json"})


def grpc(folder, size):
    request = grpc_client.service_pb2.ModelInferRequest(model_name=MODEL)
    request.inputs.add(name="INPUT0", datatype="FP32", shape=[1, size // 4])
    request.raw_input_contents.append(tensor(size).tobytes())
    return grpc_body(folder / f"grpc-{size}.bin", request)


def grpc_shared(folder, size):
    request = grpc_client.service_pb2.ModelInferRequest(model_name=MODEL)
    request.inputs.append(shared_infer_input(grpc_client, size)._get_tensor())
    request.outputs.append(shared_output(grpc_client, size)._get_tensor())
    return grpc_body(folder / f"grpc-shared-{size}.bin", request)


def grpc_body(path, request):
    message = request.SerializeToString()
    return Body(path, b"\0" + len(message).to_bytes(4, "big") + message,
                {"content-type": "application/grpc", "te": "trailers", "user-agent": "grpc-c++/1.51.1",
                 "grpc-accept-encoding": "identity, deflate, gzip"})
