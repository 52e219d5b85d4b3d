"""Models that cannot be loaded: the reason is logged and told, and the server and the other models go on."""

import pytest
import models
from cases import case
from models import BATCHED, PLAIN, pair, parameter, tensor
from serving import Server
from tritonclient.grpc import service_pb2 as pb
from wire import get, grpc_call, grpc_error, good_inference, infer_input, post_infer

GOOD = BATCHED + pair("INT32", "-1")

# model -> (config, versions, part of the reason)
BROKEN = {
    "syntax": ("max_batch_size: 8 }\n", (1,), "config.pbtxt:1:19"),
    "unclosed": ("input {\n  name: \"IN\"\n", (1,), "config.pbtxt:"),
    "unknown_field": ('backend: "identity"\nmax_bach_size: 8\n', (1,), "max_batch_size"),
    "wrong_type": (PLAIN + "max_batch_size: \"eight\"\n", (1,), "config.pbtxt:2:17: expected int32"),
    "number_range": (PLAIN + "max_batch_size: 99999999999\n", (1,), "99999999999"),
    "unknown_enum": (PLAIN + 'input { name: "IN" data_type: TYPE_FLOAT32 dims: [1] }', (1,), "unknown value 'TYPE_FLOAT32'"),
    "unterminated": ('backend: "identity\nmax_batch_size: 1', (1,), "config.pbtxt:1"),
    "twice": (PLAIN + PLAIN, (1,), "backend"),
    "no_backend": ("max_batch_size: 1\n" + pair("INT32", "-1"), (1,), "backend"),
    "unknown_backend": ('backend: "identty"\n' + pair("INT32", "1"), (1,), "identty"),
    "other_name": ('name: "another"\n' + GOOD, (1,), "another"),
    "negative_batch": ('backend: "identity"\nmax_batch_size: -1\n' + pair("INT32", "-1"), (1,), "max_batch_size"),
    "huge_batch": ('backend: "identity"\nmax_batch_size: 65537\n' + pair("INT32", "-1"), (1,), "max_batch_size: expected 0 (no batching) to 65536, got 65537"),
    "no_dims": (PLAIN + 'input { name: "IN" data_type: TYPE_INT32 }\n' + tensor("output", "OUT", "INT32", "1"), (1,), "dims"),
    "zero_dim": (PLAIN + pair("INT32", "0"), (1,), "dims"),
    "negative_dim": (PLAIN + pair("INT32", "-2"), (1,), "-2"),
    "no_type": (PLAIN + 'input { name: "IN" dims: [1] }\n' + tensor("output", "OUT", "INT32", "1"), (1,), "data_type"),
    "same_name": (PLAIN + pair("INT32", "1") + pair("INT32", "1"), (1,), "IN"),
    "bad_reshape": (PLAIN + pair("INT32", "4", "reshape { shape: [3] }"), (1,), "reshape"),
    "not_implemented": (GOOD + "sequence_batching { }", (1,), "sequence_batching"),
    "ensemble": (GOOD + "ensemble_scheduling { }", (1,), "ensemble_scheduling"),
    "warmup": (GOOD + 'model_warmup { name: "w" batch_size: 1 }', (1,), "model_warmup"),
    "gpu": (GOOD + "instance_group { kind: KIND_GPU }", (1,), "backend 'identity' computes on the CPU alone; KIND_GPU cannot be had"),
    "gpus_of_a_cpu": (GOOD + "instance_group { kind: KIND_CPU gpus: [0] }", (1,), "KIND_CPU has no GPUs"),
    "no_instances": (GOOD + "instance_group { count: -1 kind: KIND_CPU }", (1,), "count"),
    "bad_preferred": (GOOD + "dynamic_batching { preferred_batch_size: [9] }", (1,), "preferred_batch_size"),
    "no_version": (GOOD, (), "version"),
    "missing_version": (GOOD + "version_policy { specific { versions: [7] } }", (1,), "7"),
    "bad_parameter": (GOOD + parameter("execute_delay_ms", "long"), (1,), "execute_delay_ms"),
    "unknown_parameter": (GOOD + parameter("execute_delay", "1"), (1,), "execute_delay"),
    "fails_to_load": (GOOD + parameter("fail_load", "out of luck"), (1,), "out of luck"),
    "missing_labels": (BATCHED + tensor("input", "IN", "FP32", "1") + tensor("output", "OUT", "FP32", "1", 'label_filename: "no.txt"'), (1,), "no.txt"),
    "labels_elsewhere": (BATCHED + tensor("input", "IN", "FP32", "1") + tensor("output", "OUT", "FP32", "1", 'label_filename: "../x"'), (1,), "../x"),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """A server whose repository has all the broken models, and a good one."""
    repository = tmp_path_factory.mktemp("broken")
    models.add(repository, "id_int32", GOOD)
    for name, (config, versions, _) in BROKEN.items():
        models.add(repository, name, config, versions)
    models.add(repository, "binary", None)
    (repository / "binary" / "config.pbtxt").write_bytes(bytes(range(256)))
    (repository / "a file").write_text("no model")
    running = Server(repository)
    yield running
    good_inference(running.http)
    running.stop()


@case("MB01", "config", "a broken config.pbtxt or model, of each kind in the test's table", "the log and the 503 of every call tell why, with line and column for syntax")
@pytest.mark.parametrize("name", list(BROKEN))
def test_reason_is_told(broken, name):
    reason = BROKEN[name][2]
    assert any(name in line and reason in line for line in broken.lines), broken.log
    answer = post_infer(broken.http, name, {"inputs": [infer_input([1])]})
    assert answer.status == 503, answer.body
    assert reason in answer.error


@case("MB02", "HTTP", "metadata, config and readiness of a broken model", "503 with the reason")
@pytest.mark.parametrize("what", ["", "/config", "/ready"])
def test_calls_on_a_broken_model(broken, what):
    answer = get(broken.http, "/v2/models/fails_to_load" + what)
    assert answer.status == 503
    assert "out of luck" in answer.error


@case("MB03", "gRPC", "inference on a broken model", "UNAVAILABLE with the reason; ModelReady is false")
def test_grpc_on_a_broken_model(broken):
    code, text = grpc_error(broken.grpc, "ModelInfer", pb.ModelInferRequest(model_name="fails_to_load"))
    assert code.name == "UNAVAILABLE"
    assert "out of luck" in text
    answer = grpc_call(broken.grpc, "ModelReady", pb.ModelReadyRequest(name="fails_to_load"))
    assert pb.ModelReadyResponse.FromString(answer).ready is False


@case("MB04", "HTTP", "readiness of a server with broken models", "not ready (400), but live; the good model serves")
def test_strict_readiness(broken):
    assert get(broken.http, "/v2/health/ready").status == 400
    assert get(broken.http, "/v2/health/live").status == 200
    good_inference(broken.http)


@case("MB05", "config", "a config.pbtxt of arbitrary bytes", "the model is broken, nothing else")
def test_binary_config(broken):
    assert post_infer(broken.http, "binary", {"inputs": []}).status == 503


@case("MB06", "HTTP", "statistics and metrics with broken models", "only the ready one is in them")
def test_broken_models_have_no_statistics(broken):
    assert [entry["name"] for entry in get(broken.http, "/v2/models/stats").json["model_stats"]] == ["id_int32"]
    assert b'model="fails_to_load"' not in get(broken.metrics, "/metrics").body


@case("MB07", "config", "--strict-readiness=false with a broken model", "ready")
def test_lax_readiness(start, repository):
    models.add(repository, "broken", "?")
    server = start(repository, "--strict-readiness=false")
    assert get(server.http, "/v2/health/ready").status == 200


@case("MB08", "config", "--exit-on-error=true with a broken model", "exit code 1, the reason in the log")
def test_exit_on_error(start, repository):
    models.add(repository, "broken", GOOD + parameter("fail_load", "out of luck"))
    server = start(repository, "--exit-on-error=true", wait=False)
    assert server.wait() == 1
    assert "out of luck" in server.log
