"""StreamInfer by the client of 2020: one stream a context, answers in the order of the requests."""

import numpy as np
from cases import case
from old_client import CLASS, RAW, SEQUENCE_END, SEQUENCE_START, Collector, InferContext, InferenceServerException


def ints(*values):
    return np.array(values, np.int32)


def stream(grpc, model, **more):
    return InferContext(*grpc, model, streaming=True, **more)


@case("VT01", "v1 gRPC stream", "one request on a stream", "its answer")
def test_one_request(grpc):
    result = stream(grpc, "fixed").run({"IN": [ints(1, 2, 3, 4)]}, {"OUT": RAW})
    assert np.array_equal(result["OUT"][0], [1, 2, 3, 4])


@case("VT02", "v1 gRPC stream", "many requests one after another", "each its answer")
def test_requests_in_turn(grpc):
    context = stream(grpc, "id_int32")
    for i in range(50):
        assert int(context.run({"IN": [ints(i)]}, {"OUT": RAW})["OUT"][0][0]) == i


@case("VT03", "v1 gRPC stream", "two hundred requests at once", "each its answer")
def test_requests_at_once(grpc):
    collector = Collector(stream(grpc, "id_int32"))
    for i in range(200):
        collector.run({"IN": [ints(i)]}, {"OUT": RAW})
    assert [int(result["OUT"][0][0]) for result in collector.results()] == list(range(200))


@case("VT04", "v1 gRPC stream", "requests of which some fail", "errors under their ids; the stream goes on")
def test_errors(grpc):
    collector = Collector(stream(grpc, "flaky"))
    for i in range(10):
        collector.run({"IN": [ints(i)]}, {"OUT": RAW})
    results = collector.results()
    assert sum(isinstance(result, InferenceServerException) for result in results) == 5


@case("VT05", "v1 gRPC stream", "an error, then a good request", "both are answered")
def test_good_after_bad(grpc):
    context = stream(grpc, "flaky")
    seen = []
    for _ in range(4):
        try:
            context.run({"IN": [ints(1)]}, {"OUT": RAW})
            seen.append(True)
        except InferenceServerException:
            seen.append(False)
    assert sorted(seen) == [False, False, True, True]


@case("VT06", "v1 gRPC stream", "a batch", "one entry for each")
def test_batch(grpc):
    result = stream(grpc, "fixed").run({"IN": [ints(i, 0, 0, 0) for i in range(8)]}, {"OUT": RAW}, 8)
    assert [int(entry[0]) for entry in result["OUT"]] == list(range(8))


@case("VT07", "v1 gRPC stream", "strings", "the same bytes")
def test_strings(grpc):
    result = stream(grpc, "strings").run({"IN": [np.array(["a", "bb"], object)]}, {"OUT": RAW})
    assert list(result["OUT"][0]) == [b"a", b"bb"]


@case("VT08", "v1 gRPC stream", "classes", "index, value, label")
def test_classes(grpc):
    scores = np.array([1, 9, 2, 3], np.float32)
    result = stream(grpc, "labelled").run({"IN": [scores]}, {"OUT": (CLASS, 1)})
    assert result["OUT"][0] == [(1, 9.0, "bee")]


@case("VT09", "v1 gRPC stream", "a sequence on a stream", "flags and correlation id reach the backend, in order")
def test_sequence(grpc):
    context = stream(grpc, "sequence", correlation_id=77)
    flags = (SEQUENCE_START, 0, 0, SEQUENCE_END)
    told = [tuple(context.run({"IN": [ints(i)]}, {"SEQUENCE": RAW}, 1, flag)["SEQUENCE"][0]) for i, flag in enumerate(flags)]
    assert told == [(77, 1), (77, 0), (77, 0), (77, 2)]


@case("VT10", "v1 gRPC stream", "a context that is closed with answers pending", "the client ends, the server goes on")
def test_close_with_pending(grpc):
    context = stream(grpc, "slow")
    collector = Collector(context)
    for i in range(3):
        collector.run({"IN": [ints(i)]}, {"OUT": RAW})
    assert len(collector.results()) == 3
    context.close()
    test_one_request(grpc)


@case("VT11", "v1 gRPC stream", "a slow model's stream beside a quick one's", "neither waits for the other")
def test_streams_side_by_side(grpc):
    slow, quick = Collector(stream(grpc, "slow")), stream(grpc, "fixed")
    slow.run({"IN": [ints(1)]}, {"OUT": RAW})
    for _ in range(5):
        quick.run({"IN": [ints(1, 2, 3, 4)]}, {"OUT": RAW})
    assert int(slow.results()[0]["OUT"][0][0]) == 1


@case("VT12", "v1 gRPC stream", "a large tensor", "all of it")
def test_large_tensor(grpc):
    values = np.arange(1 << 19, dtype=np.int32)
    assert np.array_equal(stream(grpc, "id_int32").run({"IN": [values]}, {"OUT": RAW})["OUT"][0], values)


@case("VT13", "v1 gRPC stream", "an explicit version", "that version")
def test_version(grpc):
    context = InferContext(*grpc, "versions", 2, streaming=True)
    context.run({"IN": [ints(1)]}, {"OUT": RAW})
    assert context.get_last_request_model_version() == 2


@case("VT14", "v1 gRPC stream", "an unknown version", "an error with the request's id")
def test_unknown_version(grpc):
    context = InferContext(*grpc, "versions", 77, streaming=True)
    try:
        context.run({"IN": [ints(1)]}, {"OUT": RAW})
        raise AssertionError("no error")
    except InferenceServerException as error:
        assert "77" in error.message()


@case("VT15", "v1 gRPC stream", "requests through the dynamic batcher", "answered in order")
def test_batched(grpc):
    collector = Collector(stream(grpc, "ordered"))
    for i in range(30):
        collector.run({"IN": [ints(i)]}, {"OUT": RAW})
    assert [int(result["OUT"][0][0]) for result in collector.results()] == list(range(30))
