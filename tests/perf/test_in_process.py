"""`inferd perf --service-kind in_process`: the core without a network."""

import csv
import json
import re
import signal
import subprocess
import time

import models
import perf_tool
import pytest
import serving
from cases import case
from perf_tool import QUICK

KIND = ("--service-kind", "in_process")
HEAD = ("Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,Server Compute Infer,"
        "Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    models.build(folder)
    models.add(folder, "five", models.BATCHED + models.pair("FP32", "16") + models.parameter("execute_delay_ms", "5"))
    models.add(folder, "joined", models.BATCHED + models.pair("FP32", "16") + models.parameter("execute_delay_ms", "5") +
               "dynamic_batching { preferred_batch_size: [8] max_queue_delay_microseconds: 5000000 }\n")
    config = models.BATCHED + models.pair("INT32", "2") + "model_transaction_policy { decoupled: true }\n"
    for name, answers, more in (("three", "3", {}), ("none", "0", {}), ("apart", "3", {"separate_final": "true"})):
        models.add(folder, name, config + models.parameter("responses", answers) + "".join(models.parameter(*item) for item in more.items()))
    for name, form in (("bert", ["--format", "bert", "--precision", "fp32"]), ("onnx", [])):
        serving.run("export", "--checkpoint", "tests/fixtures/hf_checkpoint", "--model-repository", str(folder), "--model", name,
                    "--max-seq-length", "48", *form)
    return folder


def run(repository, *options):
    return subprocess.run([serving.BINARY, "perf", *KIND, f"--model-repository={repository}", *options], capture_output=True, text=True,
                          timeout=2 * serving.PATIENCE_S)


def good(repository, *options):
    for factor in (1, 10, 50):
        ended = run(repository, *perf_tool.longer(options, factor))
        if ended.returncode != perf_tool.UNSTABLE:
            break
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def refused(repository, *options, code=99):
    ended = run(repository, *options)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stderr


@case("VP11", "in process", "137 requests, five in flight; batches of 8", "the core's statistics and perf count the same")
def test_counts(repository):
    text = good(repository, "-m", "id_fp32", "--shape", "IN:4", "--request-count", "137", "--concurrency-range", "5")
    assert "Request count: 137\n" in text and "Successful request count: 137\n" in text and "Inference count: 137\n" in text
    text = good(repository, "-m", "id_fp32", "--shape", "IN:4", "-b", "8", "--request-count", "10")
    assert "Request count: 10\n" in text and "Inference count: 80\n" in text
    assert "takes at most 8" in refused(repository, "-m", "id_fp32", "--shape", "IN:4", "-b", "9")


@case("VP12", "in process", "a model that takes 5 ms, at a concurrency and at a rate", "perf_analyzer's columns; compute is 5 ms, waiting is queue")
def test_the_table(repository, tmp_path):
    file = tmp_path / "t.csv"
    good(repository, "-m", "five", "--concurrency-range", "1:4:3", "-f", str(file), *QUICK)
    assert file.read_text().splitlines()[0] == HEAD
    rows = {row["Concurrency"]: row for row in csv.DictReader(file.open())}
    for row in rows.values():
        assert 5000 <= int(row["Server Compute Infer"]) <= int(row["p99 latency"])
    assert int(rows["4"]["Server Queue"]) > 5000 > int(rows["1"]["Server Queue"])
    good(repository, "-m", "five", "--request-rate-range", "50", "-f", str(file), *QUICK)
    assert file.read_text().startswith("Request Rate,")


@case("VP13", "in process", "eight in flight at a model that waits for eight", "the batcher joins them: as many executions as batches")
def test_the_batcher_is_the_servers(repository):
    text = good(repository, "-m", "joined", "--request-count", "80", "--concurrency-range", "8")
    executions = int(re.search(r"Execution count: (\d+)\n", text).group(1))
    assert "Inference count: 80\n" in text and executions == 10


@case("VP14", "in process", "entries that expect themselves back, 20 in flight; the same of strings; wrong ones", "each answer is its own request's; failures are told")
def test_data_goes_there_and_back(repository, tmp_path):
    data = tmp_path / "d.json"
    for model, values in (("id_int32", [[n, -n] for n in range(50)]), ("id_bytes", [["x" * n, "é"] for n in range(50)])):
        data.write_text(json.dumps({"data": [{"IN": v} for v in values], "validation_data": [{"OUT": v} for v in values]}))
        text = good(repository, "-m", model, "--shape", "IN:2", "--input-data", str(data), "--request-count", "300", "--concurrency-range", "20")
        assert "Request count: 300\n" in text and "Failed" not in text
    data.write_text(json.dumps({"data": [{"IN": [1, 2]}], "validation_data": [{"OUT": [1, 3]}]}))
    assert "validation_data" in refused(repository, "-m", "id_int32", "--shape", "IN:2", "--input-data", str(data), "--request-count", "2")
    assert "Failed" not in good(repository, "-m", "id_fp32", "--shape", "IN:4", "--fresh-data", "--request-count", "200", "--concurrency-range", "16")


@case("VP15", "in process", "decoupled models with three answers, none, and the end told apart", "each request has its answers")
@pytest.mark.parametrize("model, answers", [("three", 3), ("apart", 3), ("none", 0)])
def test_decoupled(repository, tmp_path, model, answers):
    profile = tmp_path / "p.json"
    good(repository, "-m", model, "--request-count", "20", "--concurrency-range", "3", "--profile-export-file", str(profile))
    (experiment,) = json.loads(profile.read_text())["experiments"]
    assert [len(request["response_timestamps"]) for request in experiment["requests"]] == [answers] * 20


@case("VP16", "in process", "a model of backend bert, and one of the OpenVINO plug-in, with questions of real lengths", "both answer")
@pytest.mark.parametrize("model", ["bert", "onnx"])
def test_engines(repository, model):
    if model == "onnx" and not (serving.ROOT / serving.BINARY).parent.joinpath("lib/inferd/inferd_backend_openvino.so").exists():
        pytest.skip("the plug-in is not built")
    text = good(repository, "-m", model, *(f"--shape={name}:24" for name in ("input_ids", "input_mask", "segment_ids")), "--input-data", "zero",
                "--request-count", "20", "--concurrency-range", "4")
    assert "Request count: 20\n" in text and "Successful request count: 20\n" in text


@case("VP17", "in process", "what fails: unknown and failing models, some requests, a time limit, sequences that overlap", "a clear error, or counted by class")
def test_what_fails(repository):
    assert "has a folder 'nosuch'" in refused(repository, "-m", "nosuch")
    assert "not a folder" in refused(repository / "nothing", "-m", "five") or "nothing" in refused(repository / "nothing", "-m", "five")
    assert "no request succeeded" in refused(repository, "-m", "failing", "--shape", "IN:2", "--request-count", "3")
    text = good(repository, "-m", "flaky", "--shape", "IN:2", "--request-count", "40", "--concurrency-range", "4")
    failed = int(re.search(r"Failed \([a-z ]+\): (\d+), the first: ", text).group(1))
    assert 0 < failed < 40 and f"Request count: {40 - failed}\n" in text
    assert "--url is of a server" in refused(repository, "-m", "five", "-u", "h:1", code=3)
    text = good(repository, "-m", "id_int32", "--shape", "IN:2", "--sequence-length", "5", "--concurrency-range", "3", "--request-count", "50")
    assert "Request count: 50\n" in text and "Failed" not in text


@case("VP18", "in process", "Ctrl-C in the midst of a measurement", "what was measured is reported, although engines have threads")
def test_interrupt(repository):
    command = [serving.BINARY, "perf", *KIND, f"--model-repository={repository}", "-m", "five", "-p", "60000"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for line in running.stdout:
            if line.startswith("Request concurrency"):
                break
        time.sleep(1)
        running.send_signal(signal.SIGINT)
        text, said = running.communicate(timeout=serving.PATIENCE_S)
    finally:
        running.kill()
    assert running.returncode == perf_tool.UNSTABLE and "Interrupted after" in text and "Throughput:" in text, text + said
