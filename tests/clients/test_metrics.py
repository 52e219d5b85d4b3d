"""The metrics, read by Prometheus' own parser."""

import numpy as np
from cases import case
from prometheus_client.parser import text_string_to_metric_families
from wire import get, infer_input, post_infer

PER_MODEL = {
    "nv_inference_request_success": "counter",
    "nv_inference_request_failure": "counter",
    "nv_inference_count": "counter",
    "nv_inference_exec_count": "counter",
    "nv_inference_request_duration_us": "counter",
    "nv_inference_queue_duration_us": "counter",
    "nv_inference_compute_input_duration_us": "counter",
    "nv_inference_compute_infer_duration_us": "counter",
    "nv_inference_compute_output_duration_us": "counter",
    "nv_inference_pending_request_count": "gauge",
}


def families(server):
    answer = get(server.metrics, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {family.name: family for family in text_string_to_metric_families(answer.body.decode())}


def value(server, name, **labels):
    matching = [s for s in families(server)[name].samples if labels.items() <= s.labels.items()]
    assert len(matching) == 1, matching
    return matching[0].value


@case("ME01", "HTTP", "GET /metrics", "every metric with help and type, for every model version; valid for Prometheus")
def test_all_metrics(server):
    found = families(server)
    for name, kind in PER_MODEL.items():
        assert found[name].type == kind
        assert found[name].documentation
        versions = {s.labels["version"] for s in found[name].samples if s.labels["model"] == "versions"}
        assert versions == {"1", "2", "10"}
    reasons = {s.labels["reason"] for s in found["nv_inference_request_failure"].samples}
    assert reasons == {"REJECTED", "CANCELED", "BACKEND", "OTHER"}


@case("ME02", "HTTP", "GET /metrics on the HTTP port", "the same metrics")
def test_metrics_on_the_http_port(server):
    assert set(PER_MODEL) <= {f.name for f in text_string_to_metric_families(get(server.http, "/metrics").body.decode())}


@case("ME03", "HTTP", "inferences, good and failing", "counted: requests, items, executions, failures by reason")
def test_counting(server):
    labels = {"model": "id_uint8", "version": "1"}
    names = ["nv_inference_request_success", "nv_inference_count", "nv_inference_exec_count"]
    before = [value(server, name, **labels) for name in names]
    body = {"inputs": [infer_input([1, 2, 3], shape=[3, 1], datatype="UINT8")]}
    for _ in range(2):
        assert post_infer(server.http, "id_uint8", body).status == 200
    after = [value(server, name, **labels) for name in names]
    assert list(np.subtract(after, before)) == [2, 6, 2]
    failed = value(server, "nv_inference_request_failure", model="failing", reason="BACKEND")
    assert post_infer(server.http, "failing", {"inputs": [infer_input([1])]}).status == 500
    assert value(server, "nv_inference_request_failure", model="failing", reason="BACKEND") == failed + 1


@case("ME04", "HTTP", "requests that are refused before they reach the model", "not counted as failures")
def test_refused_requests_are_not_counted(server):
    def failures():
        return sum(s.value for s in families(server)["nv_inference_request_failure"].samples if s.labels["model"] == "id_int8")

    before = failures()
    assert post_infer(server.http, "id_int8", {"inputs": []}).status == 400
    assert failures() == before


@case("ME05", "HTTP", "metric_tags with quotes and backslashes in the config", "labels with a leading underscore, escaped")
def test_metric_tags(server):
    assert value(server, "nv_inference_count", model="tagged", _team='a"b\\c') >= 0


@case("ME06", "HTTP", "CPU and memory", "between 0 and 1; used at most total")
def test_machine(server):
    found = families(server)
    assert 0 <= found["nv_cpu_utilization"].samples[0].value <= 1
    total = found["nv_cpu_memory_total_bytes"].samples[0].value
    assert 0 < found["nv_cpu_memory_used_bytes"].samples[0].value <= total


@case("ME07", "HTTP", "statistics after inferences", "success, batch sizes and times add up with what was sent")
def test_statistics(server):
    def entry():
        return get(server.http, "/v2/models/id_uint16/stats").json["model_stats"][0]

    before = entry()
    for size in (1, 2, 2):
        body = {"inputs": [infer_input([7] * size, shape=[size, 1], datatype="UINT16")]}
        assert post_infer(server.http, "id_uint16", body).status == 200
    after = entry()
    assert after["inference_count"] - before["inference_count"] == 5
    assert after["execution_count"] - before["execution_count"] == 3
    success = after["inference_stats"]["success"]
    assert success["count"] - before["inference_stats"]["success"]["count"] == 3
    parts = ("queue", "compute_input", "compute_infer", "compute_output")
    assert all(after["inference_stats"][part]["count"] == success["count"] for part in parts)
    assert sum(after["inference_stats"][part]["ns"] for part in parts) <= success["ns"]
    sizes = {batch["batch_size"]: batch["compute_infer"]["count"] for batch in after["batch_stats"]}
    old = {batch["batch_size"]: batch["compute_infer"]["count"] for batch in before["batch_stats"]}
    assert (sizes[1] - old.get(1, 0), sizes[2] - old.get(2, 0)) == (1, 2)
    assert after["last_inference"] > 1_700_000_000_000
