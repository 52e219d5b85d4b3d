"""Limits and overload: what is too much is refused early, with a word on when to come back, and health is always told."""

import contextlib
import re
import resource
import select
import socket
import struct
import time

import grpc
import models
import pytest
from cases import case
from frames import (CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GET_LIVE, HEADERS,
                    HELLO, PING, PROTOCOL_ERROR, WINDOW_UPDATE, field, frame, frames, goaway_errors)
from models import BATCHED, pair, parameter
from raw_http2 import Raw, reset
from raw_http2 import get as get_frame
from serving import ROOT, run, wait_until
from tritonclient.grpc import service_pb2 as pb
from wire import (SERVICE, Http2, Socket, get, good_inference, grpc_call, grpc_channel, grpc_error, infer_input, infer_message, post_infer,
                  request)

GET = b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n"
INFER = b"POST /v2/models/%s/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
MESSAGE = infer_message("id_int32", ("IN", "INT32", [1, 1], struct.pack("<i", 7)))


def ask(connection, path=b"/v2"):
    connection.send(GET % path)
    return connection.read_response()


def trailers_of(port, method, message):
    """Status code and trailers of a call that must fail."""
    with grpc_channel(port) as channel:
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary(SERVICE + method)(message.SerializeToString(), timeout=60)
    return error.value.code(), dict(error.value.trailing_metadata())


# ---- connections ----


@pytest.fixture
def crowded(start, repository):
    """A server with all the connections that it may have; they are in running.others."""
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    running = start(repository, "--max-connections=2")
    running.others = [[Socket(port) for _ in range(2)] for port in (running.http, running.grpc, running.metrics)]
    for port, sockets in zip((running.http, running.grpc, running.metrics), running.others):
        for connection in sockets:
            assert ask(connection, b"/metrics").status == 200, port
    yield running
    for connection in sum(running.others, []):
        connection.socket.close()


@case("LM01", "HTTP", "a connection beyond --max-connections", "503 with Retry-After for calls; health is told")
def test_crowded_http(crowded):
    with Socket(crowded.http) as connection:
        refused = ask(connection)
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        assert "connections" in refused.error
        assert ask(connection, b"/v2/health/live").status == 200
        assert ask(connection, b"/v2/health/ready").status == 200
        assert ask(connection, b"/nothing").status == 503
    assert ask(crowded.others[0][0]).status == 200  # who was there first is served


@case("LM02", "gRPC", "a connection beyond --max-connections", "RESOURCE_EXHAUSTED with a pushback; health is told")
def test_crowded_grpc(crowded):
    code, trailers = trailers_of(crowded.grpc, "ModelInfer", MESSAGE)
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert trailers["grpc-retry-pushback-ms"] == "1000"
    assert pb.ServerLiveResponse.FromString(grpc_call(crowded.grpc, "ServerLive", b"")).live
    assert grpc_call(crowded.grpc, "/grpc.health.v1.Health/Check", b"") == b"\x08\x01"


@case("LM03", "HTTP", "a connection beyond --max-connections that stays", "closed by the server before long, in order")
def test_crowded_connections_end(crowded):
    with Socket(crowded.http) as talking, Socket(crowded.http) as silent, Http2(crowded.http) as http2:
        assert ask(talking, b"/v2/health/live").status == 200
        assert http2.answer(http2.begin("GET", "/v2", end=True))["fields"][":status"] == "503"
        assert talking.read_to_end() == b""
        assert silent.read_to_end() == b""
        while http2.receive():
            pass


@case("LM04", "HTTP", "more connections than --max-connections and 64 on top", "the first 64 of them are told, the others closed at once")
def test_beyond_the_crowd(crowded):
    connections = [Socket(crowded.http) for _ in range(80)]
    told = 0
    for connection in connections:
        try:
            connection.send(GET % b"/v2")
            told += connection.socket.recv(1000).startswith(b"HTTP/1.1 503 ")
        except ConnectionError:
            pass
    assert told == 64
    for connection in connections:
        connection.socket.close()


@case("LM05", "HTTP", "connections that go", "new ones are served in full again")
def test_room_again(crowded):
    for connection in sum(crowded.others, []):
        connection.socket.close()
    wait_until(lambda: get(crowded.http, "/v2").status == 200)
    good_inference(crowded.http)


@case("LM06", "HTTP", "5,000 idle connections", "requests on new and on old ones are answered")
def test_idle_connections(start, repository):
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    running = start(repository)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(5000, hard - 500)
    connections = [Socket(running.http) for _ in range(count)]
    try:
        for connection in connections:
            connection.send(GET % b"/v2/health/live")
        for connection in connections:
            assert connection.read_response().status == 200
        good_inference(running.http)
        assert ask(connections[0]).status == ask(connections[-1]).status == 200
    finally:
        for connection in connections:
            connection.socket.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@case("LM07", "log", "a limit of descriptors below --max-connections", "a warning at start")
def test_few_descriptors(start, repository):
    running = start(repository, "--max-connections=1000000")
    assert "descriptors, too few for --max-connections=1000000" in running.log


# ---- queues and memory ----


@pytest.fixture
def full(start, repository):
    """A server whose model `stuck` has one request that runs for ever and one that waits, which is all it may have."""
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    models.add(repository, "stuck", BATCHED.replace("8", "1") + pair("INT32", "-1") + parameter("execute_delay_ms", "600000"))
    running = start(repository, "--max-queue-size=1", "--max-request-size=1000000", "--max-inflight-size=2000000")
    body = b'{"inputs":[{"name":"IN","shape":[1,1],"datatype":"INT32","data":[1]}]}'
    stuck = [Socket(running.http) for _ in range(2)]
    for i, connection in enumerate(stuck):
        connection.send(INFER % (b"stuck", len(body)) + body)
        wait_until(lambda: pending(running) == i)  # the first has begun, the second waits
    yield running
    for connection in stuck:
        connection.abort()


def pending(running):
    found = re.search(r'nv_inference_pending_request_count\{model="stuck".* (\d+)', get(running.metrics, "/metrics").body.decode())
    return int(found.group(1))


def rejected(running):
    found = re.search(r'nv_inference_request_failure\{model="stuck".*reason="REJECTED".* (\d+)', get(running.metrics, "/metrics").body.decode())
    return int(found.group(1))


@case("LM08", "HTTP", "a request for a queue that is full", "503 'Exceeds maximum queue size' with Retry-After; it is counted")
def test_full_queue(full):
    before = rejected(full)
    answer = post_infer(full.http, "stuck", {"inputs": [infer_input([1])]})
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    assert "Exceeds maximum queue size" in answer.error
    assert rejected(full) == before + 1


@case("LM09", "gRPC", "a request for a queue that is full", "UNAVAILABLE, as Triton says, with a pushback")
def test_full_queue_grpc(full):
    code, trailers = trailers_of(full.grpc, "ModelInfer", infer_message("stuck", ("IN", "INT32", [1, 1], struct.pack("<i", 7))))
    assert code == grpc.StatusCode.UNAVAILABLE
    assert trailers["grpc-retry-pushback-ms"] == "1000"


@case("LM10", "HTTP", "a large body for a queue that is full", "503 before the body is sent; it is counted")
def test_full_queue_early(full):
    before = rejected(full)
    with Socket(full.http) as connection:
        connection.send(INFER % (b"stuck", 500_000))
        answer = connection.read_response()
    assert answer.status == 503
    assert "Exceeds maximum queue size" in answer.error
    assert rejected(full) == before + 1
    with Socket(full.http) as connection:  # others' queues have room
        connection.send(INFER % (b"id_int32", 500_000) + b" " * 500_000)
        assert connection.read_response().status == 400


@contextlib.contextmanager
def no_room(running, size):
    """Clients that never send the last byte of their bodies: as many as it takes until one of that size is refused. More than
    once, since what refuses it first may be on its way, and be refused itself."""
    refusals = 0
    with contextlib.ExitStack() as stack:
        while refusals < 3:
            if request(running.http, "POST", "/v2/models/id_int32/infer", b" " * size).status == 503:
                refusals += 1
                time.sleep(0.01)
                continue
            refusals = 0
            for body in (400_000, 20_000, size):
                connection = stack.enter_context(Socket(running.http))
                connection.send(INFER % (b"id_int32", body) + bytes(body - 1))
        yield


@case("LM11", "HTTP", "a body for which --max-inflight-size has no room now", "503 with Retry-After before the body is sent")
def test_no_room_early(full):
    with no_room(full, 200_000), Socket(full.http) as connection:
        connection.send(INFER % (b"id_int32", 200_000))
        answer = connection.read_response()
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        assert "no room for the request body" in answer.error


@contextlib.contextmanager
def refusing(running):
    """A connection that has taken all that was left: its next requests find no room."""
    with no_room(running, 9_000), Raw(running.http) as connection:
        connection.next_stream = 1
        for _ in range(100):
            stream = connection.open(method=b"POST", path=b"/v2/models/id_int32/infer", end=False)
            connection.settle()
            if connection.on(stream).reset:
                break
        assert connection.on(stream).reset == "REFUSED_STREAM"
        yield connection


@case("LM28", "HTTP/2", "256 requests at once for which --max-inflight-size has no room, each tried again ten times", "REFUSED_STREAM; the connection goes on, and serves them when there is room")
def test_refused_streams(full):
    with refusing(full) as connection:
        tried = [connection.open() for _ in range(11 * 256)]
        connection.settle()
        assert {connection.on(stream).reset for stream in tried} == {"REFUSED_STREAM"}
        for stream in range(1, tried[0] - 2, 2):  # those that have found room
            connection.send(reset(stream))
        connection.alive()


@case("LM29", "HTTP/2", "requests by the ten thousand, for which --max-inflight-size has no room", "REFUSED_STREAM, then GOAWAY, ENHANCE_YOUR_CALM")
def test_flood_of_refused_streams(full):
    with refusing(full) as connection:
        first = connection.next_stream
        connection.send(b"".join(get_frame(first + 2 * i) for i in range(50_000)))
        assert connection.read_to_close()[-1][1] == "ENHANCE_YOUR_CALM"
        assert {state.reset for stream, state in connection.streams.items() if stream >= first} == {"REFUSED_STREAM"}


@case("LM12", "HTTP, gRPC", "questions for health while a queue is full, all memory for requests is taken and no connection is left",
      "live and ready, over every protocol; small requests are served")
def test_health_under_load(full):
    with no_room(full, 9_000):
        for port in (full.http, full.grpc):
            assert get(port, "/v2/health/live").status == 200
            assert get(port, "/v2/health/ready").status == 200
            assert pb.ServerReadyResponse.FromString(grpc_call(port, "ServerReady", b"")).ready
            service = bytes([0x0A, len(b"inference.GRPCInferenceService")]) + b"inference.GRPCInferenceService"
            assert grpc_call(port, "/grpc.health.v1.Health/Check", service) == b"\x08\x01"
            assert pb.ModelReadyResponse.FromString(grpc_call(port, "ModelReady", pb.ModelReadyRequest(name="id_int32"))).ready
        good_inference(full.http)


@case("LM13", "HTTP, gRPC", "what is too large for good", "413, RESOURCE_EXHAUSTED, with no word on another try")
def test_too_large_for_good(full):
    answer = request(full.http, "POST", "/v2/models/id_int32/infer", b" " * 1_000_001)
    assert answer.status == 413
    assert "retry-after" not in answer.headers
    code, trailers = trailers_of(full.grpc, "ModelInfer", infer_message("id_int32", ("IN", "INT32", [1, 300_000], bytes(1_200_000))))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-retry-pushback-ms" not in trailers


# ---- HTTP/1.1 ----


@pytest.fixture
def impatient(start, repository):
    """A server that does not wait for silent clients."""
    models.add(repository, "id_int32", BATCHED + pair("INT32", "-1"))
    return start(repository, "--request-timeout-secs=1", "--idle-timeout-secs=1", "--max-streams=10")


@case("LM14", "HTTP/1.1", "the size of a chunk in 16 digits", "400")
def test_long_chunk_size(server):
    with Socket(server.http) as connection:
        connection.send(b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0000000000000001\r\n")
        assert connection.read_response().status == 400


@case("LM15", "HTTP/1.1", "extensions of chunks, or trailers, of more than 64 KiB", "431")
@pytest.mark.parametrize("rest", [b"1;" + b"x" * 1000 + b"\r\n{\r\n", b"0\r\n" + b"x: y\r\n" * 20000])
def test_long_chunk_extensions(server, rest):
    with Socket(server.http) as connection:
        connection.send(b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            connection.send(rest * (100 if rest.startswith(b"1;") else 1))
        except ConnectionError:
            pass
        assert connection.read_response().status == 431


@case("LM16", "HTTP/1.1", "requests without end that are pipelined, whose answers are not read", "the server stops reading; others are served; then all answers come")
def test_endless_pipelining(server):
    with Socket(server.http) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        connection.socket.setblocking(False)
        one, sent, blocked = GET % b"/metrics", 0, 0
        while blocked < 3 and sent < 100_000_000:
            try:
                sent += connection.socket.send(one * 1000)
                blocked = 0
            except BlockingIOError:
                blocked += not select.select([], [connection.socket], [], 0.2)[1]
        assert sent < 100_000_000
        good_inference(server.http)
        connection.socket.settimeout(60)
        answers = b""
        while answers.count(b"HTTP/1.1 200 OK\r\n") < 20:
            answers += connection.socket.recv(65536)


@case("LM17", "HTTP/1.1", "a large answer that is not read", "the connection is closed after --request-timeout-secs")
def test_answer_that_is_not_read(impatient):
    body = b'{"inputs":[{"name":"IN","shape":[1,2000000],"datatype":"INT32","data":[' + b"1000000000," * 1_999_999 + b"1]}]}"
    with Socket(impatient.http) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        connection.send(INFER % (b"id_int32", len(body)) + body)
        wait_until(lambda: connections_of(impatient) == 0)
        assert len(connection.read_to_end()) < len(body)


def connections_of(running):
    """The server's own ends of its HTTP port's connections that are established."""
    table = open("/proc/net/tcp").read().splitlines()[1:]
    return sum(1 for row in table if row.split()[1].endswith(f":{running.http:04X}") and row.split()[3] == "01")


@case("LM18", "HTTP", "names of 10,000 bytes in a request that fails", "an error text of no more than 511 bytes, in valid JSON")
def test_long_error_texts(server):
    answer = get(server.http, "/v2/models/" + "x" * 10_000)
    assert answer.status == 404
    assert len(answer.error.encode()) <= 511
    _, text = grpc_error(server.grpc, "ModelMetadata", pb.ModelMetadataRequest(name="x" * 10_000))
    assert len(text.encode()) <= 511


# ---- HTTP/2 ----


def converse(port, data):
    """Sends it behind HTTP/2's preface; all that came back until the server closed the connection."""
    with Socket(port) as connection:
        try:
            connection.send(HELLO + data)
        except ConnectionError:
            pass
        return connection.read_to_end()


def open_head(fields=b""):
    return field(b":method", b"POST") + field(b":scheme", b"http") + field(b":authority", b"h") + field(b":path", b"/v2/models/id_int32/infer") + fields


@case("LM19", "HTTP/2", "more streams at once than --max-streams", "the surplus is refused; the server goes on")
def test_too_many_streams(impatient):
    data = b"".join(frame(HEADERS, END_HEADERS, 2 * i + 1, open_head()) for i in range(50))
    answer = converse(impatient.http, data)
    refused = [payload for kind, payload in frames(answer) if kind == 3 and payload == struct.pack(">I", 7)]
    assert PROTOCOL_ERROR in goaway_errors(answer) or len(refused) == 40
    good_inference(impatient.http)


@case("LM20", "HTTP/2", "a frame of more than 256 KiB", "GOAWAY with FRAME_SIZE_ERROR")
def test_large_frame(server):
    answer = converse(server.http, frame(HEADERS, END_HEADERS, 1, open_head()) + frame(DATA, 0, 1, bytes(300_000)))
    assert FRAME_SIZE_ERROR in goaway_errors(answer)


@case("LM21", "HTTP/2", "a window that is opened beyond 2^31 - 1 bytes", "GOAWAY with FLOW_CONTROL_ERROR")
def test_window_overflow(server):
    answer = converse(server.http, frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1)) * 2)
    assert FLOW_CONTROL_ERROR in goaway_errors(answer)


@case("LM22", "HTTP/2", "heads of more than 64 KiB, or 128 fields; of four times as much", "431; the stream is reset")
def test_large_heads(server):
    with Http2(server.http) as connection:
        many = connection.begin("GET", "/v2", [(f"x{i}", "y") for i in range(150)], end=True)
        assert connection.answer(many)["fields"][":status"] == "431"
        long = connection.begin("GET", "/v2", [(f"x{i}", "y" * 1000) for i in range(70)], end=True)
        assert connection.answer(long)["fields"][":status"] == "431"
        huge = connection.begin("GET", "/v2", [(f"x{i}", "y" * 3000) for i in range(120)], end=True)
        assert connection.answer(huge)["reset"] is not None
        good = connection.begin("GET", "/v2", end=True)
        assert connection.answer(good)["fields"][":status"] == "200"


@case("LM23", "HTTP/2", "a client without a request", "GOAWAY after --idle-timeout-secs, then the end")
def test_idle_http2(impatient):
    with Http2(impatient.http) as connection:
        assert connection.answer(connection.begin("GET", "/v2", end=True))["fields"][":status"] == "200"
        data = connection.read_to_end()
    assert goaway_errors(data)[-1] == 0


@case("LM24", "HTTP/2", "half a preface; a head that does not end; a body that does not end", "closed; ENHANCE_YOUR_CALM; 408")
def test_slow_http2(impatient):
    with Socket(impatient.http) as connection:
        connection.send(HELLO[:10])
        assert connection.read_to_end() == b""
    answer = converse(impatient.http, frame(HEADERS, END_STREAM, 1, GET_LIVE[:10]))
    assert ENHANCE_YOUR_CALM in goaway_errors(answer)
    with Http2(impatient.http) as connection:
        stream = connection.begin("POST", "/v2/models/id_int32/infer")
        connection.data(stream, b"{", end=False)
        assert connection.answer(stream)["fields"][":status"] == "408"


@case("LM25", "HTTP/2", "PING, empty DATA and empty CONTINUATION frames by the thousand", "the connection ends; others are served")
@pytest.mark.parametrize("flood", [
    frame(PING, 0, 0, bytes(8)) * 100_000,
    frame(HEADERS, END_HEADERS, 1, open_head()) + frame(DATA, 0, 1) * 20_000,
    frame(HEADERS, 0, 1, GET_LIVE) + frame(CONTINUATION, 0, 1) * 20_000,
])
def test_frames_that_only_cost(server, flood):
    with Socket(server.http) as connection:
        try:
            connection.send(HELLO + flood)
            connection.read_to_end()
        except ConnectionError:
            pass
    good_inference(server.http)


# ---- the page of limits ----


@case("LM26", "docs", "the flags that docs/limits.md names", "each is in --help of its command")
def test_flags_of_the_page():
    page = (ROOT / "docs/limits.md").read_text()
    helps = {command: run(command, "--help").stdout for command in ("serve", "export", "squad", "perf")}
    named = set(re.findall(r"`(--[a-z0-9-]+)`", page))
    assert len(named) > 10
    for flag in named:
        assert any(f"{flag}" in text for text in helps.values()), flag


@case("LM27", "docs", "the defaults that docs/limits.md gives for flags of serve", "are those of --help")
def test_defaults_of_the_page():
    page = (ROOT / "docs/limits.md").read_text()
    shown = run("serve", "--help").stdout
    for flag, words in {"--max-connections": "16384", "--max-streams": "256", "--max-queue-size": "4096", "--idle-timeout-secs": "300",
                        "--request-timeout-secs": "60"}.items():
        assert any(f"`{flag}`" in line and words in line for line in page.splitlines()), flag
        assert re.search(rf"{flag}\b[^\[]*\[default {words};", shown), flag


def tables_of_the_page():
    """Title of a section -> what is bounded -> the value and, where there is a column for it, the flag behind it."""
    tables, title = {}, None
    for line in (ROOT / "docs/limits.md").read_text().replace("`", "").splitlines():
        if line.startswith("## "):
            title = line[3:]
        elif line.startswith("| what |"):
            header = line.strip("| ").split(" | ")
            tables.setdefault(title, {})
        elif line.startswith("| ") and title in tables:
            cells = [cell.strip() for cell in line[1:-1].split("|")]
            flag = cells[2] if len(header) > 2 and header[2] == "flag" else ""
            tables[title][cells[0]] = f"{cells[1]}, {flag}" if flag else cells[1]
    return tables


def tables_of_the_help():
    """The same of `inferd serve --help`."""
    tables, title, what = {}, None, None
    for line in run("serve", "--help").stdout.split("\nLimits of the server", 1)[1].splitlines()[1:]:
        if line.startswith("      "):
            tables[title][what] += " " + line.strip()
        elif line.startswith("  "):
            what = line.strip()
            tables[title][what] = ""
        elif line.startswith(" "):
            title = line.strip(" :")
            tables[title] = {}
    lines = {title: [what + more for what, more in rows.items()] for title, rows in tables.items()}
    return {title: sorted(rows) for title, rows in lines.items()}


OTHER_SECTIONS = {"Overload", "Backend bert", "Other backends", "Under attack", "Checkpoints and export", "SQuAD client", "Load generator", "Figures"}


@case("AV06", "docs", "the tables of the server in docs/limits.md, and `inferd serve --help`", "the same bounds with the same values")
def test_tables_of_the_help():
    page = {title: rows for title, rows in tables_of_the_page().items() if title not in OTHER_SECTIONS}
    assert sum(map(len, page.values())) > 70
    assert {title: sorted(f"{what}: {value}" for what, value in rows.items()) for title, rows in page.items()} == tables_of_the_help()
