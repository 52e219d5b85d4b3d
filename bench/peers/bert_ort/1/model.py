"""Runs model.onnx with ONNX Runtime for Triton's python backend: one session, a batch of all requests given."""
import json
import os

import numpy
import onnxruntime
import triton_python_backend_utils as backend

INPUTS = ["segment_ids", "input_ids", "input_mask"]
OUTPUTS = ["end_logits", "start_logits"]


class TritonPythonModel:
    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        parameters = json.loads(args["model_config"]).get("parameters", {})
        options.intra_op_num_threads = int(parameters["threads"]["string_value"])
        model = os.path.join(args["model_repository"], args["model_version"], "model.onnx")
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def execute(self, requests):
        inputs = {
            name: numpy.concatenate([backend.get_input_tensor_by_name(r, name).as_numpy() for r in requests])
            for name in INPUTS
        }
        outputs = self.session.run(OUTPUTS, inputs)
        responses, row = [], 0
        for request in requests:
            rows = backend.get_input_tensor_by_name(request, INPUTS[0]).as_numpy().shape[0]
            tensors = [backend.Tensor(n, numpy.ascontiguousarray(o[row : row + rows])) for n, o in zip(OUTPUTS, outputs)]
            responses.append(backend.InferenceResponse(tensors))
            row += rows
        return responses
