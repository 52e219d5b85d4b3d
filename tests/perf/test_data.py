"""What `inferd perf` sends: data of files, checked by the answers, parameters and headers."""

import json

import perf_tool
import pytest
from cases import case
from perf_tool import PROTOCOLS


def write(path, document):
    path.write_text(json.dumps(document))
    return str(path)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_answers_are_checked(server, protocol, tmp_path):
    data = {"data": [{"IN": [1, 2, 3]}, {"IN": {"content": [4, 5], "shape": [2]}}],
            "validation_data": [{"OUT": [1, 2, 3]}, {"OUT": [4, 5]}]}
    options = ("-m", "id_int32", "--shape", "IN:3", "--request-count", "10")
    text = perf_tool.good(server, protocol, "--input-data", write(tmp_path / "good.json", data), *options)
    assert "Request count: 10\n" in text and "Failed" not in text
    data["validation_data"][1]["OUT"] = [4, 6]
    text = perf_tool.good(server, protocol, "--input-data", write(tmp_path / "bad.json", data), *options)
    assert "Request count: 5\n" in text
    assert "Failed (data loss): 5, the first: output OUT is not what validation_data says" in text


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_strings_of_a_folder(server, protocol, tmp_path):
    (tmp_path / "IN").write_text("one\ntwo\n")
    text = perf_tool.good(server, protocol, "-m", "id_bytes", "--shape", "IN:2", "--input-data", str(tmp_path), "--request-count", "3")
    assert "Request count: 3\n" in text


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fresh_data(server, protocol):
    text = perf_tool.good(server, protocol, "-m", "id_fp32", "--shape", "IN:64", "--fresh-data", "--request-count", "50")
    assert "Request count: 50\n" in text


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_parameters_and_headers(server, protocol):
    text = perf_tool.good(server, protocol, "-m", "id_fp32", "--shape", "IN:1", "--request-count", "3", "-H", "X-Name: value",
                          "--request-parameter", "flag:true:bool", "--request-parameter", "n:3:int")
    assert "Request count: 3\n" in text
    text = perf_tool.refused(server, protocol, "-m", "id_fp32", "--shape", "IN:1", "--request-count", "3",
                             "--request-parameter", "priority:high:string")
    assert "priority" in text


def test_wrong_data_are_named(server, tmp_path):
    path = write(tmp_path / "d.json", {"data": [{"IN": [1, "x"]}]})
    text = perf_tool.refused(server, "http", "-m", "id_int32", "--shape", "IN:2", "--input-data", path)
    assert "d.json: stream 0, item 0, \"IN\": expected an integer in -2147483648..2147483647" in text


@case("PG05", "HTTP, gRPC", "flags that the model has no use for: a shape of no input, strings for numbers, composing models that do not exist",
      "exit code 99, naming the flag and what is wrong")  # fmt: skip
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_flags_of_no_use(server, protocol):
    def refused(*options, model="id_int32"):
        return perf_tool.refused(server, protocol, "-m", model, "--request-count", "2", *options)

    assert "--shape OTHER: model five has no such input" in refused("--shape", "OTHER:3", model="five")
    for flag in ("--string-data", "--string-length"):
        assert f"{flag}" in refused("--shape", "IN:2", flag, "7")
        perf_tool.good(server, protocol, "-m", "id_bytes", "--shape", "IN:2", "--request-count", "2", flag, "7")
    assert "--bls-composing-models nobody" in refused("--shape", "IN:2", "--bls-composing-models", "five,nobody")
    perf_tool.good(server, protocol, "-m", "id_int32", "--shape", "IN:2", "--request-count", "2", "--bls-composing-models", "five,plain")


@case("PG08", "HTTP, gRPC", "-H with what frames the requests: content-length, host, grpc-timeout ...", "exit code 3, naming it; others that only look like it are sent")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_headers_of_its_own(server, protocol):
    common = ("-m", "id_int32", "--shape", "IN:2", "--request-count", "2")
    for name in ["content-length", "Transfer-Encoding", "host"] + ["te", "Content-Type", "grpc-timeout"] * (protocol == "grpc"):
        assert name in perf_tool.refused(server, protocol, *common, "-H", f"{name}: 3", code=3)
    perf_tool.good(server, protocol, *common, "-H", "content-length-2: 3", "-H", "tea: 4", "-H", "grp-c: x")


@case("PG06", "flag", "flags that another makes useless, or that need one that is not there", "exit code 3, naming both")
@pytest.mark.parametrize("words, names", [
    ("--doc-stride 64", "--text"), ("--max-query-length 9", "--text"), ("--output-shared-memory-size 8", "--shared-memory"),
    ("--string-data x --string-length 4", "--string-length"), ("--shape IN:1 --shape IN:2", "twice"), ("-t 5 -d -c 3", "-t"),
    ("--replay f -p 100", "--measurement-interval --replay"), ("--replay f --max-trials 4", "--max-trials --replay"),
    ("-f /tmp/a --json /tmp/a", "-f --json"), ("--periodic-concurrency-range 1:5 --streaming --profile-export-file p -s 5", "--stability-percentage --periodic-concurrency-range"),
])  # fmt: skip
def test_flags_that_contradict(server, words, names):
    said = perf_tool.refused(server, "grpc", "-m", "five", *words.split(), code=3)
    assert all(name in said for name in names.split()), said
