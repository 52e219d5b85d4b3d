"""Backend bert through the server: requests of any lengths at once, padding that is not computed, ids that do not exist."""
import concurrent.futures
import json
import os
import pathlib
import shutil
import time

import numpy
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from cases import case
from serving import Server, run
from tritonclient.utils import InferenceServerException

CHECKPOINT = "tests/fixtures/hf_checkpoint"
PADDING = -10000


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A server with the small checkpoint in the precisions that every CPU has an exact answer for."""
    repository = tmp_path_factory.mktemp("bert")
    for precision in ("auto", "fp32", "bf16", "int8"):
        run("export", "--checkpoint", CHECKPOINT, "--model-repository", str(repository), "--model", precision, "--format", "bert",
            "--precision", precision, "--max-seq-length", "48", "--dynamic-batching-delay", "2" if precision == "int8" else "0")
    running = Server(repository)
    yield running
    running.stop()


def infer(client, module, model, ids, mask=None):
    inputs = []
    for name, values in (("input_ids", ids), ("input_mask", numpy.ones_like(ids) if mask is None else mask),
                         ("segment_ids", numpy.zeros_like(ids))):
        tensor = module.InferInput(name, list(values.shape), "INT32")
        tensor.set_data_from_numpy(values.astype(numpy.int32))
        inputs.append(tensor)
    result = client.infer(model, inputs)
    return result.as_numpy("start_logits"), result.as_numpy("end_logits")


def tokens(rows, length, seed=0):
    return numpy.random.default_rng(seed).integers(0, 64, (rows, length), numpy.int32)


@case("bert-1", "gRPC", "requests of 1 to 48 tokens and 1 to 8 rows, 16 at a time", "to each the bits that it gets alone")
@pytest.mark.parametrize("model", ["auto", "fp32", "bf16", "int8"])
def test_batch_mates_change_nothing(bert, model):
    requests = [tokens(1 + seed % 8, 1 + seed * 7 % 48, seed) for seed in range(64)]
    with grpcclient.InferenceServerClient(bert.grpc_url) as client:
        alone = [infer(client, grpcclient, model, ids) for ids in requests]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            together = list(pool.map(lambda ids: infer(client, grpcclient, model, ids), requests))
    for expected, got, ids in zip(alone, together, requests):
        for one, other in zip(expected, got):
            assert one.shape == ids.shape
            assert one.tobytes() == other.tobytes()


@case("bert-2", "HTTP", "rows padded to 48 tokens, the padding with ids that no vocabulary has",
      "the bits of the row without padding; -10000 for the padding")
def test_padding_is_not_computed(bert):
    ids, mask = tokens(3, 48), numpy.zeros((3, 48), numpy.int32)
    lengths = (5, 48, 17)
    for row, length in enumerate(lengths):
        mask[row, :length] = 1
        ids[row, length:] = 1 << 30
    with httpclient.InferenceServerClient(bert.http_url) as client:
        padded = infer(client, httpclient, "fp32", ids, mask)
        for row, length in enumerate(lengths):
            bare = infer(client, httpclient, "fp32", ids[row:row + 1, :length])
            for got, expected in zip(padded, bare):
                assert got[row, :length].tobytes() == expected[0].tobytes()
                assert (got[row, length:] == PADDING).all()


@case("bert-3", "gRPC", "a token id outside the vocabulary; a row longer than the model's positions; a mask of another shape",
      "INVALID_ARGUMENT that tells which; requests beside them are answered")
@pytest.mark.parametrize("break_it,reason", [
    (lambda ids: (numpy.where(ids == ids[0, 3], 64, ids), None), "expected a word of 0..63, got 64"),
    (lambda ids: (tokens(1, 49), None), "expected at most 48 tokens, got 49"),
    (lambda ids: (tokens(1, 1 << 20), None), "expected at most 48 tokens, got 1048576"),
    (lambda ids: (ids, numpy.ones((1, 7), numpy.int32)), "input 'input_mask': expected the shape"),
])
def test_wrong_requests(bert, break_it, reason):
    ids, mask = break_it(tokens(1, 12))
    with grpcclient.InferenceServerClient(bert.grpc_url) as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        good = [pool.submit(infer, client, grpcclient, "int8", tokens(1, 12, seed)) for seed in range(8)]
        with pytest.raises(InferenceServerException) as caught:
            infer(client, grpcclient, "int8", ids, mask)
        assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
        assert reason in caught.value.message()
        for call in good:
            assert call.result()[0].shape == (1, 12)


@case("bert-4", "HTTP", "a config that asks for plain C, AVX2 and so on (`instruction_set`), on the same questions",
      "the same logits within 1e-4, or a load that says what the CPU lacks")
def test_every_instruction_set(bert, tmp_path_factory):
    repository = tmp_path_factory.mktemp("isa")
    names = ("reference", "avx2", "avx512", "avx512_bf16")
    for name in names:
        run("export", "--checkpoint", CHECKPOINT, "--model-repository", str(repository), "--model", name, "--format", "bert",
            "--precision", "fp32", "--max-seq-length", "48")
        with open(repository / name / "config.pbtxt", "a") as config:
            config.write(f'parameters {{ key: "instruction_set" value {{ string_value: "{name}" }} }}\n')
    server = Server(repository)
    ids, compared = tokens(2, 33), 0
    with httpclient.InferenceServerClient(bert.http_url) as client:
        expected = infer(client, httpclient, "fp32", ids)
    with httpclient.InferenceServerClient(server.http_url) as client:
        for name in names:
            if not client.is_model_ready(name):
                assert f"this CPU has not the instructions '{name}'" in server.log
                continue
            compared += 1
            for got, one in zip(infer(client, httpclient, name, ids), expected):
                assert numpy.abs(got - one).max() < 1e-4
    assert compared >= 1
    server.stop()


@case("bert-5", "HTTP", "checkpoints that are cut short in place while they are loaded, sooner and later",
      "the model, or a refusal that says so; the server goes on, and loads the file once it is whole again")
def test_a_checkpoint_is_cut_while_it_loads(tmp_path):
    repository, kept = tmp_path / "models", tmp_path / "whole"
    run("export", "--checkpoint", "models/minilm-squad", "--model-repository", str(repository), "--model", "bert", "--format", "bert")
    weights = repository / "bert/1/model.safetensors"
    shutil.copyfile(weights, kept)
    server = Server(repository, "--model-control-mode=explicit")

    def load(_):
        with httpclient.InferenceServerClient(server.http_url) as client:
            try:
                client.load_model("bert")
            except InferenceServerException as error:
                return error.message()
            return ""

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for attempt in range(8):
            shutil.copyfile(kept, tmp_path / "new")
            os.replace(tmp_path / "new", weights)
            answer = pool.submit(load, None)
            time.sleep(attempt * 0.01)
            os.truncate(weights, attempt * 10_000_000)
            message = answer.result()
            assert not message or "cut" in message or "header length" in message, message
    shutil.copyfile(kept, tmp_path / "new")
    os.replace(tmp_path / "new", weights)
    assert load(None) == ""
    with httpclient.InferenceServerClient(server.http_url) as client:
        assert infer(client, httpclient, "bert", tokens(1, 12))[0].shape == (1, 12)
    server.stop()


@case("bert-6", "HTTP", "a classifier's checkpoint, exported and asked for labels; then by its config for the two embeddings",
      "`logits`, `sentence_embedding` and `pooler_output` of a plain forward pass, for each row")
@pytest.mark.parametrize("task,outputs", [("classification", ["logits"]), ("embedding", ["sentence_embedding", "pooler_output"])])
def test_vectors_of_sequences(tmp_path, task, outputs):
    run("export", "--checkpoint", "tests/fixtures/hf_classifier", "--model-repository", str(tmp_path), "--model", "bert",
        "--format", "bert", "--precision", "fp32", "--max-seq-length", "48")
    expected = json.loads(pathlib.Path("tests/fixtures/hf_classifier/expected.json").read_text())
    if task == "embedding":
        declared = ", ".join(f'{{ name: "{name}" data_type: TYPE_FP32 dims: [ 32 ] }}' for name in outputs)
        (tmp_path / "bert/config.pbtxt").write_text(
            f'backend: "bert" max_batch_size: 8 output [ {declared} ] parameters {{ key: "task" value {{ string_value: "{task}" }} }} '
            'parameters { key: "inference_precision" value { string_value: "fp32" } }')
    server = Server(tmp_path)
    with httpclient.InferenceServerClient(server.http_url) as client:
        inputs = []
        for name in ("input_ids", "input_mask", "segment_ids"):
            values = numpy.array(expected[name], numpy.int32)
            inputs.append(httpclient.InferInput(name, list(values.shape), "INT32"))
            inputs[-1].set_data_from_numpy(values)
        result = client.infer("bert", inputs)
        for name in outputs:
            got = result.as_numpy(name)
            assert got.shape == numpy.shape(expected[name])
            assert numpy.abs(got - expected[name]).max() < 1e-4
    server.stop()


@case("bert-7", "HTTP", "a load with `{\"backend\": \"bert\", \"instance_group\": [{\"count\": 2}]}` for a config, of a model that was exported; its inputs, "
      "and an inference with `unique_ids`", "the inputs that `inferd export` writes, `unique_ids` optional; the answer of the exported config")
def test_a_minimal_config_has_the_inputs_of_an_export(tmp_path):
    run("export", "--checkpoint", CHECKPOINT, "--model-repository", str(tmp_path), "--model", "bert", "--max-seq-length", "48")
    server = Server(tmp_path, "--model-control-mode=explicit", "--load-model=bert")
    ids = tokens(2, 12)
    with httpclient.InferenceServerClient(server.http_url) as client:
        def inputs():
            return {entry["name"]: entry for entry in client.get_model_config("bert")["input"]}

        def ask():
            tensors = []
            for name, values in (("input_ids", ids), ("input_mask", numpy.ones_like(ids)), ("segment_ids", numpy.zeros_like(ids)),
                                 ("unique_ids", numpy.array([[7], [8]], numpy.int32))):
                tensors.append(httpclient.InferInput(name, list(values.shape), "INT32"))
                tensors[-1].set_data_from_numpy(values)
            return client.infer("bert", tensors).as_numpy("start_logits").tobytes()

        exported, expected = inputs(), ask()
        client.load_model("bert", config=json.dumps({"backend": "bert", "instance_group": [{"count": 2}]}))
        assert client.get_model_config("bert")["instance_group"][0]["count"] == 2
        assert inputs() == exported
        assert exported["unique_ids"]["optional"]
        assert ask() == expected
    server.stop()
