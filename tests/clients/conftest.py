"""Fixtures: one shared server for the tests that only talk, and others of their own for the tests that start and stop."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import memory
import memory_wire
import models
import repository as rp
import streaming
import tracing
import wire
from certificates import Authority
from serving import Server


def pytest_configure(config):
    config.addinivalue_line("markers", "repeat: shows what another test shows too; a sanitized server is too slow for it")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server with all models of models.py; must end cleanly after all tests."""
    repository = tmp_path_factory.mktemp("models")
    models.build(repository)
    running = Server(repository)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def memory_server(tmp_path_factory):
    """A server that lets clients register memory; besides all models one that runs batches of two only, and a decoupled one."""
    repository = tmp_path_factory.mktemp("memory")
    models.build(repository)
    for datatype in ("FP32", "INT32", "BYTES"):
        batches = "dynamic_batching { preferred_batch_size: [2] max_queue_delay_microseconds: 600000000 }"
        models.add(repository, "gate_" + datatype.lower(), models.BATCHED + models.pair(datatype, "-1") + batches)
    many = "model_transaction_policy { decoupled: true }\n" + models.parameter("responses", "3")
    models.add(repository, "many", models.BATCHED + models.pair("INT32", "-1") + many)
    running = Server(repository, "--allow-client-shm")
    yield running
    wire.good_inference(running.http)
    running.stop()


@pytest.fixture
def memory_host(memory_server):
    """The same, without a region."""
    memory_wire.unregister_all(memory_server)
    return memory_server


@pytest.fixture(scope="session")
def stream_server(tmp_path_factory):
    """A server with streaming's models; must end cleanly."""
    repository = tmp_path_factory.mktemp("streams")
    streaming.add_models(repository)
    running = Server(repository)
    yield running
    wire.good_inference(running.http)
    running.stop()


@pytest.fixture(scope="module")
def controlled(tmp_path_factory):
    """A server that loads what it is told to; of its models only "resident" from the start."""
    folder = tmp_path_factory.mktemp("controlled")
    repository, temporary = folder / "models", folder / "temporary"
    repository.mkdir()
    temporary.mkdir()
    for name in ("resident", "spare"):
        rp.add(repository, name)
    running = Server(repository, rp.EXPLICIT, "--load-model=resident", environment={"TMPDIR": str(temporary)})
    running.repository, running.temporary = repository, temporary
    yield running
    assert rp.infer(running, "resident", 1, 2) == (200, [1, 2])
    running.stop()
    assert not list(temporary.iterdir())


@pytest.fixture(params=[rp.Http, rp.Grpc], ids=["http", "grpc"])
def calls(request, controlled):
    """The calls to that server by either protocol; afterwards only "resident" is loaded."""
    made = request.param(controlled)
    yield made
    for name, _, _, _ in made.index():
        if name != "resident":
            made.unload(name)
            if name != "spare":
                shutil.rmtree(controlled.repository / name, ignore_errors=True)
    assert {row[0] for row in made.index()} == {"resident", "spare"}
    assert not list(controlled.temporary.iterdir())


@pytest.fixture
def fresh(controlled):
    """Makes a model of the test's own in the repository."""
    return lambda name, more="", **kind: rp.add(controlled.repository, name, more, **kind)


@pytest.fixture
def make_object():
    """Makes shared-memory objects that go with the test."""
    with memory.objects() as function:
        yield function


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
def own_stream_server(start, repository):
    """Starts servers with the same models: own_stream_server(*flags)."""
    streaming.add_models(repository)
    return lambda *flags: start(repository, *flags)


@pytest.fixture
def start_tracing(start, repository):
    """Starts a server that traces as the arguments of --trace-config tell: start_tracing("level=TIMESTAMPS", ...)."""
    return tracing.starter(start, repository)


@pytest.fixture
def trace_path(tmp_path):
    return tmp_path / "trace.json"


@pytest.fixture
def traced(start_tracing, trace_path):
    """A server that traces each request into a file."""
    return start_tracing("level=TIMESTAMPS", "rate=1", f"triton,file={trace_path}")


@pytest.fixture
def repository(tmp_path):
    """An empty model repository."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """An authority that the server has nothing to do with."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture
def secured(start, repository, authority):
    """Starts servers that speak TLS: secured(*flags)."""
    models.add(repository, "id_int32", models.BATCHED + models.pair("INT32", "-1"))
    certificate, key = authority.sign("server")
    return lambda *flags: start(repository, f"--tls-cert-file={certificate}", f"--tls-key-file={key}", *flags)
