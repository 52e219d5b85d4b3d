"""What inferd prints where its standard output takes nothing, or where there is none."""
import os
import subprocess

import pytest
from cases import case
from serving import BINARY, PATIENCE_S, ROOT, wait_until

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


def descriptors_of(process):
    """What each of a process leads to, but for those that close meanwhile."""
    found = {}
    for fd in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            found[int(fd)] = os.readlink(f"/proc/{process.pid}/fd/{fd}")
        except FileNotFoundError:
            pass
    return found


@case("FO03", "command", "`inferd perf` with no standard descriptor open",
      "none of them becomes its connection: /dev/null is there; exit code 99, as nothing can be printed")
def test_closed_descriptors(server):
    command = [BINARY, "perf", "-m", "id_int32", "-u", server.http_url, "-i", "http", "--shape", "IN:4", "--request-rate-range", "50", "--request-count", "100"]
    process = subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command])
    try:
        wait_until(lambda: "inferd" in os.readlink(f"/proc/{process.pid}/exe") and any("socket" in to for to in descriptors_of(process).values()))
        found = descriptors_of(process)
        assert [found.get(fd) for fd in range(3)] == ["/dev/null"] * 3
        assert process.wait(PATIENCE_S) == 99
    finally:
        process.kill()
