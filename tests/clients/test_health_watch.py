"""grpc.health.v1's Watch: the status now and at every change."""


import grpc
import models
import pytest
from cases import case
from models import BATCHED, pair, parameter
from serving import wait_until
from wire import Http2, get, grpc_call, grpc_error, request

WATCH = "/grpc.health.v1.Health/Watch"
SERVING, NOT_SERVING = 1, 2
HEAD = [("content-type", "application/grpc"), ("te", "trailers")]
MODEL = BATCHED + pair("INT32", "-1")
WATCHES_MAX = 1024


def asked(service):
    """A HealthCheckRequest."""
    return b"\x0a" + bytes([len(service)]) + service.encode() if service else b""


def status_of(message):
    """Of a HealthCheckResponse."""
    assert len(message) == 2 and message[0] == 8, message
    return message[1]


class Watch:
    def __init__(self, server, service="", **more):
        self.channel = grpc.insecure_channel(server.grpc_url)
        self.call = self.channel.unary_stream(WATCH)(asked(service), **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call.cancel()
        self.channel.close()

    def next(self):
        return status_of(next(self.call))


@pytest.fixture
def controlled(start, repository):
    """A server whose readiness the test changes: it loads and unloads a model that loads, or does not."""
    models.add(repository, "good", MODEL)
    models.add(repository, "bad", MODEL + parameter("fail_load", "not today"))
    return start(repository, "--model-control-mode=explicit", "--load-model=good")


def change(server, ready):
    """Makes the server ready, or not: a model that cannot be loaded keeps it from being so."""
    request(server.http, "POST", f"/v2/repository/models/bad/{'unload' if ready else 'load'}", b"")
    assert (get(server.http, "/v2/health/ready").status == 200) == ready


@case("WA01", "gRPC", "Health/Watch of the server, of its service, and of any other name", "SERVING at once; the call stays open")
@pytest.mark.parametrize("service", ["", "inference.GRPCInferenceService", "readiness"])
def test_status_at_once(controlled, service):
    with Watch(controlled, service) as watch:
        assert watch.next() == SERVING
        assert watch.call.is_active()


@case("WA02", "gRPC", "Health/Watch while readiness changes", "each new status, once")
def test_changes(controlled):
    with Watch(controlled) as watch, Watch(controlled, "inference.GRPCInferenceService") as other:
        for one in (watch, other):
            assert one.next() == SERVING
        for ready in (False, True, False, True):
            change(controlled, ready)
            for one in (watch, other):
                assert one.next() == (SERVING if ready else NOT_SERVING)


@case("WA03", "gRPC", "loads and unloads that leave the server ready", "no message: the next one is that of a later change")
def test_other_changes_are_not_told(controlled):
    with Watch(controlled) as watch:
        assert watch.next() == SERVING
        for action in ("unload", "load", "load"):
            assert request(controlled.http, "POST", f"/v2/repository/models/good/{action}", b"").status == 200
        change(controlled, False)
        seen = [watch.next()]
        while seen[-1] != NOT_SERVING or len(seen) % 2 == 0:
            seen.append(watch.next())
        assert all(a != b for a, b in zip([SERVING, *seen], seen))


@case("WA04", "gRPC", "Health/Watch while models are being loaded at start", "NOT_SERVING, then SERVING")
def test_start(start, repository):
    models.add(repository, "slow", MODEL + parameter("load_delay_ms", "5000"))
    server = start(repository, wait=False)
    server.grpc = server.port("gRPC")
    with Watch(server) as watch:
        assert watch.next() == NOT_SERVING
        assert watch.next() == SERVING


@case("WA05", "gRPC", "Health/Watch under a name that the server does not have", "the server's status and its changes, as Check tells it")
def test_any_name(controlled):
    with Watch(controlled, "other.Service") as watch:
        assert watch.next() == SERVING
        change(controlled, False)
        assert watch.next() == NOT_SERVING
        assert grpc_call(controlled.grpc, "/grpc.health.v1.Health/Check", asked("other.Service")) == b"\x08\x02"


@case("WA06", "gRPC", "SIGTERM while calls of Watch are open", "NOT_SERVING, then UNAVAILABLE; the server ends with code 0")
def test_end(controlled):
    with Watch(controlled) as watch, Watch(controlled, "other.Service") as other:
        assert watch.next() == SERVING
        assert other.next() == SERVING
        controlled.signal()
        for one in (watch, other):
            assert one.next() == NOT_SERVING
            with pytest.raises(grpc.RpcError) as raised:
                one.next()
            assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    assert controlled.wait() == 0


@case("WA07", "gRPC", "a message that is no HealthCheckRequest", "INVALID_ARGUMENT")
def test_broken_message(controlled):
    assert grpc_error(controlled.grpc, WATCH, b"\xff\xff")[0] == grpc.StatusCode.INVALID_ARGUMENT


@case("WA08", "gRPC", "Health/Watch with a deadline", "the status, then DEADLINE_EXCEEDED")
def test_deadline(controlled):
    with Http2(controlled.grpc) as connection:
        stream = connection.begin("POST", WATCH, [*HEAD, ("grpc-timeout", "300m")])
        connection.data(stream, b"\0\0\0\0\0")
        state = connection.answer(stream)
    assert state["body"] == b"\0\0\0\0\2\x08\x01"
    assert state["trailers"]["grpc-status"] == "4"


@case("WA09", "gRPC", "calls of Watch opened and cancelled by the thousand", "their places are free again")
def test_cancelled_watches(controlled):
    for _ in range(3 * WATCHES_MAX // 200):
        with Http2(controlled.grpc) as connection:
            streams = [connection.begin("POST", WATCH, HEAD) for _ in range(200)]
            for stream in streams:
                connection.data(stream, b"\0\0\0\0\0")
            for stream in streams:
                while not connection.streams[stream]["body"]:
                    connection.receive()
    wait_until(lambda: is_told(controlled, SERVING))


@case("WA10", "gRPC", "more calls of Watch than 1024", "RESOURCE_EXHAUSTED for those; the others hear of changes")
def test_too_many_watches(controlled):
    connections = [Http2(controlled.grpc) for _ in range(WATCHES_MAX // 128)]
    try:
        streams = []
        for connection in connections:
            for _ in range(128):
                stream = connection.begin("POST", WATCH, HEAD)
                connection.data(stream, b"\0\0\0\0\0")
                streams.append((connection, stream))
        for connection, stream in streams:
            while not connection.streams[stream]["body"]:
                connection.receive()
        assert grpc_error(controlled.grpc, WATCH, b"")[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
        change(controlled, False)
        for connection, stream in streams:
            while len(connection.streams[stream]["body"]) < 14:
                connection.receive()
            assert connection.streams[stream]["body"].endswith(b"\x08\x02")
    finally:
        for connection in connections:
            connection.socket.close()
    wait_until(lambda: is_told(controlled, NOT_SERVING))  # once their ends have been noticed


def is_told(server, status):
    with Watch(server) as watch:
        try:
            return watch.next() == status
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            return False


@case("WA11", "gRPC", "a client that takes no message while readiness changes many times", "it is told the last status when it does, not all that were in between")
def test_slow_watcher(controlled):
    with Http2(controlled.grpc) as connection:
        connection.h2.update_settings({4: 0})  # no window for messages
        connection.flush()
        stream = connection.begin("POST", WATCH, HEAD)
        connection.data(stream, b"\0\0\0\0\0")
        while not connection.streams[stream]["fields"]:
            connection.receive()
        for i in range(21):
            change(controlled, i % 2 == 1)
        connection.h2.increment_flow_control_window(1000, stream)
        connection.flush()
        while not connection.streams[stream]["body"].endswith(b"\x08\x02"):
            assert connection.receive()
        assert connection.streams[stream]["body"] == b"\0\0\0\0\2\x08\x01" + b"\0\0\0\0\2\x08\x02"
