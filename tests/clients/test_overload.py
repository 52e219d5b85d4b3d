"""Limits, deadlines and queues: what is too much is refused early and cleanly."""

import concurrent.futures
import struct

import grpc
import models
import pytest
from cases import case
from models import BATCHED, pair, parameter
from serving import wait_until
from wire import Socket, get, good_inference, grpc_error, infer_input, infer_message, post_infer, request

SMALL = 100_000


@pytest.fixture
def small(start, repository):
    """A server with small limits."""
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    models.add(repository, "one at a time", BATCHED.replace("8", "1") + pair("INT32", "-1") + parameter("execute_delay_ms", "500"))
    running = start(repository, f"--max-request-size={SMALL}", "--max-queue-size=2", "--max-connections=8", "--idle-timeout-secs=1",
                    "--request-timeout-secs=1")
    yield running
    good_inference(running.http)


@case("LI01", "HTTP", "a Content-Length over --max-request-size", "413 with the limit, before the body is sent")
def test_body_announced_too_large(small):
    with Socket(small.http) as connection:
        connection.send(b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (SMALL + 1))
        answer = connection.read_response()
    assert answer.status == 413
    assert str(SMALL) in answer.error


@case("LI02", "HTTP", "a chunked body that grows over --max-request-size", "413 with the limit")
def test_chunked_body_too_large(small):
    with Socket(small.http) as connection:
        connection.send(b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            connection.send(b"a000\r\n" + bytes(0xA000) + b"\r\n")
        assert connection.read_response().status == 413


@case("LI03", "gRPC", "a message over --max-request-size", "RESOURCE_EXHAUSTED with the limit")
def test_message_too_large(small):
    message = infer_message("id_int32", ("IN", "INT32", [1, 50_000], bytes(200_000)))
    code, text = grpc_error(small.grpc, "ModelInfer", message)
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(SMALL) in text


@case("LI04", "HTTP", "a body of exactly --max-request-size", "taken")
def test_body_at_the_limit(small):
    answer = request(small.http, "POST", "/v2/models/id_int32/infer", b" " * SMALL)
    assert answer.status == 400  # it is no JSON, but it is not too large


@case("LI05", "HTTP", "more requests than instances and --max-queue-size hold", "503 for the surplus; the others succeed")
def test_full_queue(small):
    def infer(_):
        return post_infer(small.http, "one%20at%20a%20time", {"inputs": [infer_input([1])]})

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(infer, range(6)))
    statuses = sorted(answer.status for answer in answers)
    assert set(statuses) == {200, 503}
    # One runs and --max-queue-size wait. One fewer where all came before the instance had taken the first from the queue, one
    # more where it ended in time for a late one.
    assert statuses.count(200) in (2, 3, 4)
    for answer in answers:
        if answer.status == 503:
            assert "queue" in answer.error


@case("LI06", "HTTP", "a timeout that passes while the request is queued", "503: it expired; it never runs")
def test_timeout_in_the_queue(small):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(post_infer, small.http, "one%20at%20a%20time", {"inputs": [infer_input([1])]})
        while not first.done():
            body = {"inputs": [infer_input([2])], "parameters": {"timeout": 1000}}
            answer = post_infer(small.http, "one%20at%20a%20time", body)
            if answer.status == 503:
                break
        assert answer.status == 503
        assert "timeout" in answer.error
        assert first.result().status == 200


@case("LI07", "gRPC", "a timeout parameter that passes while the request is queued", "UNAVAILABLE, as Triton says")
def test_grpc_timeout_in_the_queue(small):
    message = infer_message("one at a time", ("IN", "INT32", [1, 1], struct.pack("<i", 1)))
    message.parameters["timeout"].int64_param = 1000
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(post_infer, small.http, "one%20at%20a%20time", {"inputs": [infer_input([1])]})
        code = None
        while not first.done() and code is None:
            try:
                code, text = grpc_error(small.grpc, "ModelInfer", message)
            except AssertionError:
                pass  # it came before the other one
        assert code == grpc.StatusCode.UNAVAILABLE
        assert text == "Request timeout expired"
        assert first.result().status == 200


@case("LI08", "HTTP", "more connections than --max-connections", "the surplus is told to come back; the first ones work")
def test_too_many_connections(start, repository):
    running = start(repository, "--max-connections=8")  # the first ones stay, for they are not idle for too long
    connections = [Socket(running.http) for _ in range(20)]
    try:
        statuses = []
        for connection in connections:
            connection.send(b"GET /v2 HTTP/1.1\r\nHost: h\r\n\r\n")
            statuses.append(connection.read_response().status)
        assert statuses == [200] * 8 + [503] * 12
    finally:
        for connection in connections:
            connection.socket.close()
    wait_until(lambda: is_alive(running.http))  # it sees them go, and then there is room again


def is_alive(port):
    try:
        return get(port, "/v2/health/live").status == 200
    except OSError:
        return False


@case("LI09", "HTTP", "a connection without a request", "closed after --idle-timeout-secs")
def test_idle_connection(small):
    with Socket(small.http) as connection:
        connection.send(b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n")
        assert connection.read_response().status == 200
        assert connection.read_to_end() == b""


@case("LI10", "HTTP", "a request whose head or body does not come to its end", "408, and the connection is closed")
@pytest.mark.parametrize("part", [b"GET /v2 HT", b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{"])
def test_slow_client(small, part):
    with Socket(small.http) as connection:
        connection.send(part)
        assert connection.read_response().status == 408
        assert connection.read_to_end() == b""
