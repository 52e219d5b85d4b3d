"""Fixtures for the tests of TRTIS v1: they run in a Python environment of their own (requirements.txt)."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "clients")]

import models
from old_client import ProtocolType
from serving import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server with the models of the client tests and those of v1's own."""
    repository = tmp_path_factory.mktemp("models")
    models.build(repository)
    add_models(repository)
    running = Server(repository, "--allow-client-shm=true")
    yield running
    running.stop()


def add_models(repository):
    batched = models.BATCHED
    models.add(repository, "pair", batched + models.tensor("input", "A", "INT32", "-1") + models.tensor("input", "B", "FP32", "2") +
               models.tensor("output", "X", "INT32", "-1") + models.tensor("output", "Y", "FP32", "2"))
    models.add(repository, "strings", batched + models.pair("BYTES", "2"))
    models.add(repository, "fixed", batched + models.pair("INT32", "4"))
    models.add(repository, "sequence", batched + models.pair("INT32", "1") + models.tensor("output", "SEQUENCE", "UINT64", "2") +
               models.parameter("sequence_output", "SEQUENCE"))
    models.add(repository, "ordered", batched + models.pair("INT32", "1") + "dynamic_batching { max_queue_delay_microseconds: 1000 }")


@pytest.fixture(params=["http", "grpc"])
def wire(request, server):
    """(url, protocol) of both protocols in turn."""
    if request.param == "http":
        return server.http_url, ProtocolType.HTTP
    return server.grpc_url, ProtocolType.GRPC


@pytest.fixture
def grpc(server):
    return server.grpc_url, ProtocolType.GRPC


@pytest.fixture
def http(server):
    return server.http_url, ProtocolType.HTTP


@pytest.fixture
def start(tmp_path):
    """Starts servers of a test's own: start(repository, *flags)."""
    started = []

    def begin(repository, *flags):
        running = Server(repository, *flags)
        started.append(running)
        return running

    yield begin
    for running in started:
        running.stop()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    return folder
