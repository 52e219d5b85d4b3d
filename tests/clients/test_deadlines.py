"""Deadlines and lost clients: what has expired or lost its client leaves the queue, is answered in time and never runs."""

import json
import re
import struct
import threading

import grpc
import models
import pytest
from cases import case
from models import BATCHED, pair, parameter
from serving import wait_until
from tritonclient.grpc import service_pb2 as pb
from wire import SERVICE, Http2, Socket, get, good_inference, grpc_call, grpc_error, infer_input, infer_message, post_infer

EXPIRED = "Request timeout expired"
MINUTES = parameter("execute_delay_ms", "600000")
STUCK = "stuck"  # its one instance works for ten minutes on each execution, unless all of it is cancelled
UNAVAILABLE, DEADLINE_EXCEEDED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED
# In a test that waits for a deadline: soon, but not before the request has begun to run.
SOON_US = 300_000


@pytest.fixture
def alone(start, repository):
    """A server of the test's own, so that its counters tell of the test's requests only."""
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    models.add(repository, STUCK, BATCHED + pair("INT32", "-1") + MINUTES)
    models.add(repository, "short", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "600"))
    running = start(repository)
    yield running
    good_inference(running.http)


def failures(server, model, reason):
    """nv_inference_request_failure of a model, for a reason."""
    line = rf'^nv_inference_request_failure{{model="{model}",version="1",reason="{reason}"}} (\d+)'
    return int(re.search(line, get(server.metrics, "/metrics").body.decode(), re.M).group(1))


def pending(server, model):
    line = rf'^nv_inference_pending_request_count{{model="{model}",version="1"}} (\d+)'
    return int(re.search(line, get(server.metrics, "/metrics").body.decode(), re.M).group(1))


def statistics(server, model):
    return get(server.http, f"/v2/models/{model}/stats").json["model_stats"][0]


def body(timeout=None, **more):
    parameters = {"timeout": timeout} if timeout is not None else {}
    return {"inputs": [infer_input([1, 2])], "parameters": parameters, **more}


def message(model, timeout=None, **more):
    request = infer_message(model, ("IN", "INT32", [1, 1], struct.pack("<i", 1)), **more)
    if timeout is not None:
        request.parameters["timeout"].int64_param = timeout
    return request


class Waiting:
    """An HTTP/1.1 client that has sent an inference and waits."""

    def __init__(self, port, model, request):
        data = json.dumps(request).encode()
        self.connection = Socket(port)
        self.connection.send(b"POST /v2/models/%s/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (model.encode(), len(data)) + data)

    def __enter__(self):
        return self.connection

    def __exit__(self, *_):
        self.connection.socket.close()


def occupy(server):
    """Keeps the instance of the model busy; leaves when closed."""
    waiting = Waiting(server.http, STUCK, body())
    wait_until(lambda: pending(server, STUCK) == 0)  # it may not have come yet
    wait_until(lambda: is_busy(server))
    return waiting.connection


def is_busy(server):
    """A request with a short timeout stays in the queue: the instance works on another one."""
    before = failures(server, STUCK, "REJECTED")
    cancelled = failures(server, STUCK, "CANCELED")
    assert post_infer(server.http, STUCK, body(1000)).status == 503
    wait_until(lambda: failures(server, STUCK, "REJECTED") > before or failures(server, STUCK, "CANCELED") > cancelled)
    return failures(server, STUCK, "REJECTED") == before + 1


@case("DL01", "HTTP", "`timeout` that passes while the model runs", "503 'Request timeout expired' at that moment; the execution is cancelled")
def test_timeout_in_execution(alone):
    answer = post_infer(alone.http, STUCK, body(SOON_US))
    assert (answer.status, answer.error) == (503, EXPIRED)
    wait_until(lambda: failures(alone, STUCK, "CANCELED") == 1)
    assert post_infer(alone.http, STUCK, body(SOON_US)).status == 503  # the instance is free again


@case("DL02", "gRPC", "`timeout` that passes while the model runs", "UNAVAILABLE 'Request timeout expired' at that moment")
def test_grpc_timeout_in_execution(alone):
    assert grpc_error(alone.grpc, "ModelInfer", message(STUCK, SOON_US)) == (UNAVAILABLE, EXPIRED)
    wait_until(lambda: failures(alone, STUCK, "CANCELED") == 1)


@case("DL03", "gRPC", "grpc-timeout that passes while the model runs", "DEADLINE_EXCEEDED; the execution is cancelled")
def test_grpc_deadline_in_execution(alone):
    head = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "300m")]
    with Http2(alone.grpc) as connection:
        stream = connection.begin("POST", SERVICE + "ModelInfer", head)
        connection.data(stream, framed(message(STUCK)))
        state = connection.answer(stream)
    assert state["fields"]["grpc-status"] == "4"
    wait_until(lambda: failures(alone, STUCK, "CANCELED") == 1)


def framed(request):
    data = request.SerializeToString()
    return struct.pack(">BI", 0, len(data)) + data


@case("DL04", "HTTP", "`timeout` that passes in the queue", "503; REJECTED is counted; it never runs")
def test_timeout_in_queue(alone):
    with occupy(alone):
        before = failures(alone, STUCK, "REJECTED")
        answer = post_infer(alone.http, STUCK, body(SOON_US))
        assert (answer.status, answer.error) == (503, EXPIRED)
        wait_until(lambda: failures(alone, STUCK, "REJECTED") == before + 1)
    assert statistics(alone, STUCK)["execution_count"] == 0


@case("DL05", "gRPC", "grpc-timeout that passes in the queue", "DEADLINE_EXCEEDED; it never runs")
def test_grpc_deadline_in_queue(alone):
    with occupy(alone):
        assert grpc_error(alone.grpc, "ModelInfer", message(STUCK), timeout=0.3)[0] == DEADLINE_EXCEEDED
        wait_until(lambda: pending(alone, STUCK) == 0)
    assert statistics(alone, STUCK)["execution_count"] == 0


@case("DL06", "gRPC", "`timeout` before grpc-timeout", "UNAVAILABLE: the earlier one counts")
def test_timeout_is_earlier(alone):
    assert grpc_error(alone.grpc, "ModelInfer", message(STUCK, SOON_US), timeout=50) == (UNAVAILABLE, EXPIRED)


@case("DL07", "gRPC", "grpc-timeout before `timeout`", "DEADLINE_EXCEEDED: the earlier one counts")
def test_deadline_is_earlier(alone):
    head = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "300m")]
    with Http2(alone.grpc) as connection:
        stream = connection.begin("POST", SERVICE + "ModelInfer", head)
        connection.data(stream, framed(message(STUCK, 50_000_000)))
        assert connection.answer(stream)["fields"]["grpc-status"] == "4"


@case("DL08", "HTTP, gRPC", "a result that comes before the deadline", "is delivered")
def test_in_time(alone):
    assert post_infer(alone.http, "short", body(50_000_000)).status == 200
    assert grpc_call(alone.grpc, "ModelInfer", message("short", 50_000_000), timeout=50)


@case("DL09", "HTTP", "a result that comes after the deadline, and a next request on the same connection", "503, then the next answer: nothing gets mixed up")
def test_late_result_is_dropped(alone):
    with Waiting(alone.http, "short", body(100_000, id="late")) as connection:
        answer = connection.read_response()
        assert (answer.status, answer.error) == (503, "[request id: late] " + EXPIRED)
        for number in range(3):  # also while the late result arrives, which nobody waits for
            data = json.dumps({"id": str(number), "inputs": [infer_input([number])]}).encode()
            connection.send(b"POST /v2/models/short/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
            answer = connection.read_response()
            assert answer.json["id"] == str(number)
    assert statistics(alone, "short")["inference_stats"]["success"]["count"] == 3
    assert failures(alone, "short", "CANCELED") == 1


@case("DL10", "HTTP", "`timeout` 0", "no deadline")
def test_no_timeout(alone):
    assert post_infer(alone.http, "short", body(0)).status == 200


@case("DL11", "HTTP", "`timeout` of centuries", "no deadline")
def test_endless_timeout(alone):
    assert post_infer(alone.http, "id_int32", body(2**63)).status == 200
    assert post_infer(alone.http, "id_int32", body(2**64 - 1)).status == 200


@case("DL12", "gRPC", "grpc-timeout 0n", "DEADLINE_EXCEEDED; it never reaches the model")
def test_deadline_that_has_passed(alone):
    head = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "0n")]
    with Http2(alone.grpc) as connection:
        stream = connection.begin("POST", SERVICE + "ModelInfer", head)
        connection.data(stream, framed(message("id_int32")))
        assert connection.answer(stream)["fields"]["grpc-status"] == "4"
    assert statistics(alone, "id_int32")["inference_count"] == 0


@case("DL13", "HTTP", "fifty requests with timeouts, all of them passing at about the same time, queued and running", "each is answered 503")
def test_many_timeouts(alone):
    clients = [Waiting(alone.http, STUCK, body(SOON_US + 1000 * i)) for i in range(50)]
    for client in clients:
        with client as connection:
            assert connection.read_response().status == 503
    wait_until(lambda: failures(alone, STUCK, "CANCELED") + failures(alone, STUCK, "REJECTED") == 50)


def gone(alone, leave):
    """Occupies the model; one client more leaves while its request runs, another while it is queued."""
    running = Waiting(alone.http, STUCK, body()).connection
    wait_until(lambda: is_busy(alone))
    before = failures(alone, STUCK, "CANCELED")
    queued = Waiting(alone.http, STUCK, body()).connection
    wait_until(lambda: pending(alone, STUCK) == 1)
    leave(queued)
    wait_until(lambda: pending(alone, STUCK) == 0)
    wait_until(lambda: failures(alone, STUCK, "CANCELED") == before + 1)  # from the queue: the other one still runs
    leave(running)
    wait_until(lambda: failures(alone, STUCK, "CANCELED") == before + 2)
    running.socket.close()
    queued.socket.close()


@case("DL14", "HTTP/1.1", "a client that resets its connection while its request runs, or waits in the queue", "the request is cancelled at once and counted as CANCELED")
def test_reset(alone):
    gone(alone, lambda connection: connection.abort())


@case("DL15", "HTTP/1.1", "a client that closes its connection (a plain FIN)", "the request is cancelled at once and counted as CANCELED")
def test_close(alone):
    gone(alone, lambda connection: connection.socket.close())


@case("DL16", "HTTP/1.1", "a client that closes only its sending side", "counts as gone: cancelled, and the connection is closed")
def test_half_close(alone):
    def leave(connection):
        connection.close_sending()
        assert connection.read_to_end() == b""

    gone(alone, leave)


@case("DL17", "HTTP/1.1", "a client that closes behind more pipelined bytes than are read ahead", "is noticed all the same")
def test_close_behind_unread_bytes(alone):
    def leave(connection):
        connection.send(b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n" * 2000)
        connection.close_sending()

    gone(alone, leave)


@case("DL18", "HTTP/1.1", "a client that closes its sending side behind requests that can be answered at once", "gets the answers")
def test_half_close_behind_quick_requests(alone):
    with Socket(alone.http) as connection:
        connection.send(b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\nGET /v2 HTTP/1.1\r\nHost: h\r\n\r\n")
        connection.close_sending()
        answers = connection.read_to_end()
    assert answers.count(b"HTTP/1.1 200 OK") == 2


@case("DL25", "HTTP/1.1", "a client that closes its sending side behind an inference of a model that runs on the loop", "gets the answer")
def test_half_close_behind_a_quick_inference(alone):
    data = json.dumps(body()).encode()
    with Socket(alone.http) as connection:
        connection.send(b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        connection.close_sending()
        assert connection.read_to_end().startswith(b"HTTP/1.1 200 OK")


@case("DL19", "HTTP/2", "a stream reset while its request runs", "cancelled; the connection goes on")
def test_h2_reset(alone):
    with Http2(alone.http) as connection:
        stream = connection.begin("POST", f"/v2/models/{STUCK}/infer")
        connection.data(stream, json.dumps(body()).encode())
        wait_until(lambda: is_busy(alone))
        before = failures(alone, STUCK, "CANCELED")
        connection.h2.reset_stream(stream)
        connection.flush()
        wait_until(lambda: failures(alone, STUCK, "CANCELED") == before + 1)
        stream = connection.begin("GET", "/v2/health/live", end=True)
        assert connection.answer(stream)["fields"][":status"] == "200"


@case("DL20", "HTTP/2", "a connection closed with requests that run and wait", "all are cancelled")
def test_h2_close(alone):
    with Http2(alone.http) as connection:
        for _ in range(5):
            stream = connection.begin("POST", f"/v2/models/{STUCK}/infer")
            connection.data(stream, json.dumps(body()).encode())
        wait_until(lambda: pending(alone, STUCK) == 4)
    wait_until(lambda: failures(alone, STUCK, "CANCELED") == 5)


@case("DL21", "gRPC", "calls cancelled while they run and wait", "the queued one leaves at once, the running one is told")
def test_grpc_cancel(alone):
    with grpc.insecure_channel(alone.grpc_url) as channel:
        infer = channel.unary_unary(SERVICE + "ModelInfer", pb.ModelInferRequest.SerializeToString, pb.ModelInferResponse.FromString)
        running = infer.future(message(STUCK))
        wait_until(lambda: is_busy(alone))
        before = failures(alone, STUCK, "CANCELED")
        queued = infer.future(message(STUCK))
        wait_until(lambda: pending(alone, STUCK) == 1)
        queued.cancel()
        wait_until(lambda: pending(alone, STUCK) == 0)
        wait_until(lambda: failures(alone, STUCK, "CANCELED") == before + 1)
        running.cancel()
        wait_until(lambda: failures(alone, STUCK, "CANCELED") == before + 2)


@case("DL22", "HTTP", "`timeout` over HTTP/2", "503 at that moment, like over HTTP/1.1")
def test_timeout_over_h2(alone):
    with Http2(alone.http) as connection:
        stream = connection.begin("POST", f"/v2/models/{STUCK}/infer")
        connection.data(stream, json.dumps(body(SOON_US)).encode())
        state = connection.answer(stream)
    assert state["fields"][":status"] == "503"
    assert json.loads(state["body"]) == {"error": EXPIRED}


@case("DL23", "HTTP", "a client that is lost in the middle of a large answer", "others are served; the server lives")
def test_lost_in_a_large_answer(alone):
    large = json.dumps({"inputs": [infer_input([7] * 500_000)]}).encode()
    for leave in (lambda connection: connection.abort(), lambda connection: connection.socket.close()):
        connection = Socket(alone.http)
        connection.send(b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(large) + large)
        assert connection.socket.recv(1000).startswith(b"HTTP/1.1 200 OK")
        leave(connection)
    good_inference(alone.http)


@case("DL24", "HTTP", "many threads whose requests expire, are cancelled and are answered at random", "every answer is 200 or 503, and the counters add up")
def test_mixed(alone):
    answers = []

    def client(seed):
        for i in range(20):
            kind = (seed + i) % 3
            if kind == 0:
                with Waiting(alone.http, "short", body(1000 * (1 + (seed * i) % 900))) as connection:
                    answers.append(connection.read_response().status)
            elif kind == 1:
                with Waiting(alone.http, "short", body()):
                    pass
            else:
                answers.append(post_infer(alone.http, "id_int32", body(60_000_000)).status)

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 503}

    def settled():
        counted = statistics(alone, "short")["inference_stats"]
        refused = sum(failures(alone, "short", reason) for reason in ("REJECTED", "CANCELED"))
        return counted["fail"]["count"] == refused and counted["success"]["count"] + refused <= 80 and pending(alone, "short") == 0

    wait_until(settled)
