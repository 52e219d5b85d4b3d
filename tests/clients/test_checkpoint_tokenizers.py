"""Checkpoints beside whose weights a tokenizer_config.json wants what the tokenizers here do not do."""
import json
import shutil

import pytest
from cases import case
from serving import ROOT, Server, run
from wire import get

CHECKPOINT = ROOT / "tests/fixtures/hf_checkpoint"
FORBIDDEN = {  # name -> (members, what is told)
    "accents-kept": ({"do_lower_case": True, "strip_accents": False}, '"strip_accents" is false where the case is lowered'),
    "accents-stripped": ({"do_lower_case": False, "strip_accents": True}, '"strip_accents" is true where the case is kept'),
    "no-cjk-words": ({"do_lower_case": False, "tokenize_chinese_chars": False}, '"tokenize_chinese_chars" is false'),
}
USUAL = {"do_lower_case": False, "strip_accents": None, "tokenize_chinese_chars": True, "tokenizer_class": "BertTokenizer"}


def write_checkpoint(folder, members):
    shutil.copytree(CHECKPOINT, folder)
    (folder / "tokenizer_config.json").write_text(json.dumps(members))


def export(tmp_path, members):
    write_checkpoint(tmp_path / "checkpoint", members)
    return run("export", "--checkpoint", str(tmp_path / "checkpoint"), "--model-repository", str(tmp_path / "models"), "--model", "m",
               "--max-seq-length", "48")


@case("TZ01", "command", "`inferd export` of a checkpoint whose tokenizer_config.json wants accents kept or stripped against the casing, or CJK "
      "ideographs that are no words", "exit code 1, which file and member; no model")
@pytest.mark.parametrize("name", FORBIDDEN)
def test_export_refuses(tmp_path, name):
    members, told = FORBIDDEN[name]
    done = export(tmp_path, members)
    assert done.returncode == 1 and f"checkpoint/tokenizer_config.json: {told}" in done.stderr
    assert not (tmp_path / "models/m").exists()


@case("TZ02", "command", "`inferd export` of a checkpoint with the tokenizer_config.json that most have", "the model, with its casing")
def test_export_takes(tmp_path):
    done = export(tmp_path, USUAL)
    assert done.returncode == 0, done.stderr
    config = (tmp_path / "models/m/config.pbtxt").read_text()
    assert 'key: "do_lower_case"' in config and "true" not in config.split('key: "do_lower_case"')[1].split("}")[0]


@case("TZ03", "HTTP", "checkpoints with such files as models of backend bert that take questions, and one that takes token ids",
      "503 with file and member; the usual one, and token ids, are served")
def test_load_refuses(tmp_path):
    questions = ('parameters { key: "task" value { string_value: "question_answering" } } '
                 'parameters { key: "max_query_length" value { string_value: "8" } }')
    served = [("usual", USUAL, questions), ("ids", FORBIDDEN["accents-kept"][0], "")]
    for name, members, task in [*served, *((name, row[0], questions) for name, row in FORBIDDEN.items())]:
        write_checkpoint(tmp_path / name / "1", members)
        (tmp_path / name / "config.pbtxt").write_text(f'backend: "bert" max_batch_size: 8 {task}')
    server = Server(tmp_path)
    for name, _, _ in served:
        assert get(server.http, f"/v2/models/{name}/ready").status == 200
    for name, (_, told) in FORBIDDEN.items():
        answer = get(server.http, f"/v2/models/{name}/ready")
        assert answer.status == 503 and f"tokenizer_config.json: {told}" in answer.error
    server.stop()
