"""Fixtures: a server with the models that the tests of `inferd perf` load."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients" / "protocol"))

import models
import wire
from programmed import Programmed
from serving import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server with all models of models.py, and one that takes 5 ms; must end cleanly after all tests."""
    repository = tmp_path_factory.mktemp("models")
    models.build(repository)
    models.add(repository, "five", models.BATCHED + models.pair("FP32", "16") + models.parameter("execute_delay_ms", "5"))
    running = Server(repository)
    yield running
    wire.good_inference(running.http)
    running.stop()


@pytest.fixture(scope="module")
def sharing(tmp_path_factory):
    """A server that takes tensors in shared memory."""
    repository = tmp_path_factory.mktemp("sharing")
    for datatype in ("FP32", "BYTES"):
        models.add(repository, "id_" + datatype.lower(), models.BATCHED + models.pair(datatype, "-1"))
    running = Server(repository, "--allow-client-shm")
    yield running
    running.stop()


@pytest.fixture
def program(tmp_path):
    """Starts servers with programmed latencies: program(delays_ms, stall_after=..., stall_ms=...)."""
    started = []

    def begin(delays_ms, **options):
        started.append(Programmed(tmp_path / f"programmed-{len(started)}", delays_ms, **options))
        return started[-1]

    yield begin
    for running in started:
        running.kill()


@pytest.fixture
def start():
    """Starts servers of a test's own: start(repository, *flags)."""
    started = []

    def begin(repository, *flags):
        started.append(Server(repository, *flags))
        return started[-1]

    yield begin
    for running in started:
        try:
            running.stop(expected=running.process.poll() or 0)
        finally:
            running.kill()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    return folder
