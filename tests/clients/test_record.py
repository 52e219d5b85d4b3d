"""serve --record: what the file holds of inferences over every protocol, and what it never holds."""

import gzip
import json
import signal
from concurrent.futures import ThreadPoolExecutor

import memory_wire
import models
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from cases import case
from prometheus_client.parser import text_string_to_metric_families
from recording import Recording, data_of, without
from serving import Server, run, wait_until
from streaming import Stream
from wire import get, grpc_infer, infer_input, infer_message, post_infer, request

GOOD = {"inputs": [infer_input([1, 2])]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record"


@pytest.fixture
def record(start, repository, path):
    """Starts a server that records."""
    for datatype in models.DATATYPES:
        models.add(repository, "id_" + datatype.lower(), models.BATCHED + models.pair(datatype, "-1"))
    models.add(repository, "versions", models.BATCHED + models.pair("INT32", "-1") + "version_policy { all {} }", versions=(1, 2))
    models.add(repository, "several", models.BATCHED + models.several_inputs())
    models.add(repository, "labelled", models.BATCHED + models.pair("FP32", "4"))
    models.add(repository, "failing", models.BATCHED + models.pair("INT32", "-1") + models.parameter("fail_executions", "every_n:1"))
    models.add(repository, "many", models.BATCHED + models.pair("INT32", "-1") + "model_transaction_policy { decoupled: true }")

    def begin(*flags):
        return start(repository, f"--record={path}", *flags)

    return begin


def finish(server, path):
    """Stops the server; what it has recorded, which is whole."""
    server.stop()
    recording = Recording(path)
    assert recording.end == {"end": "stopped", "records": len(recording.records), "dropped": 0, "failed": 0}
    return recording


def counted(server):
    text = get(server.metrics, "/metrics").body.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    if "inferd_records" not in families:
        return None
    return {sample.labels["outcome"]: sample.value for sample in families["inferd_records"].samples}


# ---- what is recorded ----


@case("RC01", "HTTP", "an inference with id, version, outputs and parameters", "a line with all of it, and no data")
def test_http(record, path):
    server = record()
    body = {
        "id": "a", "inputs": [infer_input([1, 2], parameters={"unknown": 1})], "outputs": [{"name": "OUT", "parameters": {"binary_data": True}}],
        "parameters": {"flag": True, "low": -5, "high": 2**63, "real": 2.0, "text": "ä\n", "priority": 3, "timeout": 60000000,
                       "sequence_id": 7, "sequence_start": True},
    }  # fmt: skip
    assert post_infer(server.http, "versions", body, version=2).status == 200
    (line,) = finish(server, path).records
    assert without(line, "at_ns") == {
        "protocol": "v2-http", "model": "versions", "version": "2", "id": "a", "priority": 3, "timeout_us": 60000000,
        "sequence": {"id": 7, "start": True},
        "parameters": {"flag": True, "low": -5, "high": 2**63, "real": 2.0, "text": "ä\n"},
        "outputs": [{"name": "OUT"}],
        "inputs": [{"name": "IN", "datatype": "INT32", "shape": [1, 2], "size": 8}],
    }  # fmt: skip
    assert type(line["parameters"]["real"]) is float


@case("RC02", "sync clients", "an inference of several inputs with everything that the client can say", "a line with all of it")
@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_tritonclient(record, path, kind):
    server = record()
    triton, url = (triton_http, server.http_url) if kind == "http" else (triton_grpc, server.grpc_url)
    values = [np.zeros((2, 4), np.float32), np.zeros((2, 3), np.int32), np.array([[b"a"], [b"bc"]], object)]
    inputs = []
    for i, (array, datatype) in enumerate(zip(values, ("FP32", "INT32", "BYTES"))):
        inputs.append(triton.InferInput(f"IN{i}", array.shape, datatype))
        inputs[-1].set_data_from_numpy(array)
    with triton.InferenceServerClient(url) as client:
        client.infer("several", inputs, outputs=[triton.InferRequestedOutput("OUT1"), triton.InferRequestedOutput("OUT0")],
                     request_id="r", sequence_id="s", sequence_end=True, priority=2, timeout=10**7, parameters={"p": "q"})  # fmt: skip
    (line,) = finish(server, path).records
    assert without(line, "at_ns") == {
        "protocol": f"v2-{kind}", "model": "several", "id": "r", "priority": 2, "timeout_us": 10**7,
        "sequence": {"id": "s", "end": True}, "parameters": {"p": "q"}, "outputs": [{"name": "OUT1"}, {"name": "OUT0"}],
        "inputs": [{"name": "IN0", "datatype": "FP32", "shape": [2, 4], "size": 32},
                   {"name": "IN1", "datatype": "INT32", "shape": [2, 3], "size": 24},
                   {"name": "IN2", "datatype": "BYTES", "shape": [2, 1], "size": 11}],
    }  # fmt: skip


@case("RC03", "HTTP, gRPC", "inferences over generate, generate_stream and a stream", "a line for each, with its protocol")
def test_protocols(record, path):
    server = record()
    for verb in ("generate", "generate_stream"):
        assert request(server.http, "POST", f"/v2/models/id_int32/{verb}", json.dumps({"IN": [1, 2], "word": "x"})).status == 200
    with Stream(server.grpc) as stream:
        for i in range(3):
            stream.send(infer_message("many", ("IN", "INT32", [1, 1], bytes(4)), id=str(i)))
            stream.good()
        stream.half_close()
    lines = finish(server, path).records
    assert [line["protocol"] for line in lines] == ["v2-generate", "v2-generate-stream"] + 3 * ["v2-stream"]
    assert [line.get("id") for line in lines] == [None, None, "0", "1", "2"]
    assert lines[0]["inputs"] == [{"name": "IN", "datatype": "INT32", "shape": [1, 2], "size": 8}] and lines[0]["parameters"] == {"word": "x"}


@case("RC04", "HTTP, gRPC", "--record-bodies, each datatype, as JSON, binary, compressed and raw", "the same bytes each time")
def test_bodies(record, path):
    server = record("--record-bodies=true")
    sent = []
    for datatype, (_, kind) in models.DATATYPES.items():
        name = "id_" + datatype.lower()
        if datatype == "BYTES":
            data, raw = ["", "ä"], b"\0\0\0\0\2\0\0\0\xc3\xa4"
        elif datatype == "BF16":
            data, raw = [1.0, 0.0], b"\x80\x3f\0\0"
        else:
            data = [True, False] if datatype == "BOOL" else [1, 0]
            raw = np.array(data, kind).tobytes()
        whole = json.dumps({"inputs": [infer_input(data, datatype=datatype)]}).encode()
        assert post_infer(server.http, name, whole).status == 200
        assert post_infer(server.http, name, gzip.compress(whole), {"Content-Encoding": "gzip"}).status == 200
        head = json.dumps({"inputs": [{"name": "IN", "datatype": datatype, "shape": [1, 2], "parameters": {"binary_data_size": len(raw)}}]}).encode()
        assert post_infer(server.http, name, head + raw, {"Inference-Header-Content-Length": str(len(head))}).status == 200
        assert post_infer(server.http, "id_uint8", b"\1\2", {"Inference-Header-Content-Length": "0"}).status == 200
        grpc_infer(server.grpc, infer_message(name, ("IN", datatype, [1, 2], raw)))
        sent += 3 * [raw] + [b"\1\2"] + [raw]
    recording = finish(server, path)
    assert recording.head["bodies"] is True
    assert [data_of(line["inputs"][0]) for line in recording.by_arrival()] == sent


@case("RC05", "HTTP, gRPC", "--record-bodies, 8 MB", "all of them")
def test_large_bodies(record, path):
    server = record("--record-bodies")
    data = np.random.default_rng(1).integers(0, 256, (1, 8 << 20), np.uint8)
    for triton, url in ((triton_http, server.http_url), (triton_grpc, server.grpc_url)):
        tensor = triton.InferInput("IN", data.shape, "UINT8")
        tensor.set_data_from_numpy(data)
        with triton.InferenceServerClient(url) as client:
            client.infer("id_uint8", [tensor])
    lines = finish(server, path).records
    assert [data_of(line["inputs"][0]) == data.tobytes() for line in lines] == [True, True]


@case("RC06", "HTTP, gRPC", "inferences one after the other", "times of arrival in that order, from the start of the record on")
def test_times(record, path):
    server = record()
    for i in range(20):
        assert post_infer(server.http, "id_int32", {**GOOD, "id": str(2 * i)}).status == 200
        grpc_infer(server.grpc, infer_message("id_int32", ("IN", "INT32", [1, 1], bytes(4)), id=str(2 * i + 1)))
    recording = finish(server, path)
    assert [int(line["id"]) for line in recording.by_arrival()] == list(range(40))
    times = [line["at_ns"] for line in recording.by_arrival()]
    assert times[0] > 0 and len(set(times)) == 40


@case("RC07", "HTTP", "an inference at which the engine fails", "it was accepted, so it is recorded")
def test_failing_engine(record, path):
    server = record()
    assert post_infer(server.http, "failing", GOOD).status == 500
    assert [line["model"] for line in finish(server, path).records] == ["failing"]


@case("RC08", "HTTP", "16 clients at once", "every inference once")
def test_many_clients(record, path):
    server = record("--http-thread-count=4")

    def client(number):
        with triton_http.InferenceServerClient(server.http_url) as connection:
            for i in range(50):
                tensor = triton_http.InferInput("IN", [1, number + 1], "INT32")
                tensor.set_data_from_numpy(np.zeros((1, number + 1), np.int32))
                connection.infer("id_int32", [tensor], request_id=f"{number}.{i}")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(client, range(16)))
    lines = finish(server, path).by_arrival()
    for number in range(16):
        own = [line for line in lines if line["id"].startswith(f"{number}.")]
        assert [line["id"] for line in own] == [f"{number}.{i}" for i in range(50)]
        assert {tuple(line["inputs"][0]["shape"]) for line in own} == {(1, number + 1)}


# ---- what is not ----


@case("RC09", "HTTP, gRPC", "inferences that are refused", "no line")
def test_refused(record, path):
    server = record("--record-bodies")
    for model, body in [("none", GOOD), ("id_int32", {}), ("id_int32", {"inputs": [infer_input([1], datatype="FP32")]}),
                        ("id_int32", {"inputs": [infer_input([1, 2], shape=[1, 3])]}), ("id_int32", b"{"),
                        ("id_int32", {"inputs": [infer_input([1], name="X")]}), ("many", GOOD),
                        ("id_int32", {**GOOD, "parameters": {"triton_x": 1}})]:  # fmt: skip
        assert post_infer(server.http, model, body).status >= 400
    with Stream(server.grpc) as stream:
        stream.send(infer_message("none", ("IN", "INT32", [1, 1], bytes(4)), id="1"))
        stream.error()
        stream.half_close()
    assert finish(server, path).records == []


@case("RC10", "HTTP, gRPC", "tokens in headers, in headers that are forwarded and in parameters", "none is in the file; other parameters are")
def test_secrets(record, path):
    server = record("--record-bodies", "--http-header-forward-pattern=.*", "--grpc-header-forward-pattern=.*")
    headers = {"Authorization": "Bearer SECRET", "Cookie": "SECRET", "X-Api-Key": "SECRET", "x-mine": "SECRET"}
    body = {**GOOD, "parameters": {"API_KEY": "SECRET", "password": "SECRET", "Authorization": "SECRET", "max_tokens": 5}}
    assert post_infer(server.http, "id_int32", body, headers).status == 200
    message = infer_message("id_int32", ("IN", "INT32", [1, 1], bytes(4)))
    message.parameters["token"].string_param = "SECRET"
    message.parameters["kept"].bool_param = True
    grpc_infer(server.grpc, message, metadata=[(name.lower(), value) for name, value in headers.items()])
    lines = finish(server, path).records
    assert [line["parameters"] for line in lines] == [{"max_tokens": 5}, {"kept": True}]
    assert "SECRET" not in path.read_text()


@case("RC11", "HTTP", "tensors in shared memory", "marked as such, with their size and no data")
def test_shared_memory(record, path, make_object):
    server = record("--record-bodies", "--allow-client-shm")
    made = make_object()
    memory_wire.register(server, "r", made)
    part = memory_wire.part()
    body = {"inputs": [memory_wire.shared([1, 2], part)], "outputs": [{"name": "OUT", "parameters": memory_wire.part(offset=64)}]}
    assert post_infer(server.http, "id_int32", body).status == 200
    (line,) = finish(server, path).records
    assert line["inputs"] == [{"name": "IN", "datatype": "INT32", "shape": [1, 2], "size": 8, "shared": True}]
    assert line["outputs"] == [{"name": "OUT", "shared": True}]


@case("RC12", "flag", "no --record", "no metrics of records")
def test_off(server):
    assert counted(server) is None


# ---- the file ----


@case("RC13", "flag", "--record", "a file for its owner only, whose head says what it is; metrics count")
def test_file(record, path):
    server = record()
    assert path.stat().st_mode & 0o777 == 0o600
    assert counted(server) == {"written": 0, "dropped": 0, "failed": 0}
    assert post_infer(server.http, "id_int32", GOOD).status == 200
    wait_until(lambda: counted(server)["written"] == 1)
    assert f"inferd_record_size_bytes {path.stat().st_size}" in get(server.metrics, "/metrics").body.decode()
    head = finish(server, path).head
    assert head["bodies"] is False and head["server"].startswith("inferd ") and head["started"].endswith("Z")


@case("RC14", "flag", "--record-max-size", "the record ends with a line that fits, and says so; the server goes on")
def test_size(record, path):
    server = record("--record-max-size=2000")
    for i in range(40):
        assert post_infer(server.http, "id_int32", {**GOOD, "id": str(i)}).status == 200
    server.wait_for("records are lost: .* has reached its size of 2000 bytes; nothing more is recorded")
    for _ in range(10):
        assert post_infer(server.http, "id_int32", GOOD).status == 200
    counts = counted(server)
    assert counts["written"] > 5 and counts["failed"] > 0
    server.stop()
    recording = Recording(path)
    assert path.stat().st_size <= 2000
    assert recording.end["end"] == "max-size" and recording.end["records"] == len(recording.records) == counts["written"]
    assert [line["id"] for line in recording.records] == [str(i) for i in range(len(recording.records))]
    assert server.log.count("records are lost") == 1


@case("RC15", "flag", "a server that is killed", "what is in the file is whole, but for the last line; the end is missing")
def test_killed(record, path):
    server = record()
    for _ in range(3):
        assert post_infer(server.http, "id_int32", GOOD).status == 200
    wait_until(lambda: counted(server)["written"] == 3)
    server.signal(signal.SIGKILL)
    server.process.wait()
    recording = Recording(path)
    assert len(recording.records) == 3 and recording.end is None
    server.process.returncode = 0  # as meant


@case("RC16", "flag", "a file that is there, a folder that is not", "exit code 1 and the reason; the file is what it was")
def test_bad_places(repository, path, tmp_path):
    path.write_text("mine")
    ports = ["--http-port=0", "--grpc-port=0", "--metrics-port=0"]
    result = run("serve", f"--model-repository={repository}", *ports, f"--record={path}")
    assert result.returncode == 1 and f"--record: {path} is there already: a record is never overwritten" in result.stderr
    assert path.read_text() == "mine"
    result = run("serve", f"--model-repository={repository}", *ports, f"--record={tmp_path}/none/x")
    assert result.returncode == 1 and "No such file or directory" in result.stderr


@case("RC17", "flag", "a port that is taken", "exit code 1, and no file is left behind")
def test_port_is_taken(repository, path):
    first = Server(repository)
    result = run("serve", f"--model-repository={repository}", "--http-address=127.0.0.1", f"--http-port={first.http}", f"--record={path}")
    first.stop()
    assert result.returncode == 1 and not path.exists()


@case("RC18", "flag", "--record-bodies without --record, a bound that has no room for a record", "exit code 2")
def test_usage(repository, path):
    result = run("serve", f"--model-repository={repository}", "--record-bodies")
    assert result.returncode == 2 and "--record-bodies: expected only with --record=FILE" in result.stderr
    result = run("serve", f"--model-repository={repository}", f"--record={path}", "--record-max-size=10")
    assert result.returncode == 2 and "--record-max-size" in result.stderr and not path.exists()
