"""The sequences that `inferd perf` makes, as a server has recorded them."""

import json
from collections import defaultdict

import models
import perf_tool
import pytest
from perf_tool import PROTOCOLS
from serving import Server


@pytest.fixture
def recorded(tmp_path):
    """Runs `inferd perf` against a server that records; the sequences, each a list of its requests in order of arrival."""
    repository, file = tmp_path / "models", tmp_path / "record.jsonl"
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))

    def run(protocol, *options):
        running = Server(repository, f"--record={file}", "--record-bodies")
        try:
            text = perf_tool.good(running, protocol, "-m", "m", *options)
            running.stop()
        finally:
            running.kill()
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        found = defaultdict(list)
        for line in sorted((line for line in lines if "at_ns" in line), key=lambda line: line["at_ns"]):
            found[line["sequence"]["id"]].append(line)
        return text, found

    return run


def check_sequence(requests):
    """Starts once and first, ends once and last."""
    assert [bool(request["sequence"].get("start")) for request in requests] == [True] + [False] * (len(requests) - 1)
    assert [bool(request["sequence"].get("end")) for request in requests] == [False] * (len(requests) - 1) + [True]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_closed_loop(recorded, protocol):
    text, sequences = recorded(protocol, "--shape", "IN:2", "--sequence-length", "5", "--sequence-length-variation", "40",
                               "--sequence-id-range", "100", "--concurrency-range", "3", "--request-count", "50")
    assert "Request count: 50\n" in text
    assert sorted(sequences) == list(range(100, 100 + len(sequences)))
    for requests in sequences.values():
        check_sequence(requests)
        assert len(requests) <= 7
    whole = sorted(sequences)[:-3]
    assert whole and all(len(sequences[number]) >= 3 for number in whole)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_open_loop_with_an_id_range(recorded, protocol):
    _, sequences = recorded(protocol, "--shape", "IN:2", "--num-of-sequences", "2", "--sequence-length", "4",
                            "--sequence-length-variation", "0", "--sequence-id-range", "7:10", "--serial-sequences",
                            "--request-rate-range", "200", "--request-count", "40")
    assert set(sequences) == {7, 8, 9}
    for requests in sequences.values():
        flags = [(bool(r["sequence"].get("start")), bool(r["sequence"].get("end"))) for r in requests]
        assert flags[:4] == [(True, False), (False, False), (False, False), (False, True)]


def test_streams_of_data(recorded, tmp_path):
    data = tmp_path / "d.json"
    data.write_text(json.dumps({"data": [[{"IN": [1]}, {"IN": [2]}, {"IN": [3]}], [{"IN": [10]}]]}))
    _, sequences = recorded("grpc", "--shape", "IN:1", "--input-data", str(data), "--serial-sequences", "--request-count", "16")
    told = [[request["inputs"][0]["b64"] for request in sequences[number]] for number in sorted(sequences)]
    assert told[:4] == [["AQAAAA==", "AgAAAA==", "AwAAAA=="], ["CgAAAA=="]] * 2


def test_too_few_ids(recorded):
    with pytest.raises(AssertionError, match="only 1 ids"):
        recorded("grpc", "--shape", "IN:1", "--sequence-id-range", "7:8", "--concurrency-range", "2")
