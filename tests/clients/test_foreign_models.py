"""Models that others made are served, and answer as the framework that made them does: within 1e-4, over both protocols.

The models and the answers are committed (tests/fixtures/foreign); none of the frameworks is needed here.
"""

import json
import os

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from serving import ROOT, Server

FOREIGN = ROOT / "tests/fixtures/foreign"
MODELS = sorted(path.stem for path in (FOREIGN / "cases").glob("*.json"))
NUMPY = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64, "BOOL": np.bool_}
ENGINE = "OpenVINO 20"
# What a sanitizer says, in spite of allocator_may_return_null, when the engine asks for a folder's size as a file.
ABSURD_ALLOCATION = "Sanitizer failed to allocate 0x8000000000000000 bytes"


class QuietServer(Server):
    @property
    def log(self):
        return "\n".join(line for line in super().log.split("\n") if ABSURD_ALLOCATION not in line)


@pytest.fixture(scope="module")
def foreign():
    environment = {
        "TBB_ENABLE_SANITIZERS": "1",
        **{name: os.environ.get(name, "") + ":allocator_may_return_null=1" for name in ("ASAN_OPTIONS", "TSAN_OPTIONS")},
    }
    running = QuietServer(FOREIGN / "repository", environment=environment)
    yield running
    running.stop()


@pytest.fixture(scope="module", params=["http", "grpc"])
def client(request, foreign):
    library = {"http": tritonclient.http, "grpc": tritonclient.grpc}[request.param]
    url = {"http": foreign.http_url, "grpc": foreign.grpc_url}[request.param]
    with library.InferenceServerClient(url) as connection:
        connection.library = library
        yield connection


def cases(model):
    return json.loads((FOREIGN / "cases" / f"{model}.json").read_text())["cases"]


def array(tensor):
    kind = NUMPY.get(tensor["datatype"], tensor["datatype"].lower())
    return np.array(tensor["data"], kind).reshape(tensor["shape"])


def inputs_of(client, model, case):
    """The recipe's unique_ids are one number a row for clients, and a plain vector for the model."""
    result = []
    for tensor in case["inputs"]:
        values = array(tensor)
        if tensor["name"] == "unique_ids":
            values = values.reshape(-1, 1)
        entry = client.library.InferInput(tensor["name"], list(values.shape), tensor["datatype"])
        entry.set_data_from_numpy(values)
        result.append(entry)
    return result


def assert_answers(result, case):
    for tensor in case["outputs"]:
        got, expected = result.as_numpy(tensor["name"]), array(tensor)
        assert got.shape == expected.shape and got.dtype == expected.dtype, tensor["name"]
        if got.dtype.kind == "f":
            assert np.abs(got - expected).max(initial=0) < 1e-4, tensor["name"]
        else:
            assert np.array_equal(got, expected), tensor["name"]


def test_the_fixtures_are_all_there():
    assert len(MODELS) == 9
    assert MODELS == sorted(path.name for path in (FOREIGN / "repository").iterdir())


@pytest.mark.parametrize("model", MODELS)
def test_answers_of_the_framework(client, model):
    for case in cases(model):
        assert_answers(client.infer(model, inputs_of(client, model, case)), case)


@pytest.mark.parametrize("model", MODELS)
def test_the_log_says_which_engine_runs(foreign, model):
    line = foreign.wait_for(rf"loaded '{model}' version 1: .*").group(0)
    assert ENGINE in line and ", CPU: fp32, " in line


def test_unique_ids_may_be_left_out(client):
    for case in cases("tf_bert_frozen"):
        inputs = [entry for entry in inputs_of(client, "tf_bert_frozen", case) if entry.name() != "unique_ids"]
        assert_answers(client.infer("tf_bert_frozen", inputs), case)


def test_configs_are_completed_from_the_files(foreign):
    with tritonclient.http.InferenceServerClient(foreign.http_url) as client:
        bert = client.get_model_config("torch_bert_dynamo")
        cnn = client.get_model_config("torch_cnn")
        metadata = client.get_model_metadata("torch_mlp")
    assert bert["max_batch_size"] == 8 and bert["backend"] == "onnxruntime"
    assert {row["name"]: (row["data_type"], row["dims"]) for row in bert["input"]} == {
        name: ("TYPE_INT64", [-1]) for name in ("input_ids", "attention_mask", "token_type_ids")
    }
    assert cnn["max_batch_size"] == 0 and cnn["input"][0]["dims"] == [1, 3, 12, 12]
    assert metadata["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 8]}]
    assert metadata["outputs"] == [{"name": "scores", "datatype": "FP32", "shape": [-1, 3]}]


def test_batched_requests_get_their_own_answers(foreign):
    """Many requests in flight to a model with dynamic batching, of several lengths: each must get what it asked for."""
    all_cases = cases("torch_bert")
    with tritonclient.http.InferenceServerClient(foreign.http_url, concurrency=8) as client:
        client.library = tritonclient.http
        waiting = [(case, client.async_infer("torch_bert", inputs_of(client, "torch_bert", case)))
                   for _ in range(20) for case in all_cases]
        for case, request in waiting:
            assert_answers(request.get_result(), case)


def test_lengths_that_do_not_fit_are_refused_and_spoil_nothing(client):
    case = cases("torch_bert")[1]
    for length in (23, 25, 40):
        inputs = inputs_of(client, "torch_bert", case)
        other = client.library.InferInput("attention_mask", [3, length], "INT64")
        other.set_data_from_numpy(np.ones((3, length), np.int64))
        inputs[1] = other
        with pytest.raises(tritonclient.utils.InferenceServerException) as refused:
            client.infer("torch_bert", inputs)
        assert f"attention_mask [3,{length}]" in str(refused.value)
        assert refused.value.status() in ("400", "StatusCode.INVALID_ARGUMENT")
        assert_answers(client.infer("torch_bert", inputs_of(client, "torch_bert", case)), case)
