"""scripts/trained and INFERD_PROFILE: what is refused, a training from end to end, what an interruption leaves; bench/serving --inferd."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import tritonclient.grpc
import tritonclient.http

ROOT = Path(__file__).resolve().parents[2]
INFERD = ROOT / os.environ.get("INFERD", "build/inferd")
TRAINED = ROOT / "build/trained/inferd"
INSTRUMENTED = ROOT / "build/instrumented/inferd"
PROFILE = ROOT / "build/profile"
sys.path[:0] = [str(ROOT / "bench/load"), str(ROOT / "tests/clients")]

import servers  # noqa: E402
from serving import processes_of, wait_until  # noqa: E402


def start(*arguments, **environment):
    """In a session of its own, whose processes can be found."""
    return subprocess.Popen([ROOT / "scripts/trained", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, "INFERD": str(INFERD), **environment})


def run(*arguments, **environment):
    process = start(*arguments, **environment)
    out, err = process.communicate(timeout=1200)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def runs(session, program):
    """Whether a process of the session is that program."""
    try:
        return any(os.readlink(f"/proc/{pid}/exe") == str(program) for pid in processes_of(session))
    except OSError:
        return False  # one has just ended


@pytest.fixture(scope="module")
def trained():
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""  # no warning either
    return TRAINED


@pytest.fixture
def server(trained, tmp_path):
    """As bench/serving starts it, on any core that is allowed here."""
    model = tmp_path / "models/identity"
    (model / "1").mkdir(parents=True)
    shutil.copy(ROOT / "bench/peers/triton_identity/config.pbtxt", model)
    server = servers.Inferd(model.parent, min(os.sched_getaffinity(0)), tmp_path, trained)
    yield server
    server.stop()
    assert server.process.returncode == 0


@pytest.mark.parametrize("arguments, environment, code, message", [
    (["again"], {}, 2, 'no arguments are taken, got "again"'),
    ([], {"INFERD": "/nowhere/inferd"}, 1, "/nowhere/inferd is not there: run make first"),
])
def test_wrong_usage(arguments, environment, code, message):
    done = run(*arguments, **environment)
    assert done.returncode == code and message in done.stderr and done.stdout == ""


def test_help():
    done = run("--help")
    assert done.returncode == 0 and done.stdout.startswith("trained: builds build/trained/inferd") and "set -" not in done.stdout


@pytest.mark.parametrize("settings, message", [
    (["INFERD_PROFILE=sometimes"], 'INFERD_PROFILE must be generate or use, got "sometimes"'),
    (["INFERD_PROFILE=use", "INFERD_PROFILE_DIR=/nowhere"], "there are no counts in /nowhere; make trained makes them"),
    (["INFERD_PROFILE=generate", "CMAKE_C_COMPILER=clang"], "INFERD_PROFILE needs gcc 12 or later, got Clang"),
])
def test_what_the_build_refuses(tmp_path, settings, message):
    done = subprocess.run(["cmake", "-S", ROOT, "-B", tmp_path, "-G", "Ninja", *(f"-D{setting}" for setting in settings)],
                          capture_output=True, text=True)
    assert done.returncode != 0 and message in re.sub(r"\s+", " ", done.stderr)


def test_it_is_optimised_by_the_counts(trained):
    """gcc puts code in a section of its own, hot, where the counts say so."""
    for module in ("api", "codec", "core", "grpc", "http", "net"):
        sections = subprocess.run(["readelf", "-SW", trained.parent / f"libinferd_{module}.a"], capture_output=True, text=True, check=True)
        assert ".text.hot" in sections.stdout, module


@pytest.mark.parametrize("library, address", [(tritonclient.http, "http"), (tritonclient.grpc, "grpc")], ids=["HTTP", "gRPC"])
@pytest.mark.parametrize("count", [3, 300000])
def test_it_serves(server, library, address, count):
    assert os.readlink(f"/proc/{server.process.pid}/exe") == str(TRAINED)
    sent = numpy.arange(count, dtype=numpy.float32).reshape(1, count)
    tensor = library.InferInput("INPUT0", sent.shape, "FP32")
    tensor.set_data_from_numpy(sent)
    with library.InferenceServerClient(getattr(server, address)) as client:
        assert (client.infer("identity", [tensor]).as_numpy("OUTPUT0") == sent).all()
        with pytest.raises(Exception, match="nosuch"):
            client.infer("nosuch", [tensor])


def test_what_an_interruption_leaves(trained, tmp_path):
    """No process, and nothing that would be taken for a whole profile. Without a change nothing is trained again."""
    shutil.copytree(PROFILE, tmp_path / "profile")
    (PROFILE / "trained-for").unlink()
    try:
        process = start()
        wait_until(lambda: runs(process.pid, INSTRUMENTED))
        os.kill(process.pid, signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGTERM and out.splitlines()[-1].startswith("== train")
        assert processes_of(process.pid) == []
        assert not (PROFILE / "trained-for").exists()
    finally:
        shutil.rmtree(PROFILE, ignore_errors=True)
        shutil.copytree(tmp_path / "profile", PROFILE)
    before = trained.stat().st_mtime_ns
    again = run()
    assert again.returncode == 0 and "== train" not in again.stdout and trained.stat().st_mtime_ns == before


def test_the_benchmark_refuses_a_program_that_is_not_there(tmp_path):
    done = subprocess.run([sys.executable, ROOT / "bench/load/main.py", "--inferd", tmp_path / "inferd"], capture_output=True, text=True)
    assert done.returncode == 2 and f"--inferd: {tmp_path / 'inferd'} is not there" in done.stderr
