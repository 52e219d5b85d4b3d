"""Checkpoints whose tokenizer_config.json tells of case, accents and CJK ideographs: the server and `inferd squad` tokenize by it."""
import json
import shutil

import numpy
import pytest
import tritonclient.http as httpclient
from cases import case
from serving import ROOT, Server, run
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from wire import get

CHECKPOINT = ROOT / "tests/fixtures/hf_checkpoint"
USUAL = {"do_lower_case": False, "strip_accents": None, "tokenize_chinese_chars": True, "tokenizer_class": "BertTokenizer"}
TOKENIZERS = {  # name -> (members, what an export writes besides do_lower_case)
    "usual": (USUAL, {}),
    "uncased": ({"do_lower_case": True, "strip_accents": True}, {}),
    "accents-kept": ({"do_lower_case": True, "strip_accents": False}, {"strip_accents": "false"}),
    "accents-stripped": ({"do_lower_case": False, "strip_accents": True}, {"strip_accents": "true"}),
    "accents-alone": ({"strip_accents": False}, {"strip_accents": "false"}),
    "cjk-in-words": ({"do_lower_case": False, "tokenize_chinese_chars": False}, {"tokenize_chinese_chars": "false"}),
    "nothing-usual": ({"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False},
                      {"strip_accents": "false", "tokenize_chinese_chars": "false"}),
}
WRONG = {  # members -> what is told
    "accents": ({"do_lower_case": True, "strip_accents": "no"}, '"strip_accents" must be true or false, got string'),
    "cjk": ({"tokenize_chinese_chars": 0}, '"tokenize_chinese_chars" must be true or false, got uint'),
    "case": ({"do_lower_case": []}, '"do_lower_case" must be true or false, got array'),
}
LETTERS = "aceilnorstw?\u00e9\u00dc\u00fc\u0131\u0130\u4e2d\u6587CTW"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *("##" + c for c in LETTERS), "\u0307", "##\u0307"]
QUESTION = "Wo?"
CONTEXTS = ["Caf\u00e9 T\u00fcll", "\u4e2d\u6587 ein \u4e2d", "\u0130zn\u0131k \u00dcTER", "Cote C\u00f4t\u00e9 tu\u0308\u4e2ds"]
SEQUENCE, QUERY, N_BEST, ANSWER = 48, 8, 20, 30
WEIGHTS = ("model.safetensors", "config.json", "vocab.txt")


def write_checkpoint(folder, members):
    shutil.copytree(CHECKPOINT, folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(members))


def export(checkpoint, repository, name="m"):
    return run("export", "--checkpoint", str(checkpoint), "--model-repository", str(repository), "--model", name,
               "--max-seq-length", str(SEQUENCE), "--precision", "fp32")


def parameter(key, value):
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'


def add_questions(repository, name, source, *files, parameters=""):
    """A model that takes questions, on files of a folder."""
    (repository / name / "1").mkdir(parents=True)
    for file in files:
        shutil.copy(source / file, repository / name / "1")
    (repository / name / "config.pbtxt").write_text(
        'backend: "bert" max_batch_size: 8\n' + parameter("task", "question_answering") + parameter("max_query_length", QUERY)
        + parameter("inference_precision", "fp32") + parameters)


@case("TZ01", "command", "`inferd export` of checkpoints whose tokenizer_config.json has each combination of case, accents and CJK ideographs",
      "`do_lower_case`, and where they are not the default `strip_accents` and `tokenize_chinese_chars`, in config.pbtxt; the same of an export "
      "of the export")
@pytest.mark.parametrize("name", TOKENIZERS)
def test_export_writes_what_is_not_usual(tmp_path, name):
    members, written = TOKENIZERS[name]
    write_checkpoint(tmp_path / "checkpoint", members)
    done = export(tmp_path / "checkpoint", tmp_path / "models")
    assert done.returncode == 0, done.stderr
    config = (tmp_path / "models/m/config.pbtxt").read_text()
    assert parameter("do_lower_case", "true" if members.get("do_lower_case", True) else "false") in config
    for key in ("strip_accents", "tokenize_chinese_chars"):
        assert (parameter(key, written[key]) in config) if key in written else (key not in config)
    shutil.copy(tmp_path / "checkpoint/vocab.txt", tmp_path / "models/m/1")
    done = export(tmp_path / "models/m/1", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again/m/config.pbtxt").read_text() == config


@case("TZ02", "command", "`inferd export` of a checkpoint whose tokenizer_config.json has something else than true, false or null for them",
      "exit code 1, which file and member; no model")
@pytest.mark.parametrize("name", WRONG)
def test_export_refuses(tmp_path, name):
    members, told = WRONG[name]
    write_checkpoint(tmp_path / "checkpoint", members)
    done = export(tmp_path / "checkpoint", tmp_path / "models")
    assert done.returncode == 1 and f"checkpoint/tokenizer_config.json: {told}" in done.stderr
    assert not (tmp_path / "models/m").exists()


def reference(members):
    """Hugging Face's tokenizer with those options."""
    lower = members.get("do_lower_case", True)
    tokenizer = Tokenizer(WordPiece({token: i for i, token in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=members.get("tokenize_chinese_chars", True),
                                          strip_accents=members.get("strip_accents"), lowercase=lower)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return lambda text: tokenizer.encode(text, add_special_tokens=False)


def infer(client, model, inputs):
    tensors = []
    for name, value in inputs.items():
        tensors.append(httpclient.InferInput(name, list(value.shape), "INT32" if value.dtype == numpy.int32 else "BYTES"))
        tensors[-1].set_data_from_numpy(value)
    return client.infer(model, tensors)


def ask(client, model, context):
    """The answer, and its place."""
    result = infer(client, model, {name: numpy.array([[text.encode()]], object)
                                   for name, text in (("question", QUESTION), ("context", context))})
    return result.as_numpy("answer")[0, 0].decode(), (result.as_numpy("start")[0, 0], result.as_numpy("end")[0, 0])


def answer_by_hand(client, encode, context):
    """The best answer's place, by the logits of the model of token ids on the reference's tokens; and these ids."""
    question, text = encode(QUESTION), encode(context)
    cls, sep = VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")
    ids = [cls, *question.ids, sep, *text.ids, sep]
    first = len(question.ids) + 2
    assert len(ids) <= N_BEST  # all positions are tried
    result = infer(client, "ids", {"input_ids": numpy.array([ids], numpy.int32), "input_mask": numpy.ones((1, len(ids)), numpy.int32),
                                   "segment_ids": numpy.array([[0] * first + [1] * (len(ids) - first)], numpy.int32)})
    start, end = (result.as_numpy(f"{name}_logits")[0] for name in ("start", "end"))
    spans = [(float(start[first + i]) + float(end[first + k]), i, k)
             for i in range(len(text.ids)) for k in range(i, min(i + ANSWER, len(text.ids)))]
    _, i, k = max(spans)
    return (text.offsets[i][0], text.offsets[k][1]), text.ids


@case("TZ03", "HTTP", "questions to models of backend bert with such a file beside the weights, with its members as parameters, and on the files "
      "of an export; and with a file that is wrong, of a model that takes questions and of one that takes token ids",
      "answers, to the character, by the logits of Hugging Face's tokens; what is wrong is 503 with file and member, token ids are served")
def test_answers_are_of_the_options(tmp_path):
    served = tmp_path / "served"
    for name, (members, written) in TOKENIZERS.items():
        folder = tmp_path / name
        write_checkpoint(folder, members)
        add_questions(served, f"{name}-file", folder, *WEIGHTS, "tokenizer_config.json")
        told = {"do_lower_case": "true" if members.get("do_lower_case", True) else "false", **written}
        add_questions(served, f"{name}-told", folder, *WEIGHTS, parameters="".join(parameter(*row) for row in told.items()))
        assert export(folder, tmp_path / "exported", name).returncode == 0
        shutil.copy(folder / "vocab.txt", tmp_path / f"exported/{name}/1")
        add_questions(served, f"{name}-exported", tmp_path / f"exported/{name}/1", *WEIGHTS)
    for name, (members, _) in WRONG.items():
        write_checkpoint(tmp_path / f"wrong-{name}", members)
        add_questions(served, f"wrong-{name}", tmp_path / f"wrong-{name}", *WEIGHTS, "tokenizer_config.json")
    write_checkpoint(served / "ids/1", WRONG["accents"][0])
    (served / "ids/config.pbtxt").write_text('backend: "bert" max_batch_size: 8 ' + parameter("inference_precision", "fp32"))
    server = Server(served)
    seen = set()
    with httpclient.InferenceServerClient(server.http_url) as client:
        for name, (members, _) in TOKENIZERS.items():
            encode = reference(members)
            by_hand = [answer_by_hand(client, encode, context) for context in CONTEXTS]
            seen.add(json.dumps([ids for _, ids in by_hand]))
            for form in ("file", "told", "exported"):
                for context, ((begin, end), _) in zip(CONTEXTS, by_hand):
                    assert ask(client, f"{name}-{form}", context) == (context[begin:end], (begin, end)), (name, form)
    assert len(seen) == len(TOKENIZERS) - 1  # two of them mean the same
    for name, (_, told) in WRONG.items():
        answer = get(server.http, f"/v2/models/wrong-{name}/ready")
        assert answer.status == 503 and f"tokenizer_config.json: {told}" in answer.error
    assert get(server.http, "/v2/models/ids/ready").status == 200
    server.stop()


@case("TZ04", "gRPC", "`inferd squad` on exports of such checkpoints", "the answers that the server gives to the same questions as text")
def test_squad_tokenizes_as_the_model(tmp_path):
    served = tmp_path / "served"
    questions = [{"context": context, "qas": [{"id": str(i), "question": QUESTION, "answers": [{"text": "x", "answer_start": 0}]}]}
                 for i, context in enumerate(CONTEXTS)]
    (tmp_path / "data.json").write_text(json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": questions}]}))
    for name, (members, _) in TOKENIZERS.items():
        write_checkpoint(tmp_path / name, members)
        assert export(tmp_path / name, served, name).returncode == 0
        add_questions(served, f"{name}-qa", tmp_path / name, *WEIGHTS, "tokenizer_config.json")
    server = Server(served)
    different = set()
    with httpclient.InferenceServerClient(server.http_url) as client:
        for name in TOKENIZERS:
            done = run("squad", "--data", str(tmp_path / "data.json"), "--url", server.grpc_url, "--model", name, "--vocab",
                       str(tmp_path / name / "vocab.txt"), "--max-query-length", str(QUERY), "--output-dir", str(tmp_path / f"{name}-out"))
            assert done.returncode == 0, done.stderr
            predictions = json.loads((tmp_path / f"{name}-out/predictions.json").read_text())
            different.add(json.dumps(predictions))
            for i, context in enumerate(CONTEXTS):
                assert ask(client, f"{name}-qa", context)[0] == predictions[str(i)], (name, context)
    assert len(different) > 2
    server.stop()
