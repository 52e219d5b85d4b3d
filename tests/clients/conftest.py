"""Fixtures: one shared server for the tests that only talk, and others of their own for the tests that start and stop."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import models
import wire
from serving import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server with all models of models.py; must end cleanly after all tests."""
    repository = tmp_path_factory.mktemp("models")
    models.build(repository)
    running = Server(repository)
    yield running
    running.stop()


@pytest.fixture(scope="module", autouse=True)
def survival(request):
    """After every module that used the shared server, it must still be healthy and infer."""
    used = any("server" in item.fixturenames for item in request.session.items if item.module is request.module)
    running = request.getfixturevalue("server") if used else None
    yield
    if running:
        wire.good_inference(running.http)


@pytest.fixture
def start(tmp_path):
    """Starts servers of a test's own: start(repository, *flags). What the test leaves running is stopped cleanly."""
    started = []

    def begin(repository, *flags, **more):
        running = Server(repository, *flags, **more)
        started.append(running)
        return running

    yield begin
    for running in started:
        try:
            running.stop(expected=running.process.poll() or 0)
        finally:
            running.kill()


@pytest.fixture
def repository(tmp_path):
    """An empty model repository."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder
