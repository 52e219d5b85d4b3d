"""serve --record: what the file holds of inferences over TRTIS v1."""

import models
import numpy as np
import pytest
from cases import case
from old_client import CLASS, RAW, SEQUENCE_START, InferContext, ProtocolType
from recording import Recording, data_of, without


@case("VC01", "v1 HTTP, v1 gRPC, v1 gRPC stream", "an inference of a batch of a sequence", "a line with its protocol, tensors and outputs")
@pytest.mark.parametrize("protocol", ["v1-http", "v1-grpc", "v1-stream"])
def test_record(start, tmp_path, protocol):
    repository, path = tmp_path / "models", tmp_path / "record"
    models.add(repository, "pair", models.BATCHED + models.tensor("input", "A", "INT32", "-1") + models.tensor("input", "B", "FP32", "2") +
               models.tensor("output", "X", "INT32", "-1") + models.tensor("output", "Y", "FP32", "2"))
    server = start(repository, f"--record={path}", "--record-bodies")
    url, wire = (server.http_url, ProtocolType.HTTP) if protocol == "v1-http" else (server.grpc_url, ProtocolType.GRPC)
    context = InferContext(url, wire, "pair", 1, streaming=protocol == "v1-stream", correlation_id=5)
    batch = {"A": [np.array([1], np.int32), np.array([2], np.int32)], "B": [np.array([1, 2], np.float32), np.array([3, 4], np.float32)]}
    context.run(batch, {"X": RAW, "Y": (CLASS, 2)}, 2, flags=SEQUENCE_START)
    context.close()
    server.stop()
    recording = Recording(path)
    (line,) = recording.records
    by_name = {tensor["name"]: tensor for tensor in line["inputs"]}
    assert without(line, "at_ns", "inputs", "outputs", "id") == {"protocol": protocol, "model": "pair", "version": "1", "sequence": {"id": 5, "start": True}}
    assert by_name["A"]["shape"] == [2, 1] and data_of(by_name["A"]) == np.array([1, 2], np.int32).tobytes()
    assert by_name["B"]["shape"] == [2, 2] and data_of(by_name["B"]) == np.array([1, 2, 3, 4], np.float32).tobytes()
    assert sorted(line["outputs"], key=lambda output: output["name"]) == [{"name": "X"}, {"name": "Y", "classification": 2}]
