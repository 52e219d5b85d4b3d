"""Logits through the server equal those of the reference (golden.safetensors: 64 windows) within 1e-3."""
import json
import struct

import numpy
import pytest
import tritonclient.grpc

from test_scores import ROOT, server  # noqa: F401  (fixture)

GOLDEN = ROOT.parent / "shared/models/golden.safetensors"


def read_safetensors(path):
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    types = {"I32": numpy.int32, "F32": numpy.float32}
    return {name: numpy.frombuffer(raw[8 + length:][slice(*row["data_offsets"])], types[row["dtype"]]).reshape(row["shape"])
            for name, row in header.items() if name != "__metadata__"}


@pytest.mark.skipif(not GOLDEN.exists(), reason="the reference logits are not beside the checkout")
@pytest.mark.parametrize("form", ["onnx", "savedmodel", "bert"])
def test_logits_equal_the_reference(server, form):  # noqa: F811
    golden = read_safetensors(GOLDEN)
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server['grpc']}")
    worst = 0.0
    for begin, end in zip(golden["offsets"], golden["offsets"][1:]):
        tensors = {"input_ids": golden["input_ids"][begin:end], "segment_ids": golden["segment_ids"][begin:end],
                   "input_mask": numpy.ones(end - begin, numpy.int32)}
        inputs = []
        for name, values in tensors.items():
            tensor = tritonclient.grpc.InferInput(name, [1, end - begin], "INT32")
            tensor.set_data_from_numpy(values.reshape(1, -1))
            inputs.append(tensor)
        result = client.infer(f"{form}-0", inputs)
        for name in ("start_logits", "end_logits"):
            got = result.as_numpy(name)
            assert got.shape == (1, end - begin)
            worst = max(worst, float(numpy.abs(got[0] - golden[name][begin:end]).max()))
    assert len(golden["offsets"]) == 65
    assert worst < 1e-3
