"""scripts/run_squad.sh: the one-step job, its arguments and its refusals."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from test_scores import INFERD, ROOT

sys.path.insert(0, str(ROOT / "tests/clients"))

from serving import processes_of  # noqa: E402

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
    assert refused.returncode == 1 and "exists; give OVERWRITE true, argument 14, to replace it" in refused.stderr
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


@pytest.fixture
def one_question(tmp_path):
    data = json.loads((ROOT / "models/questions/questions-v1.1.json").read_text())
    paragraph = data["data"][0]["paragraphs"][0]
    del data["data"][1:], data["data"][0]["paragraphs"][1:], paragraph["qas"][1:]
    path = tmp_path / "question.json"
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize("policy", ["", "version_policy { specific { versions: [ 1, 3 ] } }"])
def test_a_version_that_is_not_the_newest(tmp_path, one_question, policy):
    """Also where the config says which versions are served. The newest is broken: it must not be needed."""
    done = run(tmp_path, *[""] * 8, "1", "", "true", SQUAD_FILE=str(one_question))
    assert done.returncode == 0, done.stdout + done.stderr
    model = tmp_path / "models/bert"
    if policy:
        shutil.copytree(model / "1", model / "3")
        with open(model / "config.pbtxt", "a") as config:
            config.write(policy)
    else:
        (model / "3").mkdir()
    again = run(tmp_path, *[""] * 8, "1", SQUAD_FILE=str(one_question))
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.splitlines()[-1] == done.stdout.splitlines()[-1]


@pytest.mark.parametrize("step", ["export", "squad"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_script_alone_ends_it(tmp_path, one_question, step, number):
    """At once, in the midst of a step, with nothing left running."""
    program = tmp_path / "inferd"
    program.write_text(f"#!/bin/sh\nif [ $1 = {step} ]; then echo $1 >{tmp_path}/reached; exec sleep 1000; fi\nexec {INFERD} \"$@\"\n")
    program.chmod(0o755)
    os.mkfifo(tmp_path / "reached")
    process = subprocess.Popen(
        [SCRIPT, *[""] * 10, "true"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "INFERD": str(program), "MODEL_REPOSITORY": str(tmp_path / "models"), "OUTPUT_DIR": str(tmp_path / "predictions"),
             "SQUAD_FILE": str(one_question)})
    try:
        assert (tmp_path / "reached").read_text() == f"{step}\n"
        os.kill(process.pid, number)
        process.communicate(timeout=30)
        assert process.returncode == 128 + number
        assert processes_of(process.pid) == []
    finally:
        for left in processes_of(process.pid):
            os.kill(left, signal.SIGKILL)


def test_the_exit_code_of_the_step_that_fails(tmp_path, one_question):
    program = tmp_path / "inferd"
    program.write_text(f"#!/bin/sh\nif [ $1 = squad ]; then echo a summary; exit 7; fi\nexec {INFERD} \"$@\"\n")
    program.chmod(0o755)
    done = run(tmp_path, *[""] * 10, "true", INFERD=str(program), SQUAD_FILE=str(one_question))
    assert done.returncode == 7 and done.stdout.splitlines()[-1] == "a summary"


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
