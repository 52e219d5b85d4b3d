"""serve --record and perf --replay: what comes out of a replay, by what a second server records of it."""

import base64
import json
import struct

import models
import numpy as np
import perf_tool
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from cases import case
from recording import Recording, data_of, without
from serving import run

HEAD = {"inferd_record": 1, "server": "test", "started": "2026-01-01T00:00:00Z", "bodies": True}


@pytest.fixture
def serve(start, repository):
    """Starts servers of the same models."""
    models.add(repository, "several", models.BATCHED + models.several_inputs())
    models.add(repository, "versions", models.BATCHED + models.pair("INT32", "-1") + "version_policy { all {} }", versions=(1, 2))
    models.add(repository, "id_bytes", models.BATCHED + models.pair("BYTES", "-1"))
    models.add(repository, "labelled", models.BATCHED + models.pair("FP32", "4"))

    def begin(*flags):
        return start(repository, *flags)

    return begin


def record_traffic(server):
    """Inferences by real clients, one after the other."""
    generator = np.random.default_rng(7)
    for triton, url in ((triton_http, server.http_url), (triton_grpc, server.grpc_url)):
        with triton.InferenceServerClient(url) as client:
            for i in range(12):
                batch = 1 + i % 4
                values = [("IN0", "FP32", generator.random((batch, 4), np.float32)), ("IN1", "INT32", generator.integers(-9, 9, (batch, i), np.int32)),
                          ("IN2", "BYTES", np.array([[bytes(j) + b"x"] for j in range(batch)], object))]  # fmt: skip
                inputs = []
                for name, datatype, array in values:
                    inputs.append(triton.InferInput(name, array.shape, datatype))
                    inputs[-1].set_data_from_numpy(array)
                wanted = [triton.InferRequestedOutput(name) for name in ("OUT2", "OUT0")[: i % 3]] or None
                client.infer("several", inputs, outputs=wanted, request_id=f"{triton.__name__} {i}", sequence_id=i, sequence_start=i == 1,
                             sequence_end=i == 5, priority=i % 3, timeout=10**8 if i % 2 else None,
                             parameters={"number": i, "text": "ä", "flag": True})  # fmt: skip
            tensor = triton.InferInput("IN", [1, 3], "INT32")
            tensor.set_data_from_numpy(np.zeros((1, 3), np.int32))
            client.infer("versions", [tensor], model_version="1")
            tensor = triton.InferInput("IN", [1, 4], "FP32")
            tensor.set_data_from_numpy(np.array([[1, 4, 2, 3]], np.float32))
            client.infer("labelled", [tensor], outputs=[triton.InferRequestedOutput("OUT", class_count=2)])


def asked(record, *members):
    """What must be the same in a replay."""
    rest = without(record, "at_ns", "protocol", "inputs")
    return rest, [without(tensor, *members) for tensor in record["inputs"]]


def replay(server, protocol, file, *options):
    return perf_tool.good(server, protocol, "--replay", str(file), *options)


def write(path, *records, head=HEAD, end=""):
    path.write_text("".join(json.dumps(line) + "\n" for line in [head, *records]) + end)
    return path


def line(at_ms=0, model="versions", data=b"\1\0\0\0", **more):
    tensor = {"name": "IN", "datatype": "INT32", "shape": [1, len(data) // 4], "size": len(data), "b64": base64.b64encode(data).decode()}
    return {"at_ns": at_ms * 10**6, "protocol": "v2-http", "model": model, "inputs": [tensor], **more}


@case("RY01", "HTTP, gRPC", "a record with bodies of 28 inferences by tritonclient, replayed at 10 times its speed",
      "the same inferences in the same order: models, versions, ids, parameters, sequences, outputs, shapes and data")  # fmt: skip
@pytest.mark.parametrize("protocol", perf_tool.PROTOCOLS)
def test_bodies(serve, tmp_path, protocol):
    first, second = tmp_path / "first", tmp_path / "second"
    server = serve(f"--record={first}", "--record-bodies")
    record_traffic(server)
    server.stop()
    again = serve(f"--record={second}", "--record-bodies")
    report = replay(again, protocol, first, "--speed", "10", "--connections", "1")
    again.stop()
    sent, came = Recording(first).by_arrival(), Recording(second).by_arrival()
    assert len(sent) == len(came) == 28 and "Request count: 28\n" in report
    assert {record["protocol"] for record in came} == {f"v2-{protocol}"}
    assert sorted(map(repr, map(asked, came))) == sorted(map(repr, map(asked, sent)))
    if protocol == "grpc":  # over HTTP they wait for connections, each for one that is free
        assert [asked(record) for record in came] == [asked(record) for record in sent]


@case("RY02", "HTTP, gRPC", "a record without bodies", "data of the recorded shapes and sizes, strings too")
@pytest.mark.parametrize("protocol", perf_tool.PROTOCOLS)
def test_no_bodies(serve, tmp_path, protocol):
    first, second = tmp_path / "first", tmp_path / "second"
    server = serve(f"--record={first}")
    record_traffic(server)
    server.stop()
    again = serve(f"--record={second}", "--record-bodies")
    replay(again, protocol, first, "--speed=100")
    again.stop()
    sent, came = Recording(first).records, Recording(second).records
    assert all("b64" not in tensor for record in sent for tensor in record["inputs"])
    assert sorted(repr(asked(record, "b64")) for record in came) == sorted(repr(asked(record)) for record in sent)
    drawn = {data_of(tensor) for record in came for tensor in record["inputs"] if tensor["datatype"] == "FP32"}
    assert all(np.frombuffer(data, np.float32).std() > 0 for data in drawn)


@case("RY03", "HTTP", "the same record with and without --fresh-data", "the same data in tensors that are alike; others in each")
def test_fresh_data(serve, tmp_path):
    bare = line()
    bare["inputs"][0] = without(bare["inputs"][0], "b64") | {"shape": [1, 64], "size": 256}
    file = write(tmp_path / "record", *[bare] * 5, head={**HEAD, "bodies": False})
    for flags, different in (([], 1), (["--fresh-data"], 5)):
        second = tmp_path / f"second-{different}"
        server = serve(f"--record={second}", "--record-bodies")
        replay(server, "http", file, *flags)
        server.stop()
        assert len({record["inputs"][0]["b64"] for record in Recording(second).records}) == different


@case("RY04", "HTTP, gRPC", "--speed", "the gaps between arrivals, divided by it")
@pytest.mark.parametrize("protocol", perf_tool.PROTOCOLS)
def test_speed(serve, tmp_path, protocol):
    file = write(tmp_path / "record", line(5000), line(7000), line(8000))
    second = tmp_path / "second"
    server = serve(f"--record={second}")
    replay(server, protocol, file, "--speed=4")
    server.stop()
    times = [record["at_ns"] / 1e6 for record in Recording(second).by_arrival()]
    assert [times[1] - times[0], times[2] - times[0]] == pytest.approx([500, 750], abs=200)


@case("RY05", "HTTP", "records of other protocols, of numbers over 2^63 and of tensors in shared memory", "inferences of v2, with the same numbers and with data")
@pytest.mark.parametrize("protocol", perf_tool.PROTOCOLS)
def test_other_protocols(serve, tmp_path, protocol):
    shared = {"name": "IN", "datatype": "BYTES", "shape": [1, 2], "size": 999, "shared": True}
    kinds = ["v1-http", "v1-grpc", "v1-stream", "v2-stream", "v2-generate", "v2-generate-stream"]
    lines = [line(protocol=kind, id=str(i), parameters={"u": 2**64 - 1, "i": -(2**63), "d": 1e300}) for i, kind in enumerate(kinds)]
    lines.append({"at_ns": 0, "protocol": "v2-http", "model": "id_bytes", "inputs": [shared], "outputs": [{"name": "OUT", "shared": True}]})
    second = tmp_path / "second"
    server = serve(f"--record={second}", "--record-bodies")
    replay(server, protocol, write(tmp_path / "record", *lines), "--string-length", "5")
    server.stop()
    came = sorted(Recording(second).records, key=lambda record: record.get("id", "x"))
    assert [record["protocol"] for record in came] == 7 * [f"v2-{protocol}"]
    assert [record["parameters"] for record in came[:6]] == 6 * [lines[0]["parameters"]]
    data = data_of(came[6]["inputs"][0])
    assert len(data) == 18 and struct.unpack_from("<I", data) == struct.unpack_from("<I", data, 9) == (5,)


@case("RY06", "HTTP", "-m with --replay", "the inferences of that model only, and the server's part of the time")
def test_one_model(serve, tmp_path):
    file = write(tmp_path / "record", line(), line(model="none"), line(10))
    server = serve()
    report = replay(server, "http", file, "-m", "versions")
    assert "Request count: 2\n" in report and "Inference count: 2\n" in report
    ended = perf_tool.run(server, "http", "--replay", str(file), "-m", "labelled")
    assert ended.returncode == 99 and "holds no inference of model labelled" in ended.stderr


@case("RY07", "HTTP", "a record of several models, of which the server does not have one", "its inferences fail, by class; the others count")
def test_a_model_that_is_missing(serve, tmp_path):
    server = serve()
    report = replay(server, "http", write(tmp_path / "record", line(), line(model="none"), line(model="id_bytes"), line(10)))
    assert "Request count: 2\n" in report
    assert "Failed (invalid argument): 1" in report and "unknown model" in report.lower()


@case("RY08", "flag", "a record that is cut off, that has no end, and that says what is missing", "all that is whole is replayed, and stderr says what is not")
def test_notices(serve, tmp_path):
    server = serve()
    end = json.dumps({"end": "stopped", "records": 2, "dropped": 3, "failed": 0}) + "\n"
    for text, notice in [('{"at_ns":', "the last record is cut off (9 bytes) and left out"), ("", "the record has no end"),
                         (end, "3 inferences are missing")]:  # fmt: skip
        file = write(tmp_path / "record", line(), line(1), end=text)
        ended = perf_tool.run(server, "http", "--replay", str(file))
        assert ended.returncode == 0 and "Request count: 2\n" in ended.stdout
        assert f"inferd perf: {file}: {notice}" in ended.stderr


@case("RY09", "flag", "files that are no records", "exit code 99 and the line")
def test_bad_files(tmp_path):
    odd = line()
    odd["inputs"][0]["shape"] = [1, 7]
    for text, message in [("", "expected a record of inferd, got an empty file"), ('{"data": []}\n', "line 1: inferd_record: expected"),
                          (json.dumps(HEAD) + "\n", "holds no inference"), (json.dumps(HEAD) + "\n{}\n", "line 2: at_ns: expected"),
                          (json.dumps(HEAD) + "\n" + json.dumps(odd) + "\n", "line 2: ")]:  # fmt: skip
        (tmp_path / "record").write_text(text)
        ended = run("perf", "-u", "127.0.0.1:1", "--replay", str(tmp_path / "record"))
        assert ended.returncode == 99 and message in ended.stderr, ended.stderr
    assert run("perf", "--replay", str(tmp_path / "none")).returncode == 99


@case("PG01", "HTTP, gRPC", "a record of batches for one model, and for two of which one takes no batches", "throughput and goodput in inferences, not requests")
@pytest.mark.parametrize("protocol", perf_tool.PROTOCOLS)
def test_batches(serve, repository, tmp_path, protocol):
    models.add(repository, "unbatched", models.PLAIN + models.pair("INT32", "-1, -1"))
    server = serve()

    def batch(model, size, at):
        one = line(at, model, b"\1\0\0\0" * size)
        one["inputs"][0]["shape"] = [size, 1]
        return one

    batches = [batch("versions", size, 50 * size) for size in (1, 8, 3)]
    batches.sort(key=lambda one: one["at_ns"])
    for lines, inferences in ((batches, 12), (batches + [batch("unbatched", 6, 500)], 13)):
        report = tmp_path / "report.json"
        text = replay(server, protocol, write(tmp_path / "record", *lines), "--json", str(report), "--goodput-latency", "60000")
        said = json.loads(report.read_text())
        assert said["settings"]["replay"] == str(tmp_path / "record") and said["settings"]["speed"] == 1
        assert {"batch_size", "input_data", "measurement_mode"}.isdisjoint(said["settings"])  # each request has its own
        (point,) = said["points"]
        assert point["throughput"] * point["seconds"] == pytest.approx(inferences)
        assert point["goodput"] * point["seconds"] == pytest.approx(inferences)
        assert "Batch size: as recorded\n" in text


@case("PG07", "HTTP", "--bls-composing-models with a replay of two models, and of one", "exit code 99; it is measured")
def test_composing_models(serve, tmp_path):
    server = serve()
    file = write(tmp_path / "record", line(), line(model="id_bytes"))
    said = perf_tool.refused(server, "http", "--replay", str(file), "--bls-composing-models", "several")
    assert "--bls-composing-models" in said and "--replay" in said
    replay(server, "http", file, "-m", "versions", "--bls-composing-models", "several")


@case("RY10", "flag", "--replay with flags of other loads, data and sequences, --speed alone", "exit code 3")
@pytest.mark.parametrize("flags", [["--concurrency-range=1"], ["--request-rate-range=1"], ["-t", "2"], ["-b", "2"], ["--input-data=zero"], ["--shape=IN:1"],
                                   ["--request-count=5"], ["--request-parameter=a:1:int"], ["-x", "1"], ["--speed=0"], ["--num-of-sequences=2"],
                                   ["--shared-memory=system"]])  # fmt: skip
def test_usage(tmp_path, flags):
    file = write(tmp_path / "record", line())
    ended = run("perf", "--replay", str(file), *flags)
    assert ended.returncode == 3, ended.stderr
    assert run("perf", "-m", "m", "--speed=2").returncode == 3


@case("RY11", "gRPC stream", "a record of a decoupled model and one that is not, replayed with --streaming; the decoupled one alone, without it",
      "each inference ends with its last answer, an empty one too; exit code 99")  # fmt: skip
def test_decoupled(serve, repository, tmp_path):
    models.add(repository, "three", models.BATCHED + models.pair("INT32", "-1") + "model_transaction_policy { decoupled: true }\n")
    several = [line(at, "three", parameters={"responses": 3, "separate_final": True}) for at in range(4)]
    file = write(tmp_path / "record", *several, line(5))
    second, report = tmp_path / "second", tmp_path / "report.json"
    server = serve(f"--record={second}", "--record-bodies")
    replay(server, "grpc", file, "--streaming", "--json", str(report))
    alone = perf_tool.run(server, "grpc", "--replay", str(file), "-m", "three")
    assert alone.returncode == 99 and "model three is decoupled: add -i grpc --streaming" in alone.stderr
    server.stop()
    (point,) = json.loads(report.read_text())["points"]
    assert (point["requests"], point["responses"]) == (5, 4 * 3 + 1)
    came = sorted(Recording(second).by_arrival(), key=lambda record: record["model"])  # each stream has its own time
    assert [(record["protocol"], record["model"]) for record in came] == 4 * [("v2-stream", "three")] + [("v2-stream", "versions")]
    assert [record.get("parameters") for record in came] == 4 * [several[0]["parameters"]] + [None]
