"""`inferd perf` with requests kept in flight: counts, columns and the server's part against a server that takes 5 ms."""

import csv
import json
import re

import perf_runs
import perf_tool
import pytest
from cases import case
from perf_tool import PROTOCOLS, QUICK


def succeeded(server, model):
    return perf_runs.inferences(server, model)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_takes_5_ms(server, protocol, tmp_path):
    (one,) = perf_tool.rows(server, protocol, tmp_path / "t.csv", "-m", "five", *QUICK)
    assert 5000 <= int(one["Server Compute Infer"]) <= int(one["p99 latency"])
    assert 5000 <= int(one["p50 latency"]) < 50000
    assert 20 < float(one["Inferences/Second"]) <= 200
    parts = ("Client Send", "Network+Server Send/Recv", "Server Queue", "Server Compute Input", "Server Compute Infer",
             "Server Compute Output", "Client Recv")
    assert sum(int(one[part]) for part in parts) >= 5000


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_waiting_at_one_instance_is_queue(server, protocol, tmp_path):
    rows = perf_tool.rows(server, protocol, tmp_path / "t.csv", "-m", "five", "--concurrency-range", "1:4:3", *QUICK)
    by_load = {row["Concurrency"]: row for row in rows}
    assert set(by_load) == {"1", "4"}
    assert int(by_load["4"]["Server Queue"]) > 5000 > int(by_load["1"]["Server Queue"])
    assert [float(row["Inferences/Second"]) for row in rows] == sorted(float(row["Inferences/Second"]) for row in rows)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_request_count_is_exact(server, protocol):
    before = succeeded(server, "id_fp32")
    text = perf_tool.good(server, protocol, "-m", "id_fp32", "--shape", "IN:4", "--request-count", "137", "--concurrency-range", "5")
    assert "Request count: 137\n" in text
    assert "Successful request count: 137\n" in text
    assert succeeded(server, "id_fp32") == before + 137


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_batches(server, protocol):
    text = perf_tool.good(server, protocol, "-m", "id_fp32", "--shape", "IN:4", "-b", "8", "--request-count", "10")
    assert "Request count: 10\n" in text and "Inference count: 80\n" in text
    assert "takes at most 8" in perf_tool.refused(server, protocol, "-m", "id_fp32", "--shape", "IN:4", "-b", "9")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("datatype", ["bool", "int8", "uint16", "int64", "fp16", "bf16", "fp64", "bytes"])
def test_every_kind_of_data(server, protocol, datatype):
    text = perf_tool.good(server, protocol, "-m", f"id_{datatype}", "--shape", "IN:3", "--request-count", "3")
    assert "Request count: 3\n" in text


def test_count_windows(server):
    text = perf_tool.good(server, "grpc", "-m", "id_fp32", "--shape", "IN:4", "--measurement-mode", "count_windows",
                          "--measurement-request-count", "40", "-s", "9999", "-v")
    assert re.search(r"Request count: 12\d\n", text)  # three windows of 40; those that ended with the last one count too
    assert text.count("  Pass [") == 3


def test_warm_up_is_not_measured(server):
    before = succeeded(server, "id_int8")
    text = perf_tool.good(server, "http", "-m", "id_int8", "--shape", "IN:4", "--warmup-request-count", "30", "--request-count", "20")
    assert "Request count: 20\n" in text
    assert succeeded(server, "id_int8") == before + 50


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_headers_and_columns_are_those_of_perf_analyzer(server, protocol, tmp_path):
    """Byte for byte, in each form that both have."""
    for options in ([], ["--verbose-csv"], ["--percentile", "85"], ["--percentile", "95", "--verbose-csv"],
                    ["--request-rate-range", "50"]):
        theirs, ours = tmp_path / "theirs.csv", tmp_path / "ours.csv"
        perf_runs.report(server, protocol, theirs, "five", *options)
        perf_tool.rows(server, protocol, ours, "-m", "five", *QUICK, *options)
        assert ours.read_bytes().split(b"\n")[0] == theirs.read_bytes().split(b"\n")[0], options


def test_failures_are_classed(server):
    text = perf_tool.good(server, "grpc", "-m", "flaky", "--shape", "IN:2", "--request-count", "40")
    failed = int(re.search(r"Failed \([a-z ]+\): (\d+), the first: ", text).group(1))
    good = int(re.search(r"Request count: (\d+)\n", text).group(1))
    assert failed > 0 and good > 0 and failed + good == 40


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_cannot_be_measured(server, protocol):
    assert "no request succeeded" in perf_tool.refused(server, protocol, "-m", "failing", "--shape", "IN:2", "--request-count", "3")
    assert "nosuch" in perf_tool.refused(server, protocol, "-m", "nosuch")
    assert "--shape IN:" in perf_tool.refused(server, protocol, "-m", "id_fp32")
    assert "is not taken" in perf_tool.refused(server, protocol, "-m", "five", "--sync", code=3)
    assert "inferd --version" in perf_tool.refused(server, protocol, "--version", code=3)


def test_nobody_listens(server):
    class Nowhere:
        http_url = "127.0.0.1:1"

    assert "127.0.0.1:1" in perf_tool.refused(Nowhere, "http", "-m", "five")


def test_unstable_is_said(server):
    ended = perf_tool.run(server, "http", "-m", "five", "-p", "50", "-r", "1")
    assert ended.returncode == 2
    assert "Failed to obtain stable measurement within 1 measurement windows" in ended.stdout


@case("PF40", "HTTP", "flaky model, --latency-threshold under its latency", "the line of the summary tells failures, and that the point is over the limit")
def test_the_summary_tells_what_is_wrong(server, tmp_path):
    ended = perf_tool.run(server, "http", "-m", "flaky", "--shape", "IN:2", "--request-count", "40", "-l", "0.001")
    line = ended.stdout.splitlines()[-1]
    assert ended.returncode == 0
    assert re.search(r"Concurrency: 1, throughput: .* usec \(20 failed\) \(over the latency limit\)", line)
    assert "failed)" not in perf_tool.good(server, "http", "-m", "five", "--request-count", "5").splitlines()[-1]


@case("PF41", "HTTP", "--request-count, --full-csv and --json", "of one window no confidence is told: not in the text, an empty cell, null")
def test_one_window_has_no_confidence(server, tmp_path):
    table, file = tmp_path / "t.csv", tmp_path / "p.json"
    text = perf_tool.good(server, "http", "-m", "five", "--request-count", "20", "-f", str(table), "--full-csv", "--json", str(file))
    assert "confidence" not in text and "One window of 20 requests" in text and "Measurement window" not in text
    (row,) = csv.DictReader(table.open())
    assert row["Throughput Confidence"] == row["Latency Confidence"] == ""
    (point,) = json.loads(file.read_text())["points"]
    assert point["throughput_confidence"] is None and point["latency_us"]["confidence"] is None
    assert "95% confidence +- " in perf_tool.good(server, "http", "-m", "five", *QUICK)


def test_a_model_without_a_name(server):
    assert "-m NAME is needed" in perf_tool.refused(server, "http", "-m", "", code=3)
