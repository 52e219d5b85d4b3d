"""Streams that are cancelled, too slow, too fast or lost, and those that the end of the server finds open."""

import random
import struct
import threading

import grpc
import pytest
from cases import case
from serving import Server, wait_until
from streaming import add_models, Stream, ask, cancelled, metric, pending, succeeded
from wire import SERVICE, Http2, good_inference, infer_message

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
EXCEEDED = grpc.StatusCode.DEADLINE_EXCEEDED


# ---- ends ----


@case("ST28", "gRPC stream", "half-close with requests pending", "all are answered, then OK")
def test_half_close_with_pending(stream_server):
    with Stream(stream_server.grpc) as stream:
        stream.send(ask("slow", "1"), ask("decoupled", "2", responses=3, response_delay_ms=20), ask("slower", "3"))
        answers = stream.rest()
    assert sorted(answer.infer_response.id for answer in answers) == ["1", "2", "2", "2", "3"]


def fill_queue(server, stream):
    """One request of the stream runs, four wait."""
    stream.send(*[ask("stuck", str(i)) for i in range(5)])
    wait_until(lambda: pending(server, "stuck") == 4)


@case("ST29", "gRPC stream", "cancelled by the client with requests running and queued", "all are cancelled at once, counted as CANCELED, and the model is free")
def test_cancel_with_pending(own_stream_server):
    server = own_stream_server()
    with Stream(server.grpc) as stream:
        fill_queue(server, stream)
        stream.cancel()
        wait_until(lambda: pending(server, "stuck") == 0)
        wait_until(lambda: cancelled(server, "stuck") == 5)


@case("ST30", "gRPC stream", "a connection lost with requests running and queued", "all are cancelled")
def test_lost_with_pending(own_stream_server):
    server = own_stream_server()
    with Http2(server.grpc) as connection:
        number = open_stream(connection)
        connection.data(number, b"".join(framed(ask("stuck")) for _ in range(5)), end=False)
        wait_until(lambda: pending(server, "stuck") == 4)
    wait_until(lambda: cancelled(server, "stuck") == 5)


@case("ST31", "gRPC stream", "cancelled while a decoupled model makes responses", "the model is told and stops")
def test_cancel_endless(own_stream_server):
    server = own_stream_server()
    with Stream(server.grpc) as stream:
        stream.send(ask("endless"))
        for _ in range(3):
            stream.good()
        stream.cancel()
        wait_until(lambda: cancelled(server, "endless") == 1)


@case("ST32", "gRPC stream", "half-close while a decoupled model makes responses, then cancel", "responses go on until then")
def test_half_close_then_cancel(own_stream_server):
    server = own_stream_server()
    with Stream(server.grpc) as stream:
        stream.send(ask("endless"))
        stream.half_close()
        for _ in range(5):
            stream.good()
        stream.cancel()
        wait_until(lambda: cancelled(server, "endless") == 1)


@case("ST33", "gRPC stream", "grpc-timeout", "DEADLINE_EXCEEDED for the stream; all that is pending is cancelled")
def test_deadline_of_the_stream(own_stream_server):
    server = own_stream_server()
    with Stream(server.grpc, timeout=5) as stream:  # time for all to arrive, however busy the machine is
        stream.send(ask("id_int32", "in time"))
        assert stream.good().id == "in time"
        stream.send(*[ask("stuck") for _ in range(3)])
        assert stream.failure()[0] == EXCEEDED
    wait_until(lambda: cancelled(server, "stuck") + metric(server, "nv_inference_request_failure", "stuck", reason="REJECTED") == 3)


@case("ST34", "gRPC stream", "grpc-timeout, seen on the wire", "the server itself ends the stream with DEADLINE_EXCEEDED")
def test_deadline_on_the_wire(stream_server):
    with Http2(stream_server.grpc) as connection:
        number = open_stream(connection, ("grpc-timeout", "300m"))
        connection.data(number, framed(ask("endless", response_delay_ms=600_000)), end=False)
        state = connection.answer(number)
    assert {**state["fields"], **state["trailers"]}["grpc-status"] == "4"


@case("ST35", "gRPC stream", "requests with `timeout`, running and queued", "each is told 'Request timeout expired' in the stream, which goes on")
def test_timeout_in_the_stream(own_stream_server):
    server = own_stream_server()
    with Stream(server.grpc) as stream:
        stream.send(ask("stuck", "runs", timeout=300_000), ask("stuck", "waits", timeout=100_000), ask("id_int32", "next"))
        assert stream.error() == ("[request id: runs] Request timeout expired", "runs")
        assert stream.error() == ("[request id: waits] Request timeout expired", "waits")
        assert stream.good().id == "next"
        stream.send(ask("endless", "endless", timeout=2_000_000))
        answers = [stream.receive()]
        while not answers[-1].error_message:
            answers.append(stream.receive())
        assert answers[-1].infer_response.id == "endless"
        assert "Request timeout expired" in answers[-1].error_message
        assert len(answers) > 1
        assert stream.rest() == []


@case("ST36", "gRPC stream", "`timeout` of many decoupled requests at about the same time", "each is told once")
def test_many_timeouts(stream_server):
    with Stream(stream_server.grpc) as stream:
        stream.send(*[ask("endless", str(i), timeout=150_000 + 1000 * i, response_delay_ms=600_000) for i in range(100)])
        errors = [stream.error() for _ in range(100)]
        assert sorted(int(identity) for _, identity in errors) == list(range(100))
        assert stream.rest() == []


@case("ST90", "gRPC", "SIGTERM while streams are open: one without a message, one that is idle, one with a request pending",
      "the pending one is answered, all end with UNAVAILABLE, exit code 0")
def test_end_of_the_server(tmp_path):
    add_models(tmp_path)
    server = Server(tmp_path)
    with Stream(server.grpc) as silent, Stream(server.grpc) as idle, Stream(server.grpc) as busy:
        idle.send(ask("id_int32"))
        idle.good()
        for _ in range(3):
            busy.send(ask("slow"))  # one runs, two wait
        wait_until(lambda: pending(server, "slow") == 2)
        server.signal()
        busy.good()
        busy.good()
        busy.good()
        for stream in (silent, idle, busy):
            with pytest.raises(grpc.RpcError) as caught:
                stream.receive()
            assert caught.value.code() == UNAVAILABLE
    assert server.wait() == 0


# ---- pace ----


def open_stream(connection, *fields):
    return connection.begin("POST", SERVICE + "ModelStreamInfer", [("content-type", "application/grpc"), ("te", "trailers"), *fields])


def framed(message):
    data = message.SerializeToString()
    return struct.pack(">BI", 0, len(data)) + data


@case("ST37", "gRPC stream", "more requests than --max-stream-requests", "so many are taken; the others wait, are taken later, and none is refused")
def test_requests_in_flight(own_stream_server):
    server = own_stream_server("--max-stream-requests=10")
    with Stream(server.grpc) as stream:
        stream.send(ask("slow", "holds the others"), *[ask("slow", str(i)) for i in range(20)])
        wait_until(lambda: pending(server, "slow") == 9)
        most = 0
        for i in range(21):
            assert stream.good()
            most = max(most, pending(server, "slow"))
        assert most <= 10
        stream.send(*[ask("id_int32", str(i)) for i in range(500)])
        assert [stream.good().id for _ in range(500)] == [str(i) for i in range(500)]
        assert stream.rest() == []


@case("ST38", "gRPC stream", "requests without end for a model that is stuck", "flow control stops the client; others are served")
def test_flow_control_stops_the_client(own_stream_server):
    server = own_stream_server("--max-stream-requests=3")
    with Http2(server.grpc) as connection:
        number = open_stream(connection)
        message = framed(infer_message("stuck", ("IN", "INT32", [1, 250_000], bytes(1_000_000))))
        sent = 0
        while (room := connection.h2.local_flow_control_window(number)) > 0 or (sent < 50_000_000 and more_window(connection, number)):
            part = (message * 2)[sent % len(message) :][: min(room, connection.h2.max_outbound_frame_size)]
            connection.h2.send_data(number, part)
            connection.flush()
            sent += len(part)
        assert sent < 12_000_000  # three messages and a window
        wait_until(lambda: pending(server, "stuck") == 2)
        good_inference(server.http)
        with Stream(server.grpc) as stream:
            stream.send(ask("id_int32", "others"))
            assert stream.good().id == "others"
    wait_until(lambda: cancelled(server, "stuck") == 3)


def more_window(connection, number):
    """Waits a little for the window to open; False when it does not."""
    connection.socket.settimeout(0.5)
    try:
        while connection.h2.local_flow_control_window(number) == 0:
            if not connection.receive():
                return False
        return True
    except TimeoutError:
        return False
    finally:
        connection.socket.settimeout(60)


@case("ST39", "gRPC stream", "a client that sends and does not read", "no more requests are taken; when it reads, all are answered in order")
def test_slow_reader(own_stream_server):
    server = own_stream_server()
    count, size = 60, 400_000
    with Stream(server.grpc) as stream:
        messages = [infer_message("id_int32", ("IN", "INT32", [1, size // 4], struct.pack("<i", i) * (size // 4)), id=str(i)) for i in range(count)]
        stream.send(*messages)
        quiet = [-1, succeeded(server, "id_int32")]
        while quiet[-1] != quiet[-2]:
            threading.Event().wait(0.5)
            quiet.append(succeeded(server, "id_int32"))
        assert quiet[-1] < count
        answers = [answer.infer_response for answer in stream.rest()]
    assert [answer.id for answer in answers] == [str(i) for i in range(count)]
    assert all(answer.raw_output_contents[0] == struct.pack("<i", i) * (size // 4) for i, answer in enumerate(answers))


@case("ST40", "gRPC stream", "a decoupled model that makes more than its client reads, beyond --max-inflight-size", "RESOURCE_EXHAUSTED; the request is cancelled; others are served")
def test_answers_that_nobody_reads(own_stream_server):
    server = own_stream_server("--max-inflight-size=20500000", "--max-request-size=2000000")  # three quarters of it: 15 answers, and room for /metrics
    with Http2(server.grpc) as connection:
        number = open_stream(connection)
        request = infer_message("decoupled", ("IN", "INT32", [1, 250_000], bytes(1_000_000)))
        request.parameters["responses"].int64_param = 100_000
        connection.data(number, framed(request), end=False)
        wait_until(lambda: cancelled(server, "decoupled") == 1)
        good_inference(server.http)


@case("ST41", "gRPC stream", "requests beside others that fill --max-inflight-size", "RESOURCE_EXHAUSTED; later there is room again")
def test_no_room_for_requests(own_stream_server):
    server = own_stream_server("--max-inflight-size=4500000", "--max-request-size=2000000")
    with Stream(server.grpc) as stream:
        stream.send(*[infer_message("stuck", ("IN", "INT32", [1, 250_000], bytes(1_000_000))) for _ in range(5)])
        assert stream.failure()[0] == EXHAUSTED
    wait_until(lambda: pending(server, "stuck") == 0)
    with Stream(server.grpc) as stream:
        for i in range(10):  # what is answered is not held any more
            stream.send(infer_message("id_int32", ("IN", "INT32", [1, 250_000], bytes(1_000_000)), id=str(i)))
            assert stream.good().id == str(i)


@case("ST42", "gRPC stream", "streams of many threads with all kinds of requests, errors, ends and cancellations", "each gets what it must; the server lives")
def test_all_together(own_stream_server):
    server = own_stream_server("--max-stream-requests=7", "--max-queue-size=1000")
    failed = []

    def client(seed):
        chance = random.Random(seed)
        try:
            for _ in range(6):
                with Stream(server.grpc) as stream:
                    expected = 0
                    for i in range(chance.randrange(1, 60)):
                        kind = chance.randrange(5)
                        responses = chance.randrange(4)
                        stream.send([
                            ask("id_int32", f"o{i}"),
                            ask("decoupled", "d", responses=responses),
                            ask("nothing", f"o{i}"),
                            ask("decoupled", "d", responses=5, fail_after_responses=2),
                            ask("id_int32", f"o{i}", timeout=60_000_000),
                        ][kind])
                        expected += [1, responses, 1, 3, 1][kind]
                    if chance.randrange(3) == 0:
                        stream.cancel()
                        continue
                    answers = stream.rest()
                    assert len(answers) == expected
                    ordered = [int(answer.infer_response.id[1:]) for answer in answers if answer.infer_response.id.startswith("o")]
                    assert ordered == sorted(ordered)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
