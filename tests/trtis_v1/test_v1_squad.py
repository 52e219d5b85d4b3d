"""BERT question answering the way of the 2019 recipe's client, by the library of that time: the same answers as `inferd squad`."""

import collections
import json
import os
import queue
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
from cases import case
from old_client import RAW, InferContext, ProtocolType, ServerStatusContext
from serving import Server, run

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/text"))
import squad_reference as reference  # noqa: E402

QUESTIONS = ROOT / "models/questions/questions-v1.1.json"
HELD_OUT = ROOT.parent / "shared/data/squad/heldout-v1.1.json.gz"
LENGTH, STRIDE, BATCH, IN_FLIGHT, N_BEST, ANSWER_MAX = 384, 128, 8, 20, 20, 30


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A server with the embedded checkpoint for OpenVINO, whose code no sanitizer slows down, and in our own format."""
    work = tmp_path_factory.mktemp("bert")
    for name, form in (("bert", "onnx"), ("text", "bert")):
        done = run("export", "--checkpoint", str(ROOT / "models/minilm-squad"), "--model-repository", str(work / "models"), "--model", name,
                   "--format", form)
        assert done.returncode == 0, done.stderr
    server = Server(work / "models")
    yield server
    server.stop()


def read(path):
    import gzip

    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt") as file:
        return json.load(file)


def profile(server):
    """What clients before 1.7 called first; today's library has no name for it."""
    with grpc.insecure_channel(server.grpc_url) as channel:
        answer = channel.unary_unary("/nvidia.inferenceserver.GRPCService/Profile")(b"\x0a\x05start", timeout=60)
    assert answer[:4].endswith(b"\x08\x01"), answer  # request_status { code: SUCCESS ... }


def tensors(batch, first):
    """Inputs padded to the full length; the client library puts them in the order of the config."""

    def padded(values):
        return np.array(values + [0] * (LENGTH - len(values)), np.int32)

    return {
        "unique_ids": [np.array([first + i], np.int32) for i in range(len(batch))],
        "input_ids": [padded(window.ids) for window in batch],
        "input_mask": [padded([1] * len(window.ids)) for window in batch],
        "segment_ids": [padded(window.segments) for window in batch],
    }


def logits(server, windows):
    """(start, end) of each window: batches of eight, the last one shorter, twenty requests in flight."""
    context = InferContext(server.grpc_url, ProtocolType.GRPC, "bert", 1)
    done, found, sent = queue.Queue(), [None] * len(windows), {}

    def collect():
        first, request = done.get(timeout=300)
        result = context.get_async_run_results(request)
        for i in range(sent.pop(first)):
            size = len(windows[first + i].ids)
            found[first + i] = tuple([float(v) for v in result[name][i][:size]] for name in ("start_logits", "end_logits"))

    for first in range(0, len(windows), BATCH):
        batch = windows[first:first + BATCH]
        while len(sent) >= IN_FLIGHT:
            collect()
        sent[first] = len(batch)
        context.async_run(lambda _, request, first=first: done.put((first, request)), tensors(batch, first),
                          {"end_logits": RAW, "start_logits": RAW}, len(batch))
    while sent:
        collect()
    return found


def predictions(server, dataset):
    encode = reference.tokenizer(ROOT / "models/minilm-squad/vocab.txt").encode
    windows = list(reference.windows(dataset, lambda text: encode(text, add_special_tokens=False), LENGTH, STRIDE, 64))
    assert len(windows) % BATCH != 0, "the last batch shall be a short one"
    groups, answers = collections.defaultdict(list), {}
    for window, pair in zip(windows, logits(server, windows)):
        groups[window.id].append((window, pair))
    for context, question in reference.questions(dataset):
        group = groups[question["id"]]
        answers[question["id"]] = reference.answer(context, [w for w, _ in group], [pair for _, pair in group], N_BEST, ANSWER_MAX,
                                                   False, 0.0)[0]
    return answers


@case("VQ01", "v1 gRPC", "the recipe's SQuAD client: Status, Profile, asynchronous batches of 8, 20 in flight, version 1",
      "the same exact match and F1 as `inferd squad`")
@pytest.mark.parametrize("data", [QUESTIONS, HELD_OUT], ids=["embedded", "held out"])
def test_squad(bert, tmp_path, data):
    if data == HELD_OUT and not (HELD_OUT.exists() and os.environ.get("INFERD_FULL")):
        pytest.skip("the held-out questions take minutes: they belong to the long tests, and lie beside the checkout")
    config = ServerStatusContext(bert.grpc_url, ProtocolType.GRPC, "bert").get_server_status().model_status["bert"].config
    assert [item.name for item in config.input] == ["unique_ids", "segment_ids", "input_ids", "input_mask"]
    profile(bert)
    dataset = read(data)
    told = reference.evaluate(dataset, predictions(bert, dataset), version_2=False)
    done = run("squad", "--data", str(data), "--output-dir", str(tmp_path), "--url", bert.grpc_url, "--batch-size", "8", "--pad", "max",
               timeout=600)
    assert done.returncode == 0, done.stderr
    ours = reference.evaluate(dataset, read(tmp_path / "predictions.json"), version_2=False)
    assert told["total"] == ours["total"] > 0
    assert (told["exact"], told["f1"]) == (ours["exact"], pytest.approx(ours["f1"], abs=1e-9))


@case("VQ02", "v1 HTTP, v1 gRPC", "questions as text to the model that takes them, in a batch", "the answers, their places and scores")
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_questions_as_text(bert, protocol):
    wire = (bert.http_url, ProtocolType.HTTP) if protocol == "http" else (bert.grpc_url, ProtocolType.GRPC)
    passage = "The b\u00f3ok was written by Jane Austen in 1813, in Hampshire."
    inputs = {"question": [np.array([text], object) for text in ("Who wrote it?", "When was it written?")],
              "context": [np.array([passage], object)] * 2}
    result = InferContext(*wire, "text-qa").run(inputs, dict.fromkeys(("answer", "score", "start", "end"), RAW), 2)
    answers = [entry[0].decode() for entry in result["answer"]]
    assert answers == ["Jane Austen", "1813"]
    for answer, score, start, end in zip(answers, result["score"], result["start"], result["end"]):
        assert passage[start[0]:end[0]] == answer and 0.5 < score[0] <= 1
