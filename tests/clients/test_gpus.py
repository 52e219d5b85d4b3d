"""Instances on GPUs: what cannot be had is told model by model; what this server finds is a fake driver's, with which nothing can compute."""

import json

import fakes
import models
import pytest
from cases import case
from serving import Server, run
from tritonclient import http as httpclient
from tritonclient.grpc import service_pb2 as pb
from wire import get, grpc_call, grpc_error, post_infer, request

CHECKPOINT = "tests/fixtures/hf_checkpoint"

# Model -> (precision, instance group, part of the reason why it does not load, or None).
# Builds with an engine for GPUs and those without say the same of a GPU, and then why it cannot be used.
UNUSABLE = "(compute capability 9.{}, {}.0 GiB), cannot be used: "
MODELS = {
    "default": ("fp32", None, None),
    "auto": ("fp32", "kind: KIND_AUTO count: 2", None),
    "cpu": ("fp32", "kind: KIND_CPU", None),
    "gpu": ("fp32", "kind: KIND_GPU", "instance_group[0].kind: CUDA device 0, NVIDIA Fake 0 " + UNUSABLE.format(0, 20)),
    "gpu_1": ("fp32", "kind: KIND_GPU gpus: [ 1 ]", "instance_group[0].gpus: CUDA device 1, NVIDIA Fake 1 " + UNUSABLE.format(1, 40)),
    "gpu_2": ("fp32", "kind: KIND_GPU gpus: [ 2 ]", "this machine has no CUDA device 2: it has 2, from 0 on"),
    "auto_1": ("fp32", "gpus: [ 1 ]", "KIND_AUTO took the CPU: remove 'gpus'"),
    "cpu_0": ("fp32", "kind: KIND_CPU gpus: [ 0 ]", "KIND_CPU has no GPUs"),
    "half": ("fp16", None, "the CPU does not compute in fp16: it has fp32, bf16, int8"),
    "quarter": ("fp8", "kind: KIND_CPU", "the CPU does not compute in fp8: it has fp32, bf16, int8"),
}
BROKEN = [name for name, (_, _, reason) in MODELS.items() if reason]
GOOD = [name for name in MODELS if name not in BROKEN]


def export(repository, name, precision, group=None):
    done = run("export", "--checkpoint", CHECKPOINT, "--model-repository", str(repository), "--model", name, "--precision", precision,
               "--max-seq-length", "48")
    assert done.returncode == 0, done.stderr
    config = repository / name / "config.pbtxt"
    assert f'"inference_precision" value {{ string_value: "{precision}" }}' in config.read_text()
    if group:
        config.write_text(config.read_text() + f"instance_group {{ {group} }}\n")


def body(rows=1, length=4):
    ids = [[(7 * row + token) % 64 for token in range(length)] for row in range(rows)]
    return {"inputs": [{"name": name, "shape": [rows, length], "datatype": "INT32", "data": data}
                       for name, data in (("input_ids", ids), ("input_mask", [[1] * length] * rows), ("segment_ids", [[0] * length] * rows))]}


def group_of(server, model):
    return get(server.http, f"/v2/models/{model}/config").json["instance_group"][0]


@pytest.fixture(scope="module")
def gpus(tmp_path_factory):
    repository = tmp_path_factory.mktemp("gpus")
    for name, (precision, group, _) in MODELS.items():
        export(repository, name, precision, group)
    models.add(repository, "identity", models.BATCHED + models.pair("INT32", "1") + "instance_group { count: 3 }")
    running = Server(repository, "--strict-readiness=false", "--model-control-mode=explicit", "--load-model=*",
                     environment=fakes.environment())
    yield running
    running.stop()


@case("GV01", "config", "KIND_GPU, with and without `gpus`; `gpus` of KIND_CPU and KIND_AUTO; a precision that the CPU does not have",
      "these models do not load: the log and 503 say what is missing, by the driver's own names")
@pytest.mark.parametrize("model", BROKEN)
def test_what_is_missing_is_told(gpus, model):
    reason = MODELS[model][2]
    assert any(f"'{model}'" in line and reason in line for line in gpus.lines), gpus.log
    answer = post_infer(gpus.http, model, body())
    assert answer.status == 503
    assert reason in answer.error


@case("GV02", "HTTP", "infer on the models beside those: no `instance_group`, KIND_AUTO, KIND_CPU", "they serve, on the CPU")
@pytest.mark.parametrize("model", GOOD)
def test_others_serve_on_the_cpu(gpus, model):
    assert post_infer(gpus.http, model, body()).status == 200
    group = group_of(gpus, model)
    assert (group["kind"], group["gpus"], group["count"]) == ("KIND_CPU", [], 2 if model == "auto" else 1)


@case("GV03", "HTTP, gRPC", "statistics of a model of backend bert, and of identity", "bytes of its weights on the CPU; nothing")
def test_memory_is_told(gpus):
    def usage(model):
        return get(gpus.http, f"/v2/models/{model}/stats").json["model_stats"][0]["memory_usage"]

    (cpu,) = usage("cpu")
    assert (cpu["type"], cpu["id"]) == ("CPU", 0)
    assert 20866 * 4 < cpu["byte_size"] < 1 << 20  # parameters, as floats for the most part
    assert usage("identity") == []
    answer = pb.ModelStatisticsResponse.FromString(grpc_call(gpus.grpc, "ModelStatistics", pb.ModelStatisticsRequest(name="cpu")))
    (row,) = answer.model_stats[0].memory_usage
    assert (row.type, row.id, row.byte_size) == ("CPU", 0, cpu["byte_size"])


@case("GV04", "HTTP, gRPC", "load of a model with a config of its own that has KIND_GPU", "400, INVALID_ARGUMENT with what is missing; what served still does")
def test_a_load_says_so_too(gpus):
    config = {"backend": "bert", "max_batch_size": 8, "instance_group": [{"kind": "KIND_GPU", "gpus": [5]}]}
    answer = request(gpus.http, "POST", "/v2/repository/models/cpu/load", json.dumps({"parameters": {"config": json.dumps(config)}}))
    assert answer.status == 400
    assert "this machine has no CUDA device 5: it has 2, from 0 on" in answer.error
    call = pb.RepositoryModelLoadRequest(model_name="cpu")
    call.parameters["config"].string_param = json.dumps(config)
    code, text = grpc_error(gpus.grpc, "RepositoryModelLoad", call)
    assert code.name == "INVALID_ARGUMENT"
    assert "this machine has no CUDA device 5" in text
    assert post_infer(gpus.http, "cpu", body()).status == 200


@case("GV05", "HTTP", "load of a model in a precision that the CPU does not have", "400 with the device, the precision and those that it has")
def test_a_load_in_a_wrong_precision(gpus):
    answer = request(gpus.http, "POST", "/v2/repository/models/half/load")
    assert answer.status == 400
    assert MODELS["half"][2] in answer.error


@case("GV06", "config", "a driver that has no device, and one that fails", "KIND_GPU does not load and says which; KIND_AUTO serves")
@pytest.mark.parametrize("answers,reason", [
    ("0 0", "this machine has no CUDA device"),
    ("100 1", "this machine has no CUDA device"),
    ("803 1", "no GPU can be found here (cuInit: error 803, system has unsupported display driver"),
])
def test_drivers(tmp_path, answers, reason):
    export(tmp_path / "models", "gpu", "fp32", "kind: KIND_GPU")
    export(tmp_path / "models", "auto", "fp32", "kind: KIND_AUTO")
    (tmp_path / "answers").write_text(answers)
    server = Server(tmp_path / "models", "--strict-readiness=false", environment=fakes.environment(FAKE_CUDA=tmp_path / "answers"))
    try:
        assert reason in post_infer(server.http, "gpu", body()).error
        assert post_infer(server.http, "auto", body()).status == 200
    finally:
        server.stop()


@case("GV07", "HTTP, gRPC", "metadata and config of the model by tritonclient", "the instance group that was chosen")
def test_clients_see_the_choice(gpus):
    with httpclient.InferenceServerClient(gpus.http_url) as client:
        assert client.get_model_config("auto")["instance_group"][0]["kind"] == "KIND_CPU"
    config = pb.ModelConfigResponse.FromString(grpc_call(gpus.grpc, "ModelConfig", pb.ModelConfigRequest(name="auto"))).config
    assert config.instance_group[0].kind == config.instance_group[0].KIND_CPU
