"""The model.py of the tests' models when the real Triton serves them: what inferd's identity backend does, with the same config
parameters, inside Triton's Python backend. Triton runs this file; the tests only copy it."""

import json
import time

import triton_python_backend_utils as pb

NAP_S = 0.002


class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        self.parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        if "fail_load" in self.parameters:
            raise pb.TritonModelException(self.parameters["fail_load"])
        self.pairs = [(i["name"], o["name"]) for i, o in zip(config["input"], config["output"])]
        self.decoupled = config.get("model_transaction_policy", {}).get("decoupled", False)

    def execute(self, requests):
        wait(float(self.parameters.get("execute_delay_ms", 0)), requests)
        if "fail_executions" in self.parameters:
            raise pb.TritonModelException("fail_executions: this execution fails")
        if not self.decoupled:
            return [self.answer(request) for request in requests]
        for request in requests:
            self.stream(request)
        return None

    def answer(self, request):
        inputs = {tensor.name(): tensor for tensor in request.inputs()}
        wanted = request.requested_output_names()
        outputs = [copy(out, inputs[name]) for name, out in self.pairs if name in inputs and out in wanted]
        return pb.InferenceResponse(outputs)

    def stream(self, request):
        """Several responses, or none, as the parameters of the model and of the request say."""
        asked = {**self.parameters, **json.loads(request.parameters())}
        count, fail_after = int(asked.get("responses", 1)), int(asked.get("fail_after_responses", -1))
        separate = str(asked.get("separate_final", "false")).lower() == "true"
        sender = request.get_response_sender()
        for i in range(count):
            wait(float(asked.get("response_delay_ms", 0)), [request])
            if request.is_cancelled():
                break
            if i == fail_after:
                error = pb.TritonError("fail_after_responses: this response fails", pb.TritonError.INTERNAL)
                sender.send(pb.InferenceResponse(error=error), flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
                return
            if i == count - 1 and not separate:
                sender.send(self.answer(request), flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
                return
            sender.send(self.answer(request))
        sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)


def wait(delay_ms, requests):
    """Sleeps, unless all requests are cancelled meanwhile."""
    end = time.monotonic() + delay_ms / 1000
    while time.monotonic() < end and not all(request.is_cancelled() for request in requests):
        time.sleep(min(NAP_S, max(0, end - time.monotonic())))


def copy(name, tensor):
    """By DLPack where numpy has no such type (BF16); by numpy where DLPack has none (BYTES, BOOL)."""
    try:
        return pb.Tensor(name, tensor.as_numpy())
    except pb.TritonModelException:
        return pb.Tensor.from_dlpack(name, tensor.to_dlpack())
