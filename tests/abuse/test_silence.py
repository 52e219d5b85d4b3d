"""Clients that open connections and then do nothing, or everything very slowly."""

import json
import socket
import time

import pytest
from attack import CONNECTIONS, Swarm, count, rounds, unharmed
from cases import case
from frames import END_HEADERS, HEADERS, HELLO, PREFACE, GET_LIVE, frame, head
from wire import infer_input

INFER = b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
BODY = json.dumps({"inputs": [infer_input([1, -2, 3])]}).encode()
REQUEST = INFER % len(BODY) + BODY


@case("AB01", "HTTP", "thousands of connections that say nothing", "closed when their time is over; others are served meanwhile")
def test_idle_connections(target):
    with unharmed(target), Swarm(target.http, CONNECTIONS) as swarm:
        assert set(swarm.read_to_end()) == {b""}


@case("AB02", "HTTP/1.1", "slowloris: heads that come a byte at a time and never end", "408 or closed; others are served meanwhile")
def test_slow_heads(target):
    line = b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\nX-Slow: " + b"y" * 2000
    with unharmed(target), Swarm(target.http, CONNECTIONS) as swarm:
        end = time.monotonic() + 8
        for i in range(len(line)):
            if swarm.send(line[i : i + 1]) == 0 or time.monotonic() > end:
                break
            time.sleep(0.1)
        answers = swarm.read_to_end()
    assert all(answer == b"" or answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
    assert any(answers)


@case("AB03", "HTTP/1.1", "bodies that stop in the middle", "408, connections closed; others are served meanwhile")
def test_bodies_that_stop(target):
    with unharmed(target), Swarm(target.http, count(200, 2000)) as swarm:
        swarm.send(INFER % 1000 + b"{" * 500)
        answers = swarm.read_to_end()
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)


@case("AB04", "HTTP/2, gRPC", "connections that stop in the preface, in a head or in a call", "closed; others are served meanwhile")
@pytest.mark.parametrize("beginning", [
    PREFACE[:10],
    HELLO,
    HELLO + frame(HEADERS, 0, 1, GET_LIVE[:20]),
    HELLO + frame(HEADERS, END_HEADERS, 1, head(b"POST", b"/inference.GRPCInferenceService/ModelInfer", (b"content-type", b"application/grpc"))),
], ids=["preface", "hello", "head", "call"])
def test_silent_http2(target, beginning):
    with unharmed(target), Swarm(target.grpc, count(200, 1000)) as swarm:
        swarm.send(beginning)
        swarm.read_to_end()


@case("AB05", "HTTP/1.1", "whole requests a byte at a time, on many connections", "each is answered")
def test_single_bytes(target):
    with unharmed(target), Swarm(target.http, count(50, 300)) as swarm:
        swarm.drip(REQUEST.replace(b"Host: h", b"Host: h\r\nConnection: close"))
        answers = swarm.read_to_end()
    assert all(answer.startswith(b"HTTP/1.1 200 ") and b"[1,-2,3]" in answer for answer in answers)


@case("AB06", "both", "connections lost at once, by the thousand, in every state", "others are served meanwhile")
@pytest.mark.parametrize("beginning", [b"", REQUEST[:30], REQUEST[:-5], REQUEST, HELLO + frame(HEADERS, END_HEADERS, 1, GET_LIVE)],
                         ids=["nothing", "head", "body", "request", "http2"])
def test_lost_connections(target, beginning):
    with unharmed(target):
        for _ in rounds(target, count(3, 20)):
            with Swarm(target.http, 100) as swarm:
                swarm.send(beginning)
                swarm.abort()


GET = b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n"


@case("AB07", "HTTP/1.1", "clients that close their sending side and wait", "answers that are complete are sent, all are closed")
@pytest.mark.parametrize("sent,answered", [(b"", {0}), (GET[:-5], {0}), (GET, {1}), (GET * 3, {3}), (REQUEST[:-5], {0}), (REQUEST * 3, {0, 1, 2, 3})],
                         ids=["nothing", "part", "one", "three", "body", "inferences"])
def test_half_closed(target, sent, answered):
    with unharmed(target), Swarm(target.http, count(100, 1000)) as swarm:
        swarm.send(sent)
        for connection in swarm.sockets:
            connection.shutdown(socket.SHUT_WR)
        answers = swarm.read_to_end()
    assert {answer.count(b"HTTP/1.1 200 ") for answer in answers} <= answered
