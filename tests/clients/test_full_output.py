"""What inferd prints where its standard output takes nothing."""
import subprocess

import pytest
from cases import case
from serving import BINARY, PATIENCE_S, ROOT

HELP = {"--help": 1, "--version": 1, "serve --help": 1, "export --help": 1, "squad --help": 1, "figures --help": 1, "perf --help": 99}


def run_full(*arguments):
    with open("/dev/full", "w") as full:
        return subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S)


@case("FO01", "command", "`inferd --version`, and --help of each command, into a full device", "the exit code of a failure, and a message")
@pytest.mark.parametrize("words", HELP)
def test_help(words):
    done = run_full(*words.split())
    assert done.returncode == HELP[words]
    assert "could not be written" in done.stderr


@case("FO02", "command", "`inferd export` into a full device", "the model, exit code 1, and a message")
def test_export(tmp_path):
    done = run_full("export", "--checkpoint", str(ROOT / "tests/fixtures/hf_checkpoint"), "--model-repository", str(tmp_path), "--model", "m",
                    "--max-seq-length", "48")
    assert done.returncode == 1 and "could not be written" in done.stderr
    assert (tmp_path / "m/1/model.safetensors").exists()
