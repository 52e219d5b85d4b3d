"""The life of `inferd serve`: command line, ports, readiness while models load, and the end."""

import concurrent.futures
import json
import re
import signal
import socket
import time

import models
import numpy as np
import pytest
import tritonclient.grpc as triton
from cases import case
from models import BATCHED, pair, parameter
from serving import PATIENCE_S, run, wait_until
from wire import Socket, get, infer_input, post_infer

GOOD = BATCHED + pair("INT32", "-1")
SLOW = GOOD + parameter("execute_delay_ms", "700")


# ---- command line ----


@case("SV01", "command line", "--help", "exit 0; every flag with default, range and environment name")
def test_help():
    done = run("serve", "--help")
    assert done.returncode == 0
    for flag in ("model-repository", "model-store", "http-port", "grpc-port", "metrics-port", "http-address", "exit-timeout-secs",
                 "exit-on-error", "strict-readiness", "log-verbose", "log-format", "backend-directory"):
        assert "--" + flag in done.stdout
    assert "INFERD_HTTP_PORT" in done.stdout and "8000" in done.stdout


@case("SV02", "command line", "no model repository", "exit 2: which flag is missing")
def test_no_repository():
    done = run("serve")
    assert done.returncode == 2
    assert "--model-repository" in done.stderr


@case("SV03", "command line", "an unknown flag", "exit 2 with the nearest one")
def test_unknown_flag():
    done = run("serve", "--model-repositry", "/tmp")
    assert done.returncode == 2
    assert "--model-repository" in done.stderr


@case("SV04", "command line", "values out of range or of the wrong type", "exit 2 with flag, expected and got")
@pytest.mark.parametrize(
    "flag", ["--http-port=65536", "--grpc-port=-1", "--metrics-port=http", "--strict-readiness=perhaps", "--log-format=xml", "--max-queue-size=0"]
)
def test_bad_values(flag):
    done = run("serve", "--model-repository=/tmp", flag)
    assert done.returncode == 2
    name, value = flag.split("=")
    assert name in done.stderr and value in done.stderr


@case("SV05", "command line", "a repository that is no folder", "exit 1 with its name")
def test_missing_repository(tmp_path):
    done = run("serve", f"--model-repository={tmp_path}/nothing", "--http-port=0", "--grpc-port=0", "--metrics-port=0")
    assert done.returncode == 1
    assert f"{tmp_path}/nothing" in done.stderr


@case("SV06", "command line", "a port that is in use", "exit 1 with port and reason")
def test_port_in_use(repository):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", f"--model-repository={repository}", "--http-address=127.0.0.1", f"--http-port={port}", "--grpc-port=0",
                   "--metrics-port=0")
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr and "in use" in done.stderr


@case("SV07", "command line", "an address that is none", "exit 1 with the address")
def test_bad_address(repository):
    done = run("serve", f"--model-repository={repository}", "--http-address=300.1.1.1", "--http-port=0")
    assert done.returncode == 1
    assert "300.1.1.1" in done.stderr


@case("SV08", "command line", "flags from the environment; the command line wins", "as documented")
def test_environment(start, repository):
    models.add(repository, "m", GOOD)
    environment = {"INFERD_STRICT_READINESS": "false", "INFERD_LOG_INFO": "false"}
    server = start(repository, "--log-info=true", environment=environment)
    assert get(server.http, "/v2/models/m/ready").status == 200
    assert run("serve", "--model-repository=/tmp", environment={"INFERD_HTTP_PORT": "x"}).returncode == 2


@case("SV09", "command line", "`inferd`, `--help`, `--version`, an unknown command", "2; 0; 0 with build and engines; 2 with the nearest")
def test_main_program():
    assert run().returncode == 2
    assert "serve" in run("--help").stdout
    version = run("--version")
    assert version.returncode == 0
    assert re.match(r"inferd \d+\.\d+\.\d+\nbuild: ", version.stdout)
    assert "engine identity" in version.stdout and "cpu: " in version.stdout
    unknown = run("serv")
    assert unknown.returncode == 2
    assert '"serve"' in unknown.stderr


@case("SV10", "command line", "several repositories (both spellings of the flag)", "the models of all")
def test_several_repositories(start, tmp_path):
    for name in ("a", "b"):
        models.add(tmp_path / ("models_" + name), name, GOOD)
    server = start(tmp_path / "models_a", f"--model-store={tmp_path / 'models_b'}")
    assert get(server.http, "/v2/models/a/ready").status == 200
    assert get(server.http, "/v2/models/b/ready").status == 200


@case("SV11", "command line", "--log-format=ISO8601", "the time in that form")
def test_log_format(start, repository):
    server = start(repository, "--log-format=ISO8601")
    assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", server.log)


@case("SV12", "command line", "--log-info=false", "warnings and errors only")
def test_log_levels(start, repository):
    models.add(repository, "broken", "?")
    server = start(repository, "--log-info=false", wait=False)
    server.wait_for("server is not ready")
    assert all(line[0] in "EW" for line in server.lines)


# ---- start ----


@case("SV13", "HTTP", "an empty repository", "ready")
def test_empty_repository(start, repository):
    server = start(repository)
    assert get(server.http, "/v2/health/ready").status == 200
    assert get(server.http, "/v2/models/stats").json == {"model_stats": []}


@case("SV14", "HTTP", "IPv6 addresses, with and without brackets", "served, and logged in brackets")
@pytest.mark.parametrize("address", ["::1", "[::1]"])
def test_ipv6(start, repository, address):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    server = start(repository, f"--http-address={address}")
    assert "HTTP listening on [::1]:" in server.log
    with socket.create_connection(("::1", server.http)) as connection:
        connection.sendall(b"GET /v2/health/live HTTP/1.0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


# ---- end ----


def infer_bytes(model, number=5):
    """An inference as it stands on the wire."""
    body = json.dumps({"inputs": [infer_input([number])]}).encode()
    return b"POST /v2/models/%s/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (model.encode(), len(body), body)


def metric(server, name, model):
    found = re.search(rf'^{name}{{model="{model}",version="1"}} (\S+)$', get(server.metrics, "/metrics").body.decode(), re.M)
    return float(found.group(1))


def occupy(server):
    """Two connections with inferences on the model that never ends: the second waits behind the first, which is running."""
    connections = [Socket(server.http), Socket(server.http)]
    for connection in connections:
        connection.send(infer_bytes("stuck"))
    wait_until(lambda: metric(server, "nv_inference_pending_request_count", "stuck") == 1)
    return connections


@pytest.fixture
def stuck(repository):
    models.add(repository, "stuck", GOOD + parameter("execute_delay_ms", "600000"))
    return repository


@case("SV15", "both", "SIGTERM with nothing under way", "exit 0; idle connections are closed")
def test_clean_stop(start, repository):
    server = start(repository)
    with Socket(server.http) as idle, Socket(server.grpc) as silent:
        idle.send(b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n")
        assert idle.read_response().status == 200
        server.signal()
        assert idle.read_to_end() == b""
        assert silent.read_to_end() == b""
        assert server.wait() == 0


@case("SV16", "both", "SIGINT", "exit 0")
def test_interrupt(start, repository):
    server = start(repository)
    server.signal(signal.SIGINT)
    assert server.wait() == 0


@case("SV17", "both", "SIGTERM while inferences are under way", "they are answered, then exit 0; new connections are refused")
def test_drain(start, repository):
    models.add(repository, "slow", SLOW)
    server = start(repository)
    tensor = triton.InferInput("IN", [1, 1], "INT32").set_data_from_numpy(np.array([[3]], dtype=np.int32))
    with concurrent.futures.ThreadPoolExecutor(4) as pool, triton.InferenceServerClient(server.grpc_url) as client:
        over_grpc = [pool.submit(client.infer, "slow", [tensor]) for _ in range(2)]
        over_http = [pool.submit(post_infer, server.http, "slow", {"inputs": [infer_input([4])]}) for _ in range(2)]
        wait_until(  # one runs, and the others wait or are answered already
            lambda: metric(server, "nv_inference_pending_request_count", "slow")
            + metric(server, "nv_inference_request_success", "slow")
            >= 3
        )
        server.signal()
        assert all(future.result().as_numpy("OUT")[0, 0] == 3 for future in over_grpc)
        assert all(future.result().json["outputs"][0]["data"] == [4] for future in over_http)
    assert server.wait() == 0
    with pytest.raises(OSError):
        Socket(server.http)


@case("SV18", "HTTP", "/metrics while the server drains", "answers until the end")
def test_metrics_while_draining(start, stuck):
    server = start(stuck, "--exit-timeout-secs=600")
    connections = occupy(server)
    server.signal()
    server.wait_for("finishing the requests under way")
    assert metric(server, "nv_inference_pending_request_count", "stuck") == 1
    for connection in connections:
        connection.abort()  # their requests are cancelled, so the server can end
    assert server.wait() == 0


@case("SV19", "both", "requests that outlast --exit-timeout-secs", "exit 1 with a line that tells it")
def test_exit_timeout(start, stuck):
    server = start(stuck, "--exit-timeout-secs=1")
    connections = occupy(server)
    server.signal()
    assert server.wait() == 1
    assert "exit timeout of 1 s has passed: 2 connections" in server.log
    for connection in connections:
        connection.socket.close()


@case("SV20", "both", "a second signal while the server drains", "exit at once, code 1")
def test_second_signal(start, stuck):
    server = start(stuck, "--exit-timeout-secs=600")
    connections = occupy(server)
    server.signal()
    server.wait_for("finishing the requests under way")
    for _ in range(int(PATIENCE_S / 0.02)):  # one that comes too soon is the first one again
        if server.process.poll() is not None:
            break
        server.signal()
        time.sleep(0.02)
    assert server.wait() == 1
    assert "second signal" in server.log
    for connection in connections:
        connection.socket.close()


@case("SV23", "both", "two signals at once, as `timeout` sends them to a process and its group", "are one: the requests under way are finished")
def test_two_signals_at_once(start, stuck):
    server = start(stuck, "--exit-timeout-secs=600")
    connections = occupy(server)
    server.signal(signal.SIGSTOP)
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGINT)
    server.signal(signal.SIGCONT)
    server.wait_for("finishing the requests under way")
    assert metric(server, "nv_inference_pending_request_count", "stuck") == 1
    for connection in connections:
        connection.abort()
    assert server.wait() == 0
    assert "second signal" not in server.log


@case("SV22", "HTTP", "clients that are lost while their inferences run or wait", "the requests are cancelled and counted as such")
def test_lost_clients(start, stuck):
    server = start(stuck)
    for connection in occupy(server):
        connection.abort()
    failures = 'nv_inference_request_failure{model="stuck",version="1",reason="CANCELED"} 2\n'
    wait_until(lambda: failures.encode() in get(server.metrics, "/metrics").body)
    assert metric(server, "nv_inference_pending_request_count", "stuck") == 0


@case("SV21", "both", "SIGTERM under load from many clients", "every request that was taken is answered; exit 0")
def test_stop_under_load(start, repository):
    models.add(repository, "id_int32", GOOD + "dynamic_batching { max_queue_delay_microseconds: 500 }")
    server = start(repository)
    broken, answered = [], [0] * 8

    def talk(number):
        """Inferences on one connection until the server closes it: between two answers, not within one."""
        with Socket(server.http) as connection:
            reader = connection.socket.makefile("rb")
            try:
                while True:
                    connection.send(infer_bytes("id_int32", number))
                    first = reader.readline()
                    if not first:
                        return
                    if first != b"HTTP/1.1 200 OK\r\n":
                        broken.append(first)
                    length = 0
                    while (line := reader.readline()) not in (b"\r\n", b""):
                        if line.lower().startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    body = reader.read(length)
                    if len(body) != length or b"[%d]" % number not in body:
                        broken.append(body)
                    answered[number] += 1
            except (ConnectionResetError, BrokenPipeError):
                return

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(talk, i) for i in range(8)]
        wait_until(lambda: min(answered) > 2)
        server.signal()
        for client in clients:
            client.result()
    assert server.wait() == 0
    assert broken == []
