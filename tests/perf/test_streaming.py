"""`inferd perf --streaming`: inferences as messages of one ModelStreamInfer call, decoupled models among them."""

import json
import re

import models
import perf_runs
import perf_tool
import pytest
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
    running = Server(repository)
    yield running
    running.stop()


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
