"""The JSON files of `inferd perf`: everything about a point, and the times of every request."""

import json
import struct
import subprocess
from pathlib import Path

import perf_tool
import pytest
import serving
from cases import case
from perf_tool import PROTOCOLS, QUICK


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_profile_export(server, protocol, tmp_path):
    file = tmp_path / "p.json"
    perf_tool.good(server, protocol, "-m", "five", "--concurrency-range", "1:2", "--request-count", "9", "--profile-export-file", str(file))
    profile = json.loads(file.read_text())
    assert profile["service_kind"] == "triton"
    assert [e["experiment"] for e in profile["experiments"]] == [{"mode": "concurrency", "value": n} for n in (1, 2)]
    for experiment in profile["experiments"]:
        assert len(experiment["requests"]) == 9
        begin, end = experiment["window_boundaries"]
        for request in experiment["requests"]:
            (answered,) = request["response_timestamps"]
            assert begin <= request["timestamp"] < answered <= end
            assert answered - request["timestamp"] >= 5_000_000


def test_json(server, tmp_path):
    file = tmp_path / "all.json"
    perf_tool.good(server, "grpc", "-m", "five", "--json", str(file), "--goodput-latency", "5", *QUICK)
    report = json.loads(file.read_text())
    settings = report["settings"]
    assert settings["model"] == "five" and settings["batch_size"] == 1 and settings["input_data"] == ["random"]
    assert settings["measurement_mode"] == "time_windows" and settings["measurement_interval_ms"] == 200
    assert "measurement_request_count" not in settings and "request_distribution" not in settings
    (point,) = report["points"]
    latency = point["latency_us"]
    assert 5000 <= latency["minimum"] <= latency["p50"] <= latency["p99"] <= latency["p99.99"] <= latency["maximum"]
    assert point["goodput"] == 0
    assert point["histogram"][-1][1] == point["requests"] and point["failed"] == 0
    assert [count for _, count in point["histogram"]] == sorted(count for _, count in point["histogram"])
    assert point["server"][0]["compute_infer_us"] >= 5000
    assert 0 < point["generator"]["cpu_share"] <= 1.1


def test_json_has_the_settings_that_applied(server, tmp_path):
    file = tmp_path / "all.json"
    perf_tool.good(server, "http", "-m", "five", "--json", str(file), "--request-rate-range", "500", "--request-count", "9", "-b", "2")
    settings = json.loads(file.read_text())["settings"]
    assert settings["request_distribution"] == "constant" and settings["request_count"] == 9 and settings["batch_size"] == 2
    assert "measurement_mode" not in settings and "measurement_interval_ms" not in settings


@case("PX50", "HTTP, gRPC", "--profile-export-values, with data of every request's own, of batches and strings", "inputs and outputs of each request, in perf_analyzer's places")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_profile_values(server, protocol, tmp_path):
    data, file = tmp_path / "d.json", tmp_path / "p.json"

    def requests(model, values, *options):
        data.write_text(json.dumps({"data": [{"IN": value} for value in values]}))
        perf_tool.good(server, protocol, "-m", model, "--shape", "IN:2", "--input-data", str(data), "--request-count", "4",
                       "--profile-export-file", str(file), "--profile-export-values", *options)
        (experiment,) = json.loads(file.read_text())["experiments"]
        return [(request["request_inputs"], *request["response_outputs"]) for request in experiment["requests"]]

    assert requests("id_int32", [[1, -2], [3, 4]]) == [({"IN": v}, {"OUT": v}) for v in ([1, -2], [3, 4])] * 2
    assert requests("id_bytes", [["a", "é"], ["", "\n"]], "-b", "2") == [({"IN": ["a", "é", "", "\n"]}, {"OUT": ["a", "é", "", "\n"]}),
                                                                     ({"IN": ["", "\n", "a", "é"]}, {"OUT": ["", "\n", "a", "é"]})] * 2
    assert "--profile-export-file" in perf_tool.refused(server, protocol, "-m", "id_int32", "--profile-export-values", code=3)


@case("PG02", "flag", "-f, --json and --profile-export-file in a folder that does not exist, that is a folder, below a file, or -",
      "exit code 99 before the load, naming flag and path")  # fmt: skip
@pytest.mark.parametrize("flag", ["-f", "--json", "--profile-export-file"])
def test_bad_paths(server, tmp_path, flag):
    (tmp_path / "file").touch()
    for path in (tmp_path / "none" / "x", tmp_path, tmp_path / "file" / "x", "-"):
        ended = perf_tool.run(server, "http", "-m", "five", "--request-count", "3", flag, str(path))
        assert ended.returncode == 99 and ended.stdout == "", ended.stdout
        assert flag in ended.stderr and str(path) in ended.stderr
    assert not Path("-").exists()


@case("PG03", "flag", "-f and --json whose folder goes while they are measured, and a profile whose folder stays; files in /dev/stdout",
      "exit code 99 and both paths; the profile is written; standard output has them behind the report")  # fmt: skip
def test_paths_that_go(server, tmp_path):
    gone, kept = tmp_path / "gone", tmp_path / "kept.json"
    gone.mkdir()
    command = perf_tool.command(server, "http", "-m", "five", "--request-count", "100", "-f", str(gone / "f.csv"), "--json", str(gone / "j.json"),
                                "--profile-export-file", str(kept))  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline().startswith("*** Measurement Settings")
        gone.rmdir()
        _, said = running.communicate()
    assert running.returncode == 99
    assert "f.csv" in said and "j.json" in said
    assert len(json.loads(kept.read_text())["experiments"][0]["requests"]) == 100
    text = perf_tool.good(server, "http", "-m", "five", "--request-count", "3", "--json", "/dev/stdout")
    assert "Request count: 3\n" in text and json.loads(text[text.index('{"settings"') :])["points"][0]["requests"] == 3
    with (tmp_path / "all").open("w") as out:
        subprocess.run([*command[:-6], "--json", "/dev/stdout"], stdout=out, check=True)
    text = (tmp_path / "all").read_text()
    assert text.startswith("*** Measurement Settings") and text.rstrip().endswith("}")


@case("PG04", "HTTP, gRPC", "--profile-export-values of NaN and the infinities, which the file is then given to inferd figures", "JSON, with strings for them; a picture")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_values_that_json_has_not(server, protocol, tmp_path):
    def strict(word):
        raise ValueError(word)

    data, file = tmp_path / "data", tmp_path / "p.json"
    data.mkdir()
    (data / "IN").write_bytes(struct.pack("<4f", float("nan"), float("inf"), float("-inf"), 1.5))
    perf_tool.good(server, protocol, "-m", "id_fp32", "--shape", "IN:4", "--input-data", str(data), "--request-count", "20",
                   "--profile-export-file", str(file), "--profile-export-values")
    (experiment,) = json.loads(file.read_text(), parse_constant=strict)["experiments"]
    values = ["NaN", "Infinity", "-Infinity", 1.5]
    for request in experiment["requests"]:
        assert request["request_inputs"] == {"IN": values} and request["response_outputs"] == [{"OUT": values}]
    drawn = subprocess.run([serving.BINARY, "figures", "--output-dir", str(tmp_path / "out"), str(file)], capture_output=True, text=True)
    assert drawn.returncode == 0, drawn.stderr


@case("PX10", "HTTP", "--full-csv", "perf_analyzer's verbose columns, unchanged, and ours behind them, among them whether the generator was the bottleneck")
def test_full_csv(server, tmp_path):
    verbose, full = tmp_path / "v.csv", tmp_path / "f.csv"
    options = ["-m", "five", "--request-count", "9", "--concurrency-range", "1:2"]
    perf_tool.rows(server, "http", verbose, *options, "--verbose-csv")
    rows = perf_tool.rows(server, "http", full, *options, "--full-csv")
    assert full.read_text().split("\n")[0].startswith(verbose.read_text().split("\n")[0] + ",")
    assert {row["Concurrency"] for row in rows} == {"1", "2"}
    for row in rows:
        assert row["Generator Limited"] in ("0", "1") and row["Failed Requests"] == "0"
        assert float(row["p99 latency"]) <= float(row["p99.9 latency"]) <= float(row["p99.99 latency"]) <= float(row["Max latency"])
    assert "-f" in perf_tool.refused(server, "http", "-m", "five", "--full-csv", code=3)


def test_a_fixed_schedule(server, tmp_path):
    data, profile = tmp_path / "d.json", tmp_path / "p.json"
    times = [0, 20, 20, 45.5, 100]
    data.write_text(json.dumps({"data": [{"IN": [n], "timestamp": time} for n, time in enumerate(times)],
                                "validation_data": [{"OUT": [n]} for n in range(5)]}))
    text = perf_tool.good(server, "http", "-m", "id_int32", "--shape", "IN:1", "--input-data", str(data), "--fixed-schedule",
                          "--profile-export-file", str(profile))
    assert "Request count: 5\n" in text and "Failed" not in text
    (experiment,) = json.loads(profile.read_text())["experiments"]
    begin = experiment["window_boundaries"][0]
    assert sorted((request["timestamp"] - begin) / 1e6 for request in experiment["requests"]) == times
    assert "One window of all requests" in text and "Measurement window" not in text
    data.write_text(json.dumps({"data": [{"IN": [n], "timestamp": [20 * n]} for n in range(3)]}))
    assert "Request count: 3\n" in perf_tool.good(server, "http", "-m", "id_int32", "--shape", "IN:1", "--input-data", str(data), "--fixed-schedule")
    data.write_text(json.dumps({"data": [{"IN": [1]}]}))
    assert "timestamp" in perf_tool.refused(server, "http", "-m", "id_int32", "--shape", "IN:1", "--input-data", str(data), "--fixed-schedule")


@case("PX70", "gRPC", "--grpc-compression-algorithm, each call by itself and on a stream, answers checked", "the server reads them, and gives the same answers")
@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
@pytest.mark.parametrize("stream", [[], ["--streaming"]])
def test_compressed_requests(server, tmp_path, algorithm, stream):
    data = tmp_path / "d.json"
    values = [[n] * 5000 for n in range(20)]
    data.write_text(json.dumps({"data": [{"IN": v} for v in values], "validation_data": [{"OUT": v} for v in values]}))
    options = ["-m", "id_int32", "--shape", "IN:5000", "--input-data", str(data), "--request-count", "60", "--concurrency-range", "4"]
    text = perf_tool.good(server, "grpc", *options, *stream, "--grpc-compression-algorithm", algorithm)
    assert "Request count: 60\n" in text and "Failed" not in text
    assert "-i grpc" in perf_tool.refused(server, "http", *options, "--grpc-compression-algorithm", algorithm, code=3)
