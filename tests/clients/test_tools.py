"""curl and h2load, as people use them."""

import json
import shutil
import subprocess

import pytest
from cases import case
from wire import infer_input

BODY = json.dumps({"inputs": [infer_input([1, 2, 3])]})


def curl(*arguments, data=None):
    done = subprocess.run(["curl", "-sS", "-m", "60", *arguments], input=data, capture_output=True, check=True)
    return done.stdout


@case("TO01", "HTTP", "curl: an inference with -d", "the answer")
def test_curl(server):
    answer = json.loads(curl("-d", BODY, f"http://{server.http_url}/v2/models/id_int32/infer"))
    assert answer["outputs"][0]["data"] == [1, 2, 3]


@case("TO02", "HTTP", "curl --compressed", "the answer")
def test_curl_compressed(server):
    answer = json.loads(curl("--compressed", "-d", BODY, f"http://{server.http_url}/v2/models/id_int32/infer"))
    assert answer["outputs"][0]["data"] == [1, 2, 3]


@case("TO03", "HTTP", "curl with a large body: Expect: 100-continue", "the answer")
def test_curl_large_body(server):
    values = list(range(1_000_000))
    body = json.dumps({"inputs": [infer_input(values)], "parameters": {"binary_data_output": True}}).encode()
    head = curl("-H", "Expect: 100-continue", "-D", "-", "-o", "/dev/null", "--data-binary", "@-",
                f"http://{server.http_url}/v2/models/id_int32/infer", data=body)
    assert b"HTTP/1.1 100 Continue" in head and b"HTTP/1.1 200 OK" in head


@case("TO04", "HTTP/2", "curl --http2-prior-knowledge on either port", "the answer over HTTP/2")
def test_curl_http2(server):
    for url in (server.http_url, server.grpc_url):
        out = curl("--http2-prior-knowledge", "-w", "%{http_version}", "-d", BODY, f"http://{url}/v2/models/id_int32/infer")
        assert out.endswith(b"}2")


@case("TO05", "HTTP", "curl --http2 (an upgrade that is not served)", "the answer over HTTP/1.1")
def test_curl_upgrade(server):
    out = curl("--http2", "-w", "%{http_version}", f"http://{server.http_url}/v2")
    assert out.endswith(b"}1.1")


def h2load(*arguments):
    if not shutil.which("h2load"):
        pytest.skip("h2load is not installed")
    done = subprocess.run(["h2load", *arguments], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


@case("TO06", "HTTP/2", "h2load: 2,000 inferences, 4 connections, 10 streams each", "all of them succeed")
def test_h2load(server, tmp_path):
    body = tmp_path / "body.json"
    body.write_text(BODY)
    out = h2load("-n2000", "-c4", "-m10", "-d", str(body), f"http://{server.http_url}/v2/models/batching/infer")
    assert "2000 succeeded, 0 failed, 0 errored" in out and "2000 2xx" in out


@case("TO07", "HTTP", "h2load --h1: 2,000 inferences, pipelined", "all of them succeed")
def test_h2load_http1(server, tmp_path):
    body = tmp_path / "body.json"
    body.write_text(BODY)
    out = h2load("--h1", "-n2000", "-c4", "-m4", "-d", str(body), f"http://{server.http_url}/v2/models/batching/infer")
    assert "2000 succeeded, 0 failed, 0 errored" in out and "2000 2xx" in out
