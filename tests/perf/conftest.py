"""Fixtures: a server with the models that the tests of `inferd perf` load."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients" / "protocol"))

import models
import wire
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
