"""What the statistics tell of the responses of decoupled models, one by one."""

import pytest
from cases import case
from models import BATCHED, add, pair, parameter
from serving import wait_until
from streaming import Stream
from tritonclient.grpc import service_pb2 as pb
from wire import get, grpc_call, infer_message

DECOUPLED = BATCHED + pair("INT32", "-1") + "model_transaction_policy { decoupled: true }\n"
KINDS = ["compute_infer", "compute_output", "success", "fail", "empty_response", "cancel"]
RESPONSES_MAX = 1024
MS = 1_000_000


@pytest.fixture
def served(start, repository):
    add(repository, "many", DECOUPLED + parameter("response_delay_ms", "5"))
    add(repository, "quick", DECOUPLED)
    add(repository, "single", BATCHED + pair("INT32", "-1"))
    return start(repository)


def run(server, model="many", **parameters):
    """One request; how many responses it had."""
    message = infer_message(model, ("IN", "INT32", [1, 1], b"\3\0\0\0"))
    for name, value in parameters.items():
        message.parameters[name].int64_param = value
    with Stream(server.grpc) as stream:
        stream.send(message)
        return len(stream.rest())


def entry(server, model="many"):
    (found,) = get(server.http, f"/v2/models/{model}/stats").json["model_stats"]
    return found


def counts(server, model="many"):
    """{index: {kind: count}} without what is zero."""
    rows = entry(server, model)["response_stats"]
    assert all(list(row) == KINDS and all(list(one) == ["count", "ns"] for one in row.values()) for row in rows.values())
    return {index: {kind: one["count"] for kind, one in row.items() if one["count"]} for index, row in rows.items()}


GOOD = {"compute_infer": 1, "compute_output": 1, "success": 1}


@case("TP30", "HTTP", "response_stats after three responses", "an entry for each index, with the time that it took; the model's time is compute_infer")
def test_successes(served):
    assert entry(served)["response_stats"] == {}
    assert run(served, responses=3) == 3
    assert counts(served) == {"0": GOOD, "1": GOOD, "2": GOOD}
    told = entry(served)
    for row in told["response_stats"].values():
        assert row["compute_infer"]["ns"] >= 5 * MS  # the delay before each of them
        assert row["success"]["ns"] == row["compute_infer"]["ns"] + row["compute_output"]["ns"]
    assert told["inference_stats"]["compute_infer"]["ns"] >= 15 * MS > told["inference_stats"]["compute_output"]["ns"]
    assert told["batch_stats"][0]["compute_infer"]["ns"] >= 15 * MS


@case("TP31", "HTTP", "response_stats after a separate end, no response at all, an error", "empty_response, fail")
def test_ends(served):
    run(served, responses=1, separate_final=1)
    run(served, responses=0)
    run(served, responses=3, fail_after_responses=2)
    assert counts(served) == {
        "0": {"compute_infer": 3, "compute_output": 2, "success": 2, "empty_response": 1},
        "1": {"compute_infer": 2, "compute_output": 1, "success": 1, "empty_response": 1},
        "2": {"compute_infer": 1, "fail": 1},
    }


@case("TP32", "HTTP", "response_stats after a request that was cancelled while it ran", "cancel, at the response that did not come")
def test_cancellation(served):
    message = infer_message("many", ("IN", "INT32", [1, 1], b"\3\0\0\0"))
    message.parameters["responses"].int64_param = 100_000
    with Stream(served.grpc) as stream:
        stream.send(message)
        stream.good()
        stream.cancel()
    wait_until(lambda: entry(served)["inference_stats"]["fail"]["count"] == 1)
    rows = counts(served)
    assert rows.pop(str(len(rows) - 1)) == {"cancel": 1}
    assert rows and all(row == GOOD for row in rows.values())


@case("TP33", "gRPC", "ModelStatistics of a decoupled model", "the same entries as over HTTP")
def test_grpc(served):
    run(served, responses=2)
    answer = pb.ModelStatisticsResponse.FromString(grpc_call(served.grpc, "ModelStatistics", pb.ModelStatisticsRequest(name="many")))
    rows = {index: {kind: {"count": getattr(row, kind).count, "ns": getattr(row, kind).ns} for kind in KINDS}
            for index, row in answer.model_stats[0].response_stats.items()}
    assert rows == entry(served)["response_stats"]


@case("TP34", "HTTP", "response_stats after more responses than 1024", "1024 entries; those behind them are not counted")
def test_bound(served):
    assert run(served, "quick", responses=RESPONSES_MAX + 5) == RESPONSES_MAX + 5
    rows = counts(served, "quick")
    assert rows == {str(i): GOOD for i in range(RESPONSES_MAX)}


@case("TP35", "HTTP", "response_stats of a model that answers once", "empty")
def test_models_that_answer_once(served):
    run(served, "single")
    assert entry(served, "single")["response_stats"] == {}
