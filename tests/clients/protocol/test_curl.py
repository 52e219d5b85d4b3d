"""curl, as people use it at a shell: HTTP/1.1 and HTTP/2 without TLS."""

import gzip
import json
import struct
import subprocess

import peers
import pytest
from cases import case, triton_differs

BODY = json.dumps({"inputs": [{"name": "IN", "shape": [1, 3], "datatype": "INT32", "data": [1, 2, 3]}]})
HTTP_2 = "--http2-prior-knowledge"


@pytest.fixture
def curl(peer):
    """Runs curl on a path: curl(path, *options, data=…); the body as bytes. `--fail` has its exit code tell errors."""

    def run(path, *options, data=None):
        command = ["curl", "--silent", "--show-error", "--max-time", "60", *options, f"http://{peer.http_url}{path}"]
        ended = subprocess.run(command, input=data, capture_output=True, timeout=120)
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout

    return run


def outputs(body):
    return [output["data"] for output in json.loads(body)["outputs"]]


@case("CU01", "HTTP/1.1", "curl: health, metadata, config, statistics", "their JSON")
def test_get(curl):
    check_get(curl, "--http1.1")


@case("CU02", "HTTP/2", "curl --http2-prior-knowledge: the same", "their JSON")
@triton_differs("no HTTP/2 on the HTTP port")
def test_get_over_http2(curl):
    check_get(curl, HTTP_2)


def check_get(curl, version):
    curl("/v2/health/live", version, "--fail")
    assert json.loads(curl("/v2", version))["name"] == peers.PEER
    assert json.loads(curl("/v2/models/plain", version))["name"] == "plain"
    assert json.loads(curl("/v2/models/plain/config", version))["max_batch_size"] == 0
    assert json.loads(curl("/v2/models/plain/stats", version))["model_stats"]


@case("CU03", "HTTP/1.1", "curl -d: an inference as JSON", "JSON")
def test_infer(curl):
    assert outputs(curl("/v2/models/id_int32/infer", "--data", BODY)) == [[1, 2, 3]]


@case("CU04", "HTTP/2", "curl --http2-prior-knowledge -d: an inference as JSON", "JSON")
@triton_differs("no HTTP/2 on the HTTP port")
def test_infer_over_http2(curl):
    assert outputs(curl("/v2/models/id_int32/infer", HTTP_2, "--data", BODY)) == [[1, 2, 3]]


@case("CU05", "HTTP/1.1", "curl with a large body and Expect: 100-continue", "100, then the answer")
def test_expect(curl):
    values = list(range(500_000))
    body = json.dumps({"inputs": [{"name": "IN", "shape": [1, len(values)], "datatype": "INT32", "data": values}]}).encode()
    headers = curl("/v2/models/id_int32/infer", "--header", "Expect: 100-continue", "--dump-header", "-", "--data-binary", "@-",
                   "--expect100-timeout", "50", data=body)
    assert headers.startswith(b"HTTP/1.1 100 Continue\r\n")
    assert outputs(headers[headers.index(b"{"):]) == [values]


@case("CU06", "HTTP/1.1", "curl with a chunked body", "the answer")
def test_chunked(curl):
    options = ["--header", "Transfer-Encoding: chunked", "--header", "Content-Type: application/json", "--data-binary", "@-"]
    assert outputs(curl("/v2/models/id_int32/infer", *options, data=BODY.encode())) == [[1, 2, 3]]


@case("CU07", "HTTP/1.1", "curl with a gzip body", "the answer")
def test_compressed_request(curl):
    options = ["--header", "Content-Encoding: gzip", "--data-binary", "@-"]
    assert outputs(curl("/v2/models/id_int32/infer", *options, data=gzip.compress(BODY.encode()))) == [[1, 2, 3]]


@case("CU08", "HTTP/1.1", "curl --compressed, which names several codings", "an answer that curl undoes, compressed or not")
def test_compression_allowed(curl):
    assert outputs(curl("/v2/models/id_int32/infer", "--compressed", "--data", BODY)) == [[1, 2, 3]]


@case("CU16", "HTTP/1.1", "curl --compressed that names gzip alone", "a compressed answer, which curl undoes")
def test_compressed_answer(curl):
    options = ["--compressed", "--header", "Accept-Encoding: gzip", "--dump-header", "-"]
    head, body = curl("/v2/models/id_int32/infer", *options, "--data", BODY).split(b"\r\n\r\n", 1)
    assert b"\r\ncontent-encoding: gzip" in head.lower()
    assert outputs(body) == [[1, 2, 3]]


@case("CU09", "HTTP/1.1", "curl with a raw binary body, Inference-Header-Content-Length: 0", "the tensor, binary")
def test_raw_request(curl):
    values = struct.pack("<3i", 1, 2, 3)
    options = ["--header", "Inference-Header-Content-Length: 0", "--header", "Content-Type: application/octet-stream"]
    answer = curl("/v2/models/id_int32/infer", *options, "--data-binary", "@-", data=values)
    assert answer.endswith(values)


@case("CU10", "HTTP/1.1", "curl with a raw string", "the string, with its length")
def test_raw_string(curl):
    options = ["--header", "Inference-Header-Content-Length: 0", "--data-binary", "@-"]
    answer = curl("/v2/models/word/infer", *options, data="Grüße".encode())
    assert answer.endswith(struct.pack("<I", 7) + "Grüße".encode())


@case("CU11", "HTTP/1.1", "curl of an unknown model, of an unknown path, with a wrong method", "404, 404, 405 with {\"error\"}")
@pytest.mark.parametrize("options, path, status", [
    (["--data", BODY], "/v2/models/nothing/infer", 404),
    ([], "/v3", 404),
    (["--request", "DELETE"], "/v2/models/plain", 405),
])
def test_errors(curl, options, path, status):
    body, code = curl(path, *options, "--write-out", "\n%{http_code}").rsplit(b"\n", 1)
    assert int(code) == status
    assert list(json.loads(body)) == ["error"]


@case("CU12", "HTTP/1.1", "curl of several URLs in one run", "all answered, over one connection")
def test_connection_is_kept(curl, peer):
    more = ["--write-out", "%{num_connects}\n", "--output", "/dev/null"]
    answer = curl("/v2", *more, f"http://{peer.http_url}/v2/models/plain", "--output", "/dev/null")
    assert answer.split() == [b"1", b"0"]


@case("CU13", "HTTP/2", "curl --http2 with an Upgrade header, as it sends without TLS", "the answer, over HTTP/1.1")
def test_upgrade(curl):
    assert json.loads(curl("/v2", "--http2"))["name"] == peers.PEER


@case("CU14", "HTTP/1.0", "curl --http1.0", "the answer, then the end of the connection")
def test_http_1_0(curl):
    assert outputs(curl("/v2/models/id_int32/infer", "--http1.0", "--data", BODY)) == [[1, 2, 3]]


@case("CU15", "HTTP/1.1", "curl of /metrics on the metrics port", "Prometheus text")
def test_metrics(peer):
    url = f"http://127.0.0.1:{peer.metrics}/metrics"
    text = subprocess.run(["curl", "--silent", "--fail", url], capture_output=True, timeout=60, check=True).stdout.decode()
    assert 'nv_inference_request_success{model="plain",version="1"}' in text
