"""`inferd perf --trace-level` and its like: the server traces while it is measured, and its settings are put back."""

import json
import urllib.request

import models
import perf_tool
import pytest
from cases import case
from perf_tool import PROTOCOLS

COUNTED = ["-m", "id_int32", "--shape", "IN:2", "--request-count", "20"]


@pytest.fixture
def traced(start, repository, tmp_path):
    models.add(repository, "id_int32", models.BATCHED + models.pair("INT32", "-1"))
    file = tmp_path / "trace.json"
    server = start(repository, f"--trace-config=triton,file={file}", "--trace-config=rate=7")
    server.trace_file = file
    return server


def settings(server):
    with urllib.request.urlopen(f"http://{server.http_url}/v2/trace/setting", timeout=60) as answer:
        return json.load(answer)


@case("PX60", "HTTP, gRPC", "inferd perf --trace-level TIMESTAMPS --trace-level TENSORS --trace-rate 2 --trace-count 5",
      "five traces with tensors of every other inference; afterwards the settings are as they were")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_traces(traced, protocol):
    before = settings(traced)
    assert before["trace_level"] == ["OFF"] and before["trace_rate"] == "7"
    perf_tool.good(traced, protocol, *COUNTED, "--trace-level", "TIMESTAMPS", "--trace-level", "TENSORS", "--trace-rate", "2",
                   "--trace-count", "5", "--log-frequency", "0")
    assert settings(traced) == before
    traced.stop()
    written = json.loads(traced.trace_file.read_text())
    assert len([entry for entry in written if entry.get("model_name") == "id_int32"]) == 5
    assert any("tensor" in entry for entry in written) and any("timestamps" in entry for entry in written)


@case("PX61", "HTTP, gRPC", "a rate alone; a level that there is not", "only that is changed; refused, nothing is changed, nothing is sent")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_some_and_wrong(traced, protocol):
    before = settings(traced)
    perf_tool.good(traced, protocol, *COUNTED, "--trace-rate", "3")
    assert settings(traced) == before
    said = perf_tool.refused(traced, protocol, *COUNTED, "--trace-level", "EVERYTHING")
    assert "EVERYTHING" in said and settings(traced) == before
    perf_tool.refused(traced, protocol, *COUNTED, "--trace-rate", "0", code=3)


@case("PX62", "HTTP, gRPC", "the same on a run that fails", "the settings are put back all the same")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_that_fails(traced, repository, protocol):
    before = settings(traced)
    perf_tool.refused(traced, protocol, "-m", "id_int32", "--shape", "IN:2", "--request-count", "20", "--input-data", "/nowhere", "--trace-rate", "3")
    perf_tool.refused(traced, protocol, *COUNTED, "-f", "/nowhere/t.csv", "--trace-rate", "3")
    assert settings(traced) == before
