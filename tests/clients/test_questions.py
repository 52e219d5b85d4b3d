"""Questions as text: the model NAME-qa of `inferd export --format bert`, asked over every protocol, on the embedded checkpoint."""
import concurrent.futures
import json
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import numpy
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from cases import case
from models import BATCHED, add, pair
from serving import ROOT, Server, run
from tritonclient.utils import InferenceServerException

CHECKPOINT = str(ROOT / "models/minilm-squad")
CLASSIFIER = str(ROOT / "tests/fixtures/hf_classifier")
QUESTIONS = ROOT / "models/questions/questions-v2.0.json"
N_BEST = 20
SANITIZED = bool(os.environ.get("INFERD_SANITIZED"))  # the engine is some twenty times slower
EVERY, LONG = (120, 1) if SANITIZED else (6, 4)
PASSAGE = "The b\u00f3ok was written by Jane Austen in 1813, in Hampshire."


def export(repository, *flags, checkpoint=CHECKPOINT):
    done = run("export", "--checkpoint", checkpoint, "--model-repository", str(repository), "--model", "bert", "--format", "bert", *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


def copy_model(repository, name, parameters):
    """bert-qa under another name, with more parameters."""
    (repository / name).mkdir()
    (repository / name / "1").symlink_to("../bert-qa/1")
    config = (repository / "bert-qa/config.pbtxt").read_text().replace('name: "bert-qa"', f'name: "{name}"')
    for key, value in parameters.items():
        config += f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'
    (repository / name / "config.pbtxt").write_text(config)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    repository = tmp_path_factory.mktemp("questions")
    export(repository)
    copy_model(repository, "squad-2", {"allow_no_answer": "true", "n_best": str(N_BEST)})
    copy_model(repository, "few-windows", {"max_windows": "2"})
    return repository


@pytest.fixture(scope="module")
def asked(models):
    running = Server(models)
    yield running
    running.stop()


def ask(client, module, model, questions, contexts, n_best=None, **more):
    inputs = []
    for name, texts in (("question", questions), ("context", contexts)):
        tensor = module.InferInput(name, [len(texts), 1], "BYTES")
        tensor.set_data_from_numpy(numpy.array([[text.encode()] for text in texts], object))
        inputs.append(tensor)
    result = client.infer(model, inputs, parameters={"n_best": n_best} if n_best else None, **more)
    return [result.as_numpy(name) for name in ("answer", "score", "start", "end")]


def post(server, path, body):
    request = urllib.request.Request(f"http://{server.http_url}{path}", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def some_questions(answerable_only):
    """One question of EVERY, and LONG to a passage of many windows. (id, question, context) of each, and the file's form."""
    paragraphs = [paragraph for article in json.loads(QUESTIONS.read_text())["data"] for paragraph in article["paragraphs"]]
    longest = sorted(paragraphs, key=lambda paragraph: len(paragraph["context"]))[-LONG:]
    joined = {"context": "\n".join(paragraph["context"] for paragraph in longest),
              "qas": [{**question, "id": "long " + question["id"]} for paragraph in longest for question in paragraph["qas"][:1]]}
    kept, number = [], 0
    for paragraph in paragraphs + [joined]:
        qas = []
        for question in paragraph["qas"]:
            number += 1
            if (paragraph is not joined and number % EVERY) or (answerable_only and question["is_impossible"]):
                continue
            if answerable_only:
                question = {key: value for key, value in question.items() if key not in ("is_impossible", "plausible_answers")}
            qas.append(question)
        kept.append({"context": paragraph["context"], "qas": qas})
    data = {"version": "1.1" if answerable_only else "v2.0", "data": [{"title": "some", "paragraphs": kept}]}
    rows = [(question["id"], question["question"], paragraph["context"]) for paragraph in kept for question in paragraph["qas"]]
    return data, rows


@case("QA-1", "gRPC", "questions with their passages, some of many windows, 8 requests at once and n_best 20; and `inferd squad` on the same",
      "the same n best answers and probabilities as `inferd squad` writes; start and end are the answer's place in code points")
@pytest.mark.parametrize("model,answerable_only", [("bert-qa", True), ("squad-2", False)])
def test_same_answers_as_squad(asked, tmp_path, model, answerable_only):
    data, rows = some_questions(answerable_only)
    file = tmp_path / "questions.json"
    file.write_text(json.dumps(data))
    done = run("squad", "--data", str(file), "--output-dir", str(tmp_path), "--url", asked.grpc_url, timeout=600)
    assert done.returncode == 0, done.stderr
    predictions = json.loads((tmp_path / "predictions.json").read_text())
    n_best = json.loads((tmp_path / "nbest_predictions.json").read_text())
    with grpcclient.InferenceServerClient(asked.grpc_url) as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda row: ask(client, grpcclient, model, [row[1]], [row[2]], N_BEST), rows))
    assert len(rows) > (1 if SANITIZED else 25)
    for (identity, _, context), (texts, scores, starts, ends) in zip(rows, answers):
        assert texts.shape == scores.shape == starts.shape == ends.shape == (1, N_BEST)
        found = [text.decode() for text in texts[0]]
        assert found[0] == predictions[identity]
        expected = n_best[identity][:N_BEST]
        assert found[:len(expected)] == [entry["text"] for entry in expected]
        assert numpy.allclose(scores[0][:len(expected)], [entry["probability"] for entry in expected], rtol=1e-6, atol=0)
        assert not scores[0][len(expected):].any() and not any(found[len(expected):])
        for text, start, end in zip(found, starts[0], ends[0]):
            assert (start, end) == (-1, -1) if not text else context[start:end] == text


@case("QA-2", "HTTP, gRPC", "a question as JSON to infer, as tensors by either client, and as flat JSON to generate",
      "the same answer; with `n_best` of 3 three of them, the best first")
def test_every_way_to_ask(asked):
    question = "Who wrote it?"
    status, flat = post(asked, "/v2/models/bert-qa/generate", {"question": question, "context": PASSAGE})
    assert status == 200
    assert (flat["answer"], flat["start"], flat["end"]) == ("Jane Austen", 24, 35) and 0.5 < flat["score"] <= 1
    status, three = post(asked, "/v2/models/bert-qa/generate", {"question": question, "context": PASSAGE, "n_best": 3})
    assert status == 200 and len(three["answer"]) == 3 and three["answer"][0] == "Jane Austen"
    assert three["score"] == sorted(three["score"], reverse=True) and three["score"][0] == flat["score"]
    status, rows = post(asked, "/v2/models/bert-qa/infer", {"parameters": {"n_best": 3}, "inputs": [
        {"name": name, "shape": [1, 1], "datatype": "BYTES", "data": [text]} for name, text in (("question", question), ("context", PASSAGE))]})
    assert status == 200
    outputs = {output["name"]: output for output in rows["outputs"]}
    assert list(outputs) == ["answer", "score", "start", "end"]
    for name, output in outputs.items():
        assert output["shape"] == [1, 3] and output["data"] == three[name]
    for module, url in ((httpclient, asked.http_url), (grpcclient, asked.grpc_url)):
        with module.InferenceServerClient(url) as client:
            texts, scores, starts, ends = ask(client, module, "bert-qa", [question, "When was it written?"], [PASSAGE, PASSAGE])
        assert [text.decode() for text in texts[:, 0]] == ["Jane Austen", "1813"]
        assert (starts[0, 0], ends[0, 0]) == (24, 35)
        assert float(scores[0, 0]) == pytest.approx(flat["score"], rel=1e-6)


@case("QA-3", "HTTP", "`n_best` out of range or no number; a context, a question or a number of windows beyond the limit; no context",
      "400 or 413 that tells the limit; the next question is answered")
@pytest.mark.parametrize("model,body,code,reason", [
    ("bert-qa", {"n_best": 0}, 400, "n_best: expected a whole number of 1..20"),
    ("bert-qa", {"n_best": 21}, 400, "n_best: expected a whole number of 1..20"),
    ("bert-qa", {"n_best": "many"}, 400, "n_best: expected a whole number of 1..20"),
    ("bert-qa", {"context": "a " * (1 << 19) + "a"}, 413, "context 0: expected at most 1048576 bytes"),
    ("bert-qa", {"question": "a" * 65537}, 413, "question 0: expected at most 65536 bytes"),
    ("bert-qa", {"context": "a " * 9000}, 413, "more than 64 windows"),
    ("few-windows", {"context": "a " * 600}, 413, "more than 2 windows"),
])
def test_limits(asked, model, body, code, reason):
    status, answer = post(asked, f"/v2/models/{model}/generate", {"question": "Who?", "context": PASSAGE, **body})
    assert status == code and reason in answer["error"]
    assert post(asked, f"/v2/models/{model}/generate", {"question": "Who?"})[0] == 400
    assert post(asked, f"/v2/models/{model}/generate", {"question": "Who wrote it?", "context": PASSAGE})[1]["answer"] == "Jane Austen"


@case("QA-4", "gRPC", "texts that are no UTF-8; empty ones", "INVALID_ARGUMENT that tells which; the empty answer, at no place")
def test_odd_texts(asked):
    with grpcclient.InferenceServerClient(asked.grpc_url) as client:
        inputs = []
        for name, texts in (("question", [b"Who?", b"Who?"]), ("context", [b"Nobody.", b"\xff"])):
            tensor = grpcclient.InferInput(name, [2, 1], "BYTES")
            tensor.set_data_from_numpy(numpy.array([[text] for text in texts], object))
            inputs.append(tensor)
        with pytest.raises(InferenceServerException) as caught:
            client.infer("bert-qa", inputs)
        assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
        assert "context 1: the text is not valid UTF-8" in caught.value.message()
        texts, scores, starts, ends = ask(client, grpcclient, "bert-qa", ["Who?", ""], ["", PASSAGE])
    assert (texts[0, 0], starts[0, 0], ends[0, 0]) == (b"", -1, -1)
    assert texts[1, 0].decode() in PASSAGE


@case("QA-5", "gRPC", "questions of many windows with deadlines that pass while they are computed, others beside them",
      "DEADLINE_EXCEEDED; the others' answers as ever")
def test_deadlines(asked):
    long = "The committee met again in the old town hall to speak about water. " * 400
    with grpcclient.InferenceServerClient(asked.grpc_url) as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        late = [pool.submit(ask, client, grpcclient, "bert-qa", ["Who met?"], [long], client_timeout=0.02) for _ in range(4)]
        good = [pool.submit(ask, client, grpcclient, "bert-qa", ["Who wrote it?"], [PASSAGE]) for _ in range(4)]
        for call in late:
            with pytest.raises(InferenceServerException) as caught:
                call.result()
            assert caught.value.status() == "StatusCode.DEADLINE_EXCEEDED"
        for call in good:
            assert call.result()[0][0, 0] == b"Jane Austen"


@case("QA-6", "HTTP", "the two models of an export loaded one after the other",
      "the second takes no second copy of the weights: neither on disk nor in memory")
def test_one_copy_of_the_weights(tmp_path):
    said = export(tmp_path, "--precision", "fp32")
    assert "bert-qa: question and context in" in said
    weights = tmp_path / "bert-qa/1/model.safetensors"
    assert weights.is_symlink() and os.readlink(weights) == "../../bert/1/model.safetensors"
    server = Server(tmp_path, "--model-control-mode=explicit", "--load-model=bert")
    status = Path(f"/proc/{server.process.pid}/status")

    def resident():
        return int(status.read_text().split("VmRSS:")[1].split()[0]) * 1024

    before = resident()
    with httpclient.InferenceServerClient(server.http_url) as client:
        client.load_model("bert-qa")
        if not SANITIZED:
            assert resident() - before < weights.stat().st_size // 3
        client.unload_model("bert")
        assert post(server, "/v2/models/bert-qa/generate", {"question": "Who wrote it?", "context": PASSAGE})[1]["answer"] == "Jane Austen"
    server.stop()


@case("QA-7", "HTTP", "bert-qa without the model beside it that has its weights", "it fails to load, and the log tells what is missing")
def test_weights_are_gone(models, tmp_path):
    shutil.copytree(models / "bert-qa", tmp_path / "bert-qa", symlinks=True)
    server = Server(tmp_path, "--exit-on-error=false")
    with httpclient.InferenceServerClient(server.http_url) as client:
        assert not client.is_model_ready("bert-qa")
    assert "model.safetensors" in server.log
    server.stop()


@case("QA-8", "HTTP", "bert replaced, with --overwrite, by a checkpoint that answers no questions",
      "bert-qa, whose weights it had, is gone and that is said; the server is ready with bert alone")
def test_weights_are_replaced(tmp_path):
    export(tmp_path)
    said = export(tmp_path, "--max-seq-length", "48", "--overwrite", checkpoint=CLASSIFIER)
    assert f"removed {tmp_path}/bert-qa, which took questions" in said
    server = Server(tmp_path)
    with httpclient.InferenceServerClient(server.http_url) as client:
        assert client.is_server_ready()
        assert [model["name"] for model in client.get_model_repository_index()] == ["bert"]
    server.stop()


@case("QA-9", "HTTP", "a model of the user's own that is called bert-qa; bert exported beside it, twice, the second time with --overwrite",
      "bert-qa is as it was and no question model is written, which is said with the reason; both models are ready")
def test_name_is_taken(tmp_path):
    add(tmp_path, "bert-qa", BATCHED + pair("INT32", "-1"))
    before = (tmp_path / "bert-qa/config.pbtxt").read_text()
    for flags in ((), ("--overwrite",)):
        said = export(tmp_path, *flags)
        assert "no bert-qa, which would take questions: another model" in said and "overwrite" not in said
        assert (tmp_path / "bert-qa/config.pbtxt").read_text() == before
    server = Server(tmp_path)
    with httpclient.InferenceServerClient(server.http_url) as client:
        assert client.is_server_ready() and client.is_model_ready("bert") and client.is_model_ready("bert-qa")
        assert client.get_model_config("bert-qa")["backend"] == "identity"
    server.stop()
