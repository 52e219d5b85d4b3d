"""The calls over HTTP that do not infer, and the routes."""

import pytest
from cases import case
from wire import get, request


@case("HC01", "HTTP", "GET /v2/health/live", "200, the same as JSON")
def test_live(server):
    answer = get(server.http, "/v2/health/live")
    assert (answer.status, answer.json) == (200, {"live": True})


@case("HC02", "HTTP", "GET /v2/health/ready", "200, the same as JSON")
def test_ready(server):
    answer = get(server.http, "/v2/health/ready")
    assert (answer.status, answer.json) == (200, {"ready": True})


@case("HC03", "HTTP", "GET /v2", "name, version and the extensions that are really there")
def test_server_metadata(server):
    answer = get(server.http, "/v2")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["name"] == "inferd"
    assert answer.json["version"]
    assert {"binary_tensor_data", "classification", "statistics"} <= set(answer.json["extensions"])
    assert "system_shared_memory" not in answer.json["extensions"]


@case("HC04", "HTTP", "metadata of a model that batches", "shapes with -1 in front; platform falls back to the backend")
def test_model_metadata(server):
    assert get(server.http, "/v2/models/labelled").json == {
        "name": "labelled",
        "versions": ["1"],
        "platform": "identity",
        "inputs": [{"name": "IN", "datatype": "FP32", "shape": [-1, 4]}],
        "outputs": [{"name": "OUT", "datatype": "FP32", "shape": [-1, 4]}],
    }


@case("HC05", "HTTP", "metadata of a model that does not batch", "the config's own shape")
def test_plain_model_metadata(server):
    assert get(server.http, "/v2/models/plain").json["inputs"][0]["shape"] == [2, 3]


@case("HC06", "HTTP", "metadata without and with a version", "all ready versions in order; only the one asked for")
def test_versions_in_metadata(server):
    assert get(server.http, "/v2/models/versions").json["versions"] == ["1", "2", "10"]
    assert get(server.http, "/v2/models/versions/versions/2").json["versions"] == ["2"]


@case("HC07", "HTTP", "a model name with a percent-encoded blank", "the model; its version 1 is not served: 404")
def test_percent_encoded_name(server):
    assert get(server.http, "/v2/models/some%20versions").json["versions"] == ["2"]
    assert get(server.http, "/v2/models/some%20versions/versions/1").status in (404, 503)


@case("HC08", "HTTP", "config of a model", "snake_case names, all defaults, enums by name, 64-bit numbers as numbers")
def test_model_config(server):
    config = get(server.http, "/v2/models/batching/config").json
    assert config["name"] == "batching"
    assert config["max_batch_size"] == 8
    assert config["input"][0]["data_type"] == "TYPE_INT32"
    assert config["input"][0]["dims"] == [-1]
    assert config["input"][0]["optional"] is False
    assert config["dynamic_batching"]["max_queue_delay_microseconds"] == 2000
    assert config["instance_group"][0]["kind"] == "KIND_CPU"


@case("HC09", "HTTP", "GET /v2/models/stats", "an entry for each ready version, every member there, numbers as numbers")
def test_all_statistics(server):
    entries = get(server.http, "/v2/models/stats").json["model_stats"]
    versions = [entry["version"] for entry in entries if entry["name"] == "versions"]
    assert versions == ["1", "2", "10"]
    for entry in entries:
        assert set(entry["inference_stats"]) == {
            "success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss"
        }
        assert isinstance(entry["inference_stats"]["success"]["ns"], int)
        assert isinstance(entry["last_inference"], int)
        assert {"inference_count", "execution_count", "batch_stats", "memory_usage", "response_stats"} <= set(entry)


@case("HC10", "HTTP", "statistics of a model without a version", "all its ready versions")
def test_statistics_of_a_model(server):
    entries = get(server.http, "/v2/models/versions/stats").json["model_stats"]
    assert [(entry["name"], entry["version"]) for entry in entries] == [("versions", "1"), ("versions", "2"), ("versions", "10")]
    assert len(get(server.http, "/v2/models/versions/versions/10/stats").json["model_stats"]) == 1


@case("HC11", "HTTP", "statistics of an unknown model or version", "400 (not 404): the protocol's rule; it is named")
@pytest.mark.parametrize("path", ["/v2/models/nothing/stats", "/v2/models/versions/versions/3/stats"])
def test_statistics_of_unknown_models(server, path):
    answer = get(server.http, path)
    assert answer.status == 400
    assert path.split("/")[3] in answer.error


@case("HC12", "HTTP", "metadata and config of an unknown model", "404 with its name")
@pytest.mark.parametrize("what", ["", "/config"])
def test_unknown_model(server, what):
    answer = get(server.http, "/v2/models/nothing" + what)
    assert answer.status == 404
    assert "nothing" in answer.error


@case("HC13", "HTTP", "metadata of an unknown version of a known model", "404 with model and version")
def test_unknown_version(server):
    answer = get(server.http, "/v2/models/versions/versions/7")
    assert answer.status == 404
    assert "versions" in answer.error and "7" in answer.error


@case("HC14", "HTTP", "GET .../ready of a ready model and of an unknown one", "200, the same as JSON; not 200, with an error")
def test_model_ready(server):
    answer = get(server.http, "/v2/models/plain/ready")
    assert (answer.status, answer.json) == (200, {"name": "plain", "ready": True})
    assert get(server.http, "/v2/models/versions/versions/10/ready").status == 200
    assert get(server.http, "/v2/models/nothing/ready").error


@case("HC15", "HTTP", "a path that does not exist", "404 {\"error\":\"Not Found\"}")
@pytest.mark.parametrize("path", ["/", "/v2/", "/v2/models", "/v2/models/plain/", "/v2/nothing", "/v3", "/apis"])
def test_unknown_path(server, path):
    answer = get(server.http, path)
    assert answer.status == 404
    assert answer.body == b'{"error":"Not Found"}'


@case("HC16", "HTTP", "a version that is no number", "404: no such path")
@pytest.mark.parametrize("version", ["x", "-1", "1.0", "99999999999999999999", "%31x"])
def test_version_that_is_no_number(server, version):
    assert get(server.http, f"/v2/models/plain/versions/{version}").status == 404


@case("HC17", "HTTP", "a method that the path does not have", "405 with Allow")
@pytest.mark.parametrize(
    "method,path,allow",
    [("DELETE", "/v2", "GET"), ("GET", "/v2/models/plain/infer", "POST"), ("POST", "/metrics", "GET"), ("OPTIONS", "/v2", "GET")],
)
def test_wrong_method(server, method, path, allow):
    answer = request(server.http, method, path)
    assert answer.status == 405
    assert answer.headers["allow"] == allow
    assert answer.error == "Method Not Allowed"


@case("HC18", "HTTP", "HEAD", "405 without a body, and the connection stays usable")
def test_head(server):
    answer = request(server.http, "HEAD", "/v2/health/live")
    assert (answer.status, answer.body) == (405, b"")


@case("HC19", "HTTP", "a broken percent-encoding in the path", "400 that shows it")
@pytest.mark.parametrize("name", ["a%", "a%4", "%zz"])
def test_broken_percent_encoding(server, name):
    answer = get(server.http, "/v2/models/" + name)
    assert answer.status == 400
    assert name in answer.error


@case("HC20", "HTTP", "bytes in the path that are not UTF-8, and control characters", "404 with valid JSON")
def test_strange_names(server):
    answer = get(server.http, "/v2/models/%ff%00%0a%22")
    assert answer.status == 404
    assert answer.error


@case("HC21", "HTTP", "a query string behind the path", "it is ignored")
def test_query_string(server):
    assert get(server.http, "/v2/health/live?verbose=1&x=%zz").status == 200


@case("HC22", "HTTP", "calls on the gRPC port", "the same answers: HTTP is recognised there")
def test_http_on_the_grpc_port(server):
    assert get(server.grpc, "/v2/health/ready").status == 200
    assert get(server.grpc, "/v2/models/plain").json["name"] == "plain"


@case("HC23", "HTTP", "anything but /metrics on the metrics port", "404")
def test_metrics_port_serves_metrics_only(server):
    assert get(server.metrics, "/metrics").status == 200
    assert get(server.metrics, "/v2/health/live").status == 404
    assert request(server.metrics, "POST", "/v2/models/plain/infer", b"{}").status == 404
