"""`inferd perf --streaming`: inferences as messages of one ModelStreamInfer call, decoupled models among them."""

import json
import re

import models
import perf_runs
import perf_tool
import pytest
from cases import case
from perf_tool import QUICK
from serving import Server


@pytest.fixture(scope="module")
def decoupled(tmp_path_factory):
    """Models that answer three times, never, and three times with the end told apart."""
    repository = tmp_path_factory.mktemp("decoupled")
    config = models.BATCHED + models.pair("INT32", "2") + "model_transaction_policy { decoupled: true }\n"
    models.add(repository, "three", config + models.parameter("responses", "3"))
    models.add(repository, "none", config + models.parameter("responses", "0"))
    models.add(repository, "apart", config + models.parameter("responses", "3") + models.parameter("separate_final", "true"))
    models.add(repository, "breaks", config + models.parameter("responses", "3") + models.parameter("fail_after_responses", "1"))
    models.add(repository, "paced", config + "instance_group { count: 9 kind: KIND_CPU }\n" + models.parameter("responses", "5") + models.parameter("response_delay_ms", "200"))
    running = Server(repository)
    yield running
    running.stop()


def batches(experiment, sizes):
    """Its requests in the order of sending, in groups."""
    rest = sorted(experiment["requests"], key=lambda request: request["timestamp"])
    for size in sizes:
        yield rest[:size]
        rest = rest[size:]
    assert rest == []


@case("PX30", "gRPC stream", "--periodic-concurrency-range 2:9:3 --request-period 2 on a model that answers five times",
      "2 requests, and 3, 3 and 1 more as soon as each of those before has had two answers; every one is answered five times")
def test_periodic_concurrency(decoupled, tmp_path):
    profile = tmp_path / "p.json"
    text = perf_tool.good(decoupled, "grpc", "--streaming", "-m", "paced", "--periodic-concurrency-range", "2:9:3", "--request-period", "2",
                          "--profile-export-file", str(profile))
    assert "Request count: 9\n" in text and "Failed" not in text
    (experiment,) = json.loads(profile.read_text())["experiments"]
    assert experiment["experiment"] == {"mode": "concurrency", "value": 2}
    assert {len(request["response_timestamps"]) for request in experiment["requests"]} == {5}
    groups = list(batches(experiment, [2, 3, 3, 1]))
    for before, group in zip(groups, groups[1:]):
        due = max(request["response_timestamps"][1] for request in before)
        end = min(request["response_timestamps"][-1] for request in before)
        assert all(due <= request["timestamp"] < end for request in group)


@case("PX31", "gRPC stream", "the same where requests end before their period is over", "the end counts as the period's")
@pytest.mark.parametrize("model", ["three", "apart", "none", "breaks"])
def test_periodic_concurrency_of_short_requests(decoupled, tmp_path, model):
    profile = tmp_path / "p.json"
    ended = perf_tool.run(decoupled, "grpc", "--streaming", "-m", model, "--periodic-concurrency-range", "1:5:2", "--request-period", "9",
                          "--profile-export-file", str(profile))
    if model == "breaks":
        assert ended.returncode == 99 and "no request succeeded" in ended.stderr
        return
    assert ended.returncode == 0, ended.stderr
    (experiment,) = json.loads(profile.read_text())["experiments"]
    groups = list(batches(experiment, [1, 2, 2]))
    for before, group in zip(groups, groups[1:]):
        ends = [time for request in before for time in request["response_timestamps"][-1:]]
        assert all(end <= request["timestamp"] for end in ends for request in group)


@case("PX32", "flag", "--periodic-concurrency-range with what does not go with it, or without what it needs", "exit code 3")
@pytest.mark.parametrize("words", ["--periodic-concurrency-range 1:5 --profile-export-file p", "--streaming --periodic-concurrency-range 1:5",
                                   "--streaming --periodic-concurrency-range 5 --profile-export-file p", "--request-period 4",
                                   "--streaming --periodic-concurrency-range 1:5 --profile-export-file p -f t.csv",
                                   "--streaming --periodic-concurrency-range 1:5 --profile-export-file p --request-count 4",
                                   "--periodic-concurrency-range 1:5 --concurrency-range 4"])
def test_periodic_contradictions(decoupled, words):
    perf_tool.refused(decoupled, "grpc", "-m", "three", *words.split(), code=3)


@pytest.mark.parametrize("in_flight", [1, 16, 100])
def test_one_answer_each(server, in_flight):
    before = perf_runs.inferences(server, "id_fp32")
    text = perf_tool.good(server, "grpc", "--streaming", "-m", "id_fp32", "--shape", "IN:4", "--request-count", "300",
                          "--concurrency-range", str(in_flight))
    assert "Request count: 300\n" in text and "Failed" not in text and "Response Throughput" not in text
    assert perf_runs.inferences(server, "id_fp32") == before + 300


def test_answers_find_their_request(server, tmp_path):
    """Each entry expects its own data back, 20 of them at a time over few connections."""
    data = tmp_path / "d.json"
    values = [[n, -n] for n in range(50)]
    data.write_text(json.dumps({"data": [{"IN": v} for v in values], "validation_data": [{"OUT": v} for v in values]}))
    text = perf_tool.good(server, "grpc", "--streaming", "-m", "id_int32", "--shape", "IN:2", "--input-data", str(data),
                          "--request-count", "500", "--concurrency-range", "20")
    assert "Request count: 500\n" in text and "Failed" not in text


def test_failures_on_a_stream(server):
    text = perf_tool.good(server, "grpc", "--streaming", "-m", "flaky", "--shape", "IN:2", "--request-count", "40", "--concurrency-range", "4")
    failed = int(re.search(r"Failed \([a-z ]+\): (\d+), the first: ", text).group(1))
    assert 0 < failed < 40 and f"Request count: {40 - failed}\n" in text


@pytest.mark.parametrize("model, answers", [("three", 3), ("apart", 3), ("none", 0)])
def test_decoupled(decoupled, model, answers, tmp_path):
    profile = tmp_path / "p.json"
    perf_tool.good(decoupled, "grpc", "--streaming", "-m", model, "--request-count", "20", "--concurrency-range", "3",
                   "--profile-export-file", str(profile))
    (experiment,) = json.loads(profile.read_text())["experiments"]
    assert [len(request["response_timestamps"]) for request in experiment["requests"]] == [answers] * 20


def test_columns_of_a_decoupled_model(decoupled, tmp_path):
    theirs, ours = tmp_path / "theirs.csv", tmp_path / "ours.csv"
    perf_runs.report(decoupled, "grpc", theirs, "three", "--streaming")
    (row,) = perf_tool.rows(decoupled, "grpc", ours, "--streaming", "-m", "three", *QUICK)
    assert ours.read_bytes().split(b"\n")[0] == theirs.read_bytes().split(b"\n")[0]
    assert float(row["Response Throughput"]) == pytest.approx(3 * float(row["Inferences/Second"]), rel=0.01)


def test_an_end_in_the_middle(decoupled):
    assert "no request succeeded" in perf_tool.refused(decoupled, "grpc", "--streaming", "-m", "breaks", "--request-count", "3")


def test_what_needs_a_stream(decoupled, server):
    assert "--streaming" in perf_tool.refused(decoupled, "grpc", "-m", "three")
    assert "-i grpc" in perf_tool.refused(server, "http", "-m", "five", "--streaming", code=3)
