"""Fixtures of the tests that also run against the real Triton: one shared server, and tritonclient's clients of it."""

import asyncio
import os

import peer_models
import peers
import pytest
import wire
from kserve_process import KserveProcess
from triton_client import Client


def pytest_generate_tests(metafunc):
    """A test of a case "four clients" runs with each of them: the table cannot say more than is tested."""
    clients = getattr(metafunc.function, "clients", ())
    if "form" in metafunc.fixturenames:
        metafunc.parametrize("form", clients)


def pytest_collection_modifyitems(config, items):
    """Against Triton, a case that it answers otherwise must fail: so the list of differences stays true."""
    if os.environ.get("INFERD_SANITIZED"):
        left_out = [item for item in items if item.get_closest_marker("repeat")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        difference = getattr(getattr(item, "function", None), "triton_differs", None)
        if not peers.TRITON or not difference:
            continue
        reason, only, run = difference
        if not only or item.callspec.params["form"] in only:
            item.add_marker(pytest.mark.xfail(reason=reason, run=run, strict=True))


@pytest.fixture(scope="session")
def peer(tmp_path_factory):
    """The server with all models of peer_models.py; must end cleanly after all tests."""
    repository = tmp_path_factory.mktemp("peer") / "models"
    repository.mkdir()
    peer_models.build(repository)
    running = peers.start(repository, *peers.ALLOW_SHM)
    yield running
    running.stop()


@pytest.fixture(scope="module", autouse=True)
def peer_survival(request):
    """After every module that used the shared server, it must still be healthy and infer."""
    used = any("peer" in item.fixturenames for item in request.session.items if item.module is request.module)
    running = request.getfixturevalue("peer") if used else None
    yield
    if running:
        wire.good_inference(running.http)


@pytest.fixture(scope="session")
def runner():
    """The event loop of the asyncio clients."""
    with asyncio.Runner() as running:
        yield running


@pytest.fixture
def connect(form, runner):
    """Makes clients of the form under test to any server: connect(server, options of the client)."""
    connected = []

    def to(server, **options):
        url = server.http_url if form.startswith("http") else server.grpc_url
        connected.append(Client(form, url, runner, **options))
        return connected[-1]

    yield to
    for client in connected:
        client.close()


@pytest.fixture
def client(peer, connect):
    return connect(peer)


@pytest.fixture(scope="session")
def kserve_process():
    process = KserveProcess()
    yield process
    process.pool.shutdown()
