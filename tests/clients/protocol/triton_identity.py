"""The model.py of the tests' models when the real Triton serves them: what inferd's identity backend does, with the same config
parameters, inside Triton's Python backend. Triton runs this file; the tests only copy it."""

import json
import time

import triton_python_backend_utils as pb

NAP_S = 0.002


class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        if "fail_load" in parameters:
            raise pb.TritonModelException(parameters["fail_load"])
        self.pairs = [(i["name"], o["name"]) for i, o in zip(config["input"], config["output"])]
        self.delay_s = float(parameters.get("execute_delay_ms", 0)) / 1000
        self.failing = "fail_executions" in parameters

    def execute(self, requests):
        end = time.monotonic() + self.delay_s
        while time.monotonic() < end and not all(request.is_cancelled() for request in requests):
            time.sleep(min(NAP_S, max(0, end - time.monotonic())))
        if self.failing:
            raise pb.TritonModelException("fail_executions: this execution fails")
        return [self.answer(request) for request in requests]

    def answer(self, request):
        inputs = {tensor.name(): tensor for tensor in request.inputs()}
        wanted = request.requested_output_names()
        return pb.InferenceResponse([copy(out, inputs[name]) for name, out in self.pairs if name in inputs and out in wanted])


def copy(name, tensor):
    """By DLPack where numpy has no such type (BF16); by numpy where DLPack has none (BYTES, BOOL)."""
    try:
        return pb.Tensor(name, tensor.as_numpy())
    except pb.TritonModelException:
        return pb.Tensor.from_dlpack(name, tensor.to_dlpack())
