"""Latency histograms and the other metrics that Triton has no counterpart of, or keeps behind a setting."""

import time
from concurrent.futures import ThreadPoolExecutor

import models
import pytest
from cases import case
from prometheus_client.parser import text_string_to_metric_families
from serving import run, wait_until
from wire import get, grpc_infer, infer_input, infer_message, post_infer

HISTOGRAMS = ["inferd_request_duration_seconds", "inferd_queue_duration_seconds", "inferd_compute_duration_seconds"]
COUNTERS = [
    "nv_inference_request_duration_us",
    "nv_inference_queue_duration_us",
    "nv_inference_compute_input_duration_us",
    "nv_inference_compute_infer_duration_us",
    "nv_inference_compute_output_duration_us",
]


def families(port):
    answer = get(port, "/metrics")
    assert answer.status == 200
    return {family.name: family for family in text_string_to_metric_families(answer.body.decode())}


class Histogram:
    """One series of a histogram: its cumulative buckets, in the order of the text, its sum and its count."""

    def __init__(self, port, name, **labels):
        family = families(port)[name]
        assert family.type == "histogram" and family.documentation
        mine = [s for s in family.samples if labels.items() <= s.labels.items()]
        self.buckets = [(float(s.labels["le"]), s.value) for s in mine if s.name == name + "_bucket"]
        (self.sum,) = [s.value for s in mine if s.name == name + "_sum"]
        (self.count,) = [s.value for s in mine if s.name == name + "_count"]

    def below(self, seconds):
        """How many took at most so long, a bound of the histogram."""
        return dict(self.buckets)[seconds]


def one(datatype="INT32", rows=1):
    return {"inputs": [infer_input([1] * rows, shape=[rows, 1], datatype=datatype)]}


@case("LH01", "HTTP", "GET /metrics", "three histograms for every model version, typed and documented, valid for Prometheus' parser")
def test_there_for_every_version(server):
    found = families(server.metrics)
    for name in HISTOGRAMS:
        assert found[name].type == "histogram"
        series = {(s.labels["model"], s.labels["version"]) for s in found[name].samples}
        assert {("versions", "1"), ("versions", "2"), ("versions", "10"), ("plain", "1")} <= series


@case("LH02", "HTTP", "GET /metrics", "buckets ascend from 50 us to 60 s and +Inf, are cumulative, and end in the count")
def test_buckets_are_cumulative(server):
    assert post_infer(server.http, "id_int32", one()).status == 200
    for name in HISTOGRAMS:
        histogram = Histogram(server.metrics, name, model="id_int32")
        bounds = [bound for bound, _ in histogram.buckets]
        values = [value for _, value in histogram.buckets]
        assert bounds == sorted(bounds) and len(bounds) == 20
        assert (bounds[0], bounds[-2], bounds[-1]) == (0.00005, 60.0, float("inf"))
        assert values == sorted(values) and values[-1] == histogram.count > 0


@case("LH03", "HTTP", "inferences", "count rises by one a request, whatever its batch; equal to nv_inference_request_success")
def test_counts_requests(server):
    before = [Histogram(server.metrics, name, model="id_int16").count for name in HISTOGRAMS]
    for rows in (1, 4, 8):
        assert post_infer(server.http, "id_int16", one("INT16", rows)).status == 200
    after = [Histogram(server.metrics, name, model="id_int16").count for name in HISTOGRAMS]
    assert [b - a for a, b in zip(before, after)] == [3, 3, 3]
    (success,) = [
        s.value for s in families(server.metrics)["nv_inference_request_success"].samples if s.labels["model"] == "id_int16"
    ]
    assert set(after) == {success}


@case("LH04", "gRPC", "ModelInfer", "counted in the same histogram")
def test_counts_grpc(server):
    before = Histogram(server.metrics, HISTOGRAMS[0], model="id_int64").count
    grpc_infer(server.grpc, infer_message("id_int64", ("IN", "INT64", [1, 1], b"\1" + bytes(7))))
    assert Histogram(server.metrics, HISTOGRAMS[0], model="id_int64").count == before + 1


@case("LH05", "HTTP", "a model that takes 300 ms", "request and compute fall between 200 ms and the end, queue is far below; sums tell it")
def test_a_slow_model(server):
    names = dict(zip(("request", "queue", "compute"), HISTOGRAMS))
    before = {part: Histogram(server.metrics, name, model="slow") for part, name in names.items()}
    assert post_infer(server.http, "slow", one()).status == 200
    after = {part: Histogram(server.metrics, name, model="slow") for part, name in names.items()}
    for part in ("request", "compute"):
        assert after[part].below(0.2) == before[part].below(0.2)
        assert after[part].count == before[part].count + 1
        assert after[part].sum - before[part].sum >= 0.3
    assert after["queue"].sum - before["queue"].sum < after["compute"].sum - before["compute"].sum


@case("LH06", "HTTP", "requests that wait behind another", "their wait is in the queue's histogram, not in the compute's")
def test_waiting_is_queue_time(start, repository):
    models.add(repository, "m", models.PLAIN + models.pair("INT32", "1") + models.parameter("execute_delay_ms", "500"))
    running = start(repository)
    body = {"inputs": [infer_input([1], shape=[1])]}
    with ThreadPoolExecutor(4) as pool:
        assert {f.result().status for f in [pool.submit(post_infer, running.http, "m", body) for _ in range(4)]} == {200}
    request, queue, compute = (Histogram(running.metrics, name, model="m") for name in HISTOGRAMS)
    assert request.count == queue.count == compute.count == 4
    assert queue.sum >= 0.5 + 1 + 1.5 - 1  # they need not come at the same moment
    assert compute.sum >= 2
    assert abs(request.sum - queue.sum - compute.sum) < 0.5 * request.sum


@case("LH07", "HTTP", "failing inferences", "not in the histograms, which are about successes")
def test_failures_are_left_out(server):
    before = Histogram(server.metrics, HISTOGRAMS[0], model="failing").count
    assert post_infer(server.http, "failing", one()).status == 500
    assert Histogram(server.metrics, HISTOGRAMS[0], model="failing").count == before


@case("LH08", "HTTP", "metric_tags in the config", "labels of every bucket, sum and count")
def test_tags(server):
    histogram = Histogram(server.metrics, HISTOGRAMS[1], model="tagged", _team='a"b\\c')
    assert len(histogram.buckets) == 20


@case("LH09", "flag", "--metrics-config=histogram_latencies=false", "no histograms, counters as ever")
def test_without_histograms(start, repository):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    found = families(start(repository, "--metrics-config=histogram_latencies=false").metrics)
    assert not set(HISTOGRAMS) & set(found)
    assert set(COUNTERS) <= set(found)


@case("LH10", "flag", "--metrics-config=counter_latencies=false", "no cumulated durations; counts and histograms as ever")
def test_without_counters(start, repository):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    found = families(start(repository, "--metrics-config", "counter_latencies=false").metrics)
    assert not set(COUNTERS) & set(found)
    assert {"nv_inference_count", "nv_inference_request_success", *HISTOGRAMS} <= set(found)


@pytest.mark.parametrize("setting", ["summary_latencies=true", "summary_quantiles=0.5:0.05", "counter_latencies=maybe", "x", ""])
@case("LH11", "flag", "--metrics-config with what is not implemented or has no sense", "exit code 2, and what was expected")
def test_unknown_settings(setting, repository):
    ended = run("serve", "--model-repository", str(repository), f"--metrics-config={setting}")
    assert ended.returncode == 2
    assert "--metrics-config: " in ended.stderr


@case("LH12", "HTTP", "GET /metrics", "nv_model_load_duration_secs of every ready version, above 0 and below the age of the server")
def test_load_duration(server):
    family = families(server.metrics)["nv_model_load_duration_secs"]
    assert family.type == "gauge"
    assert {s.labels["version"] for s in family.samples if s.labels["model"] == "versions"} == {"1", "2", "10"}
    assert all(0 < s.value < 60 for s in family.samples)


def cpu(running):
    """The use of the CPUs, after some of it."""
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        pass
    return families(running.metrics)["nv_cpu_utilization"].samples[0].value


@case("LH13", "flag", "--metrics-interval-ms=1 on a busy machine", "nv_cpu_utilization above 0, at most 1")
def test_cpu_use_is_seen(start, repository):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    running = start(repository, "--metrics-interval-ms=1")
    wait_until(lambda: cpu(running) > 0)
    assert 0 <= cpu(running) <= 1


@case("LH14", "flag", "--metrics-interval-ms=86400000 on a busy machine", "no figure yet: 0 at every reading of the first day")
def test_cpu_is_measured_over_the_interval(start, repository):
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    running = start(repository, "--metrics-interval-ms=86400000")
    assert [cpu(running) for _ in range(3)] == [0, 0, 0]
