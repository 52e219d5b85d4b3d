"""Health, status, statistics, the repository index and model control by the client of 2020."""

import models
import numpy as np
import pytest
from cases import case
from old_client import (
    RAW,
    InferContext,
    InferenceServerException,
    ModelControlContext,
    ModelRepositoryContext,
    ProtocolType,
    ServerHealthContext,
    ServerStatusContext,
    server_status_pb2,
)

READY, UNAVAILABLE = server_status_pb2.MODEL_READY, server_status_pb2.MODEL_UNAVAILABLE


def status(wire, model=None):
    return ServerStatusContext(*wire, model).get_server_status()


def both(server):
    return [(server.http_url, ProtocolType.HTTP), (server.grpc_url, ProtocolType.GRPC)]


def stats(wire, model, version=1):
    return status(wire, model).model_status[model].version_status[version]


def infer(wire, model, batch_size=1):
    values = np.arange(4, dtype=np.int32)
    InferContext(*wire, model).run({"IN": [values] * batch_size}, {"OUT": RAW}, batch_size)


@case("VS01", "v1 HTTP, v1 gRPC", "health of a server that is ready", "live and ready")
def test_health(wire):
    health = ServerHealthContext(*wire)
    assert health.is_live() and health.is_ready()


@case("VS02", "v1 HTTP, v1 gRPC", "health of a server with a broken model", "live, not ready")
def test_not_ready(start, repository):
    models.add(repository, "broken", 'backend: "identity" nonsense: 1')
    server = start(repository)
    server.wait_for("not ready")
    for wire in both(server):
        health = ServerHealthContext(*wire)
        assert health.is_live() and not health.is_ready()


@case("VS03", "v1 HTTP, v1 gRPC", "status of the server", "id, version, uptime, SERVER_READY and every model")
def test_server_status(wire):
    told = status(wire)
    assert told.id == "inference:0" and told.version and told.uptime_ns > 0
    assert told.ready_state == server_status_pb2.SERVER_READY
    assert {"fixed", "pair", "versions", "labelled"} <= set(told.model_status)


@case("VS04", "v1 HTTP, v1 gRPC", "status of one model", "that one alone")
def test_model_status(wire):
    assert list(status(wire, "fixed").model_status) == ["fixed"]


@case("VS05", "v1 HTTP, v1 gRPC", "status of an unknown model", "an error that names it")
def test_unknown_model_status(wire):
    with pytest.raises(InferenceServerException, match="nowhere"):
        status(wire, "nowhere")


@case("VS06", "v1 HTTP, v1 gRPC", "the config in the status", "names, types, dims, batch size; platform custom for what v1 did not have")
def test_config(wire):
    config = status(wire, "pair").model_status["pair"].config
    assert (config.name, config.platform, config.max_batch_size) == ("pair", "custom", 8)
    assert [(item.name, item.data_type, list(item.dims)) for item in config.input] == [("A", 8, [-1]), ("B", 11, [2])]
    assert [item.name for item in config.output] == ["X", "Y"]


@case("VS07", "v1 HTTP, v1 gRPC", "the config of a model with a datatype that v1 does not know", "TYPE_INVALID, and the model is listed")
def test_config_of_a_later_type(wire):
    assert status(wire, "id_bf16").model_status["id_bf16"].config.input[0].data_type == 0


@case("VS08", "v1 HTTP, v1 gRPC", "fields that came after v1 (backend, optional inputs)", "are not sent: the message has no unknown fields")
def test_no_later_fields(wire):
    told = status(wire, "optional")
    again = server_status_pb2.ServerStatus()
    again.CopyFrom(told)
    again.DiscardUnknownFields()
    assert again.SerializeToString(deterministic=True) == told.SerializeToString(deterministic=True)


@case("VS09", "v1 HTTP, v1 gRPC", "states of versions", "MODEL_READY for each that is served")
def test_versions(wire):
    versions = status(wire, "versions").model_status["versions"].version_status
    assert {number: entry.ready_state for number, entry in versions.items()} == {1: READY, 2: READY, 10: READY}


@case("VS10", "v1 HTTP, v1 gRPC", "state of a version that could not be loaded", "MODEL_UNAVAILABLE with the reason")
def test_failed_version(start, repository):
    models.add(repository, "bad", models.BATCHED + models.pair("INT32", "-1") + models.parameter("fail_load", "no luck"))
    server = start(repository)
    server.wait_for("not ready")
    for wire in both(server):
        entry = status(wire, "bad").model_status["bad"].version_status[1]
        assert entry.ready_state == UNAVAILABLE and "no luck" in entry.ready_state_reason.message


@case("VS11", "v1 HTTP, v1 gRPC", "statistics after an inference", "counted by the batch size of the request, before its answer came")
@pytest.mark.parametrize("size", [1, 3])
def test_statistics(wire, size):
    before = stats(wire, "fixed")
    infer(wire, "fixed", size)
    after = stats(wire, "fixed")
    old, new = before.infer_stats[size], after.infer_stats[size]
    assert (new.success.count - old.success.count, new.queue.count - old.queue.count, new.compute.count - old.compute.count) == (1, 1, 1)
    assert new.success.total_time_ns > old.success.total_time_ns
    assert after.model_inference_count - before.model_inference_count == size
    assert after.model_execution_count - before.model_execution_count == 1


@case("VS12", "v1 HTTP, v1 gRPC", "statistics of failed inferences", "counted as failed, not as success")
def test_failures_are_counted(wire):
    before = stats(wire, "failing").infer_stats[1]
    with pytest.raises(InferenceServerException):
        infer(wire, "failing")
    after = stats(wire, "failing").infer_stats[1]
    assert (after.failed.count - before.failed.count, after.success.count) == (1, before.success.count)


@case("VS13", "v1 HTTP, v1 gRPC", "time of the last inference", "milliseconds since 1970")
def test_last_inference(wire):
    import time

    infer(wire, "fixed")
    assert abs(stats(wire, "fixed").last_inference_timestamp_milliseconds / 1000 - time.time()) < 3600


@case("VS14", "v1 HTTP, v1 gRPC", "counters of the calls themselves", "one more for each call, the one under way not included")
def test_call_counters(wire):
    before = status(wire)
    ServerHealthContext(*wire).is_live()
    ModelRepositoryContext(*wire).get_model_repository_index()
    after = status(wire)
    assert after.status_stats.success.count - before.status_stats.success.count == 1
    assert after.health_stats.success.count - before.health_stats.success.count == 1
    assert after.repository_stats.success.count - before.repository_stats.success.count == 1


@case("VS15", "v1 HTTP, v1 gRPC", "the index of the repository", "each model once")
def test_repository_index(wire):
    names = [entry.name for entry in ModelRepositoryContext(*wire).get_model_repository_index().models]
    assert "versions" in names and len(names) == len(set(names))


@case("VS16", "v1 HTTP, v1 gRPC", "the request number of each call", "rises")
def test_request_numbers(wire):
    context = ServerStatusContext(*wire, "fixed")
    numbers = []
    for _ in range(3):
        context.get_server_status()
        numbers.append(context.get_last_request_id())
    assert numbers == sorted(set(numbers))


@case("VS17", "v1 HTTP, v1 gRPC", "load and unload where models are not controlled by clients", "an error that says how to allow it")
def test_control_not_allowed(wire):
    control = ModelControlContext(*wire)
    with pytest.raises(InferenceServerException, match="explicit"):
        control.load("fixed")
    with pytest.raises(InferenceServerException, match="explicit"):
        control.unload("fixed")


def explicit(start, repository):
    for name in ("one", "two"):
        models.add(repository, name, models.BATCHED + models.pair("INT32", "4"))
    return start(repository, "--model-control-mode=explicit", "--load-model=one")


@case("VS18", "v1 HTTP, v1 gRPC", "load of a model", "served when the call returns")
def test_load(start, repository):
    server = explicit(start, repository)
    for wire in both(server):
        with pytest.raises(InferenceServerException):
            infer(wire, "two")
        ModelControlContext(*wire).load("two")
        infer(wire, "two")
        ModelControlContext(*wire).unload("two")


@case("VS19", "v1 HTTP, v1 gRPC", "unload of a model", "not served any more; others are")
def test_unload(start, repository):
    server = explicit(start, repository)
    for wire in both(server):
        infer(wire, "one")
        ModelControlContext(*wire).unload("one")
        with pytest.raises(InferenceServerException):
            infer(wire, "one")
        ModelControlContext(*wire).load("one")


@case("VS20", "v1 HTTP, v1 gRPC", "load of an unknown model", "an error that names it")
def test_load_unknown(start, repository):
    server = explicit(start, repository)
    for wire in both(server):
        with pytest.raises(InferenceServerException, match="nowhere"):
            ModelControlContext(*wire).load("nowhere")


@case("VS21", "v1 HTTP, v1 gRPC", "unload of an unknown model", "success")
def test_unload_unknown(start, repository):
    server = explicit(start, repository)
    for wire in both(server):
        ModelControlContext(*wire).unload("nowhere")


@case("VS22", "v1 HTTP, v1 gRPC", "inference on a model that is known and not loaded", "UNAVAILABLE when its context is made")
def test_infer_not_loaded(start, repository):
    server = explicit(start, repository)
    for wire in both(server):
        with pytest.raises(InferenceServerException):
            infer(wire, "two")
