"""scripts/run_squad.sh: the one-step job, its arguments and its refusals."""
import json
import os
import re
import subprocess

import pytest

from test_scores import INFERD, ROOT

SCRIPT = ROOT / "scripts/run_squad.sh"


def run(tmp_path, *arguments, **environment):
    return subprocess.run(
        [SCRIPT, *arguments], capture_output=True, text=True, timeout=300, cwd=tmp_path,
        env={**os.environ, "INFERD": str(INFERD), "MODEL_REPOSITORY": str(tmp_path / "models"),
             "OUTPUT_DIR": str(tmp_path / "predictions"), **environment})


def test_the_whole_job(tmp_path):
    done = run(tmp_path, "", "", "", "", "", "", "", "", "", "", "TRUE", "1.5", "2", "true")
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.strip().splitlines()[-1]
    match = re.fullmatch(r"exact match: (\d+\.\d\d)  F1: (\d+\.\d\d)", last)
    assert match and float(match.group(1)) > 40 and float(match.group(2)) > 50
    assert (tmp_path / "predictions/predictions.json").exists()
    config = (tmp_path / "models/bert/1/../config.pbtxt").read_text()
    assert "max_queue_delay_microseconds: 1500" in config and "count: 2" in config

    # The same version again: refused without OVERWRITE, served without EXPORT.
    refused = run(tmp_path, "", "", "", "", "", "", "", "", "", "", "true")
    assert refused.returncode != 0 and "overwrite" in refused.stderr.lower()
    served = run(tmp_path, PROTOCOL="http")
    assert served.returncode == 0 and served.stdout.strip().splitlines()[-1] == last


def few_questions(path):
    """Of the embedded ones of version 2.0, those of the first article."""
    data = json.loads((ROOT / "models/questions/questions-v2.0.json").read_text())
    path.write_text(json.dumps({**data, "data": data["data"][:1]}))
    return path


def test_squad_2_questions_with_fp16_and_xla(tmp_path):
    done = run(tmp_path, "", "4", "fp16", "true", "256", "64", "embedded", "2.0", "3", "qa", "true", "-1", "1", "False", FORMAT="onnx",
               SQUAD_FILE=str(few_questions(tmp_path / "questions.json")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fp16 runs as bf16" in done.stdout and "no XLA" in done.stdout
    assert (tmp_path / "models/qa/3/model.onnx").exists()
    assert (tmp_path / "predictions/null_odds.json").exists()
    assert "dynamic_batching" not in (tmp_path / "models/qa/config.pbtxt").read_text()


@pytest.mark.parametrize("arguments,expected", [
    (("", "eight"), "BATCH_SIZE"), (("", "", "fp8"), "PRECISION"), (("", "", "", "maybe"), "USE_XLA"),
    (("", "", "", "", "", "", "base"), "CHECKPOINT"), (("", "", "", "", "", "", "/nowhere"), "BERT_MODEL"),
    (("", "", "", "", "", "", "", "3.0"), "SQUAD_VERSION"), ((), "give EXPORT true"),
    (("", "", "", "", "", "", "", "", "", "", "", "-3"), "DELAY_MS"), (("/nowhere", *[""] * 9, "true"), "/nowhere"),
])
def test_mistakes_are_named(tmp_path, arguments, expected):
    done = run(tmp_path, *arguments)
    assert done.returncode != 0
    assert expected in done.stderr
    assert not (tmp_path / "models").exists() or not list((tmp_path / "models").iterdir())
