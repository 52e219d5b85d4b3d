"""Inference by the client of 2020: tensors of all kinds, batches, classes, versions, sequences, errors."""

import numpy as np
import pytest
from cases import case
from old_client import CLASS, RAW, SEQUENCE_END, SEQUENCE_START, Collector, InferContext, InferenceServerException

NUMERIC = {
    "bool": np.bool_, "uint8": np.uint8, "uint16": np.uint16, "uint32": np.uint32, "uint64": np.uint64, "int8": np.int8,
    "int16": np.int16, "int32": np.int32, "int64": np.int64, "fp16": np.float16, "fp32": np.float32, "fp64": np.float64,
}  # fmt: skip


def ints(*values):
    return np.array(values, np.int32)


def run(wire, model, inputs, outputs=None, batch_size=1, version=None, **more):
    context = InferContext(*wire, model, version)
    return context.run(inputs, outputs or {"OUT": RAW}, batch_size, **more)


def refused(wire, *arguments, **more):
    with pytest.raises(InferenceServerException) as caught:
        run(wire, *arguments, **more)
    return caught.value


@case("VI01", "v1 HTTP, v1 gRPC", "each numeric datatype", "the same values, with the datatype of the config")
@pytest.mark.parametrize("name", NUMERIC)
def test_numeric_datatypes(wire, name):
    values = np.array([0, 1, 1, 0], NUMERIC[name])
    result = run(wire, f"id_{name}", {"IN": (values,)})["OUT"][0]
    assert result.dtype == values.dtype and np.array_equal(result, values)


@case("VI02", "v1 HTTP, v1 gRPC", "extreme values of the integer types", "unchanged")
@pytest.mark.parametrize("name", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"])
def test_extreme_integers(wire, name):
    limits = np.iinfo(NUMERIC[name])
    values = np.array([limits.min, limits.max], NUMERIC[name])
    assert np.array_equal(run(wire, f"id_{name}", {"IN": (values,)})["OUT"][0], values)


@case("VI03", "v1 HTTP, v1 gRPC", "NaN, infinities, denormals", "the same bits")
def test_special_floats(wire):
    values = np.array([np.nan, np.inf, -np.inf, 1e-45, -0.0], np.float32)
    assert run(wire, "id_fp32", {"IN": (values,)})["OUT"][0].tobytes() == values.tobytes()


@case("VI04", "v1 HTTP, v1 gRPC", "strings, empty and long ones and such with zero bytes and UTF-8", "the same bytes")
def test_strings(wire):
    values = np.array(["", "a\0b", "ä" * 1000], object)
    result = run(wire, "id_bytes", {"IN": (values,)})["OUT"][0]
    assert [item for item in result] == [item.encode() for item in values]


@case("VI05", "v1 HTTP, v1 gRPC", "a batch of strings of different lengths", "each entry its own")
def test_batch_of_strings(wire):
    batch = [np.array(["a", "bb"], object), np.array(["ccc", ""], object), np.array(["x" * 300, "y"], object)]
    result = run(wire, "strings", {"IN": batch}, batch_size=3)["OUT"]
    assert [list(entry) for entry in result] == [[item.encode() for item in entry] for entry in batch]


@case("VI06", "v1 HTTP, v1 gRPC", "a batch of the largest size", "one entry for each")
def test_full_batch(wire):
    batch = [ints(i, i + 1) for i in range(8)]
    assert np.array_equal(run(wire, "id_int32", {"IN": batch}, batch_size=8)["OUT"], batch)


@case("VI07", "v1 HTTP, v1 gRPC", "each batch size from 1 to the largest", "as many entries")
@pytest.mark.parametrize("size", range(1, 9))
def test_batch_sizes(wire, size):
    assert len(run(wire, "fixed", {"IN": [ints(1, 2, 3, 4)] * size}, batch_size=size)["OUT"]) == size


@case("VI08", "v1 HTTP, v1 gRPC", "a batch larger than the model's", "refused by the client itself, which knows the config")
def test_batch_too_large(wire):
    assert "batch size" in refused(wire, "fixed", {"IN": [ints(1, 2, 3, 4)] * 9}, batch_size=9).message().lower()


@case("VI09", "v1 HTTP, v1 gRPC", "a model without a batch dimension", "its own shape")
def test_model_without_batching(wire):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(run(wire, "plain", {"IN": (values,)})["OUT"][0], values)


@case("VI10", "v1 HTTP, v1 gRPC", "inputs of variable shape, of different lengths in turn", "the shape that was sent")
@pytest.mark.parametrize("length", [0, 1, 7, 1000])
def test_variable_shapes(wire, length):
    values = np.arange(length, dtype=np.int32)
    assert np.array_equal(run(wire, "id_int32", {"IN": (values,)})["OUT"][0], values)


@case("VI11", "v1 HTTP, v1 gRPC", "an input that the config reshapes", "the shape of the config, not the engine's")
def test_reshaped_input(wire):
    assert np.array_equal(run(wire, "reshaped", {"IN": [ints(5), ints(6)]}, batch_size=2)["OUT"], [[5], [6]])


@case("VI12", "v1 HTTP, v1 gRPC", "two inputs, given in another order than the config's", "each output of its own input")
def test_inputs_in_any_order(wire):
    inputs = {"B": [np.array([1, 2], np.float32)], "A": [ints(3)]}
    result = run(wire, "pair", inputs, {"X": RAW, "Y": RAW})
    assert np.array_equal(result["X"][0], [3]) and np.array_equal(result["Y"][0], [1, 2])


@case("VI13", "v1 HTTP, v1 gRPC", "outputs asked for in another order than the config's", "each under its name")
def test_outputs_in_any_order(wire):
    inputs = {"A": [ints(3), ints(4)], "B": [np.array([1, 2], np.float32)] * 2}
    result = run(wire, "pair", inputs, {"Y": RAW, "X": RAW}, batch_size=2)
    assert np.array_equal(result["X"], [[3], [4]]) and np.array_equal(result["Y"], [[1, 2]] * 2)


@case("VI14", "v1 HTTP, v1 gRPC", "one of two outputs", "that one alone")
def test_some_outputs(wire):
    inputs = {"A": [ints(3)], "B": [np.array([1, 2], np.float32)]}
    assert list(run(wire, "pair", inputs, {"Y": RAW})) == ["Y"]


@case("VI15", "v1 HTTP, v1 gRPC", "a large tensor", "all of it")
def test_large_tensor(wire):
    values = np.arange(1 << 20, dtype=np.int32)
    assert np.array_equal(run(wire, "id_int32", {"IN": (values,)})["OUT"][0], values)


@case("VI16", "v1 HTTP, v1 gRPC", "classification with labels", "index, value and label, the best first; no label where the file has none")
def test_classes(wire):
    scores = np.array([0.1, 5, 3, 9], np.float32)
    assert run(wire, "labelled", {"IN": (scores,)}, {"OUT": (CLASS, 3)})["OUT"] == [[(3, 9.0, ""), (1, 5.0, "bee"), (2, 3.0, "cat")]]


@case("VI17", "v1 HTTP, v1 gRPC", "classification of a batch", "classes for each entry")
def test_classes_of_a_batch(wire):
    batch = [np.array(entry, np.float32) for entry in ([1, 2, 3, 0], [9, 1, 1, 2])]
    result = run(wire, "labelled", {"IN": batch}, {"OUT": (CLASS, 1)}, batch_size=2)["OUT"]
    assert [[entry[0][0], entry[0][2]] for entry in result] == [[2, "cat"], [0, "ant"]]


@case("VI18", "v1 HTTP, v1 gRPC", "more classes than there are elements", "as many as there are")
def test_too_many_classes(wire):
    assert len(run(wire, "labelled", {"IN": (np.zeros(4, np.float32),)}, {"OUT": (CLASS, 100)})["OUT"][0]) == 4


@case("VI19", "v1 HTTP, v1 gRPC", "classes of each type that can be ordered", "the largest first")
@pytest.mark.parametrize("name", ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "fp32", "fp64"])
def test_classes_of_each_type(wire, name):
    values = np.array([3, 9, 1], NUMERIC[name])
    result = run(wire, f"id_{name}", {"IN": (values,)}, {"OUT": (CLASS, 2)})["OUT"][0]
    assert [(entry[0], entry[1]) for entry in result] == [(1, 9.0), (0, 3.0)]


@case("VI20", "v1 HTTP, v1 gRPC", "classes of a type that has no order", "an error that names the datatype")
def test_classes_of_strings(wire):
    error = refused(wire, "id_fp16", {"IN": (np.zeros(2, np.float16),)}, {"OUT": (CLASS, 1)})
    assert "FP16" in error.message()


@case("VI21", "v1 HTTP, v1 gRPC", "one output raw and one as classes", "each in its form")
def test_raw_and_classes(wire):
    inputs = {"A": [ints(3, 8)], "B": [np.array([1, 2], np.float32)]}
    result = run(wire, "pair", inputs, {"X": (CLASS, 1), "Y": RAW})
    assert result["X"][0][0][:2] == (1, 8.0) and np.array_equal(result["Y"][0], [1, 2])


@case("VI22", "v1 HTTP, v1 gRPC", "a thousand classes of a batch of eight", "all of them: they do not pass through a header's line")
def test_many_classes(wire):
    batch = [np.arange(1000, dtype=np.int32)] * 8
    result = run(wire, "id_int32", {"IN": batch}, {"OUT": (CLASS, 1000)}, batch_size=8)["OUT"]
    assert [len(entry) for entry in result] == [1000] * 8 and result[7][0][0] == 999


@case("VI23", "v1 HTTP, v1 gRPC", "an explicit version", "that version")
@pytest.mark.parametrize("version", [1, 2, 10])
def test_explicit_version(wire, version):
    context = InferContext(*wire, "versions", version)
    context.run({"IN": [ints(1)]}, {"OUT": RAW})
    assert context.get_last_request_model_version() == version


@case("VI24", "v1 HTTP, v1 gRPC", "no version", "the highest by number")
def test_latest_version(wire):
    context = InferContext(*wire, "versions")
    context.run({"IN": [ints(1)]}, {"OUT": RAW})
    assert (context.get_last_request_model_name(), context.get_last_request_model_version()) == ("versions", 10)


@case("VI25", "v1 HTTP, v1 gRPC", "a version that does not exist", "an error that names it")
def test_unknown_version(wire):
    assert "77" in refused(wire, "versions", {"IN": [ints(1)]}, version=77).message()


@case("VI26", "v1 HTTP, v1 gRPC", "an unknown model", "an error that names it, when the context is made")
def test_unknown_model(wire):
    with pytest.raises(InferenceServerException, match="nowhere"):
        InferContext(*wire, "nowhere")


@case("VI27", "v1 HTTP, v1 gRPC", "an execution that fails", "the model's error; the context is good for more")
def test_failing_model(wire):
    context = InferContext(*wire, "flaky")
    seen = []
    for _ in range(4):
        try:
            context.run({"IN": [ints(1)]}, {"OUT": RAW})
            seen.append("good")
        except InferenceServerException as error:
            assert "fail_requests" in error.message()
            seen.append("bad")
    assert sorted(seen) == ["bad", "bad", "good", "good"]


@case("VI28", "v1 HTTP, v1 gRPC", "an error", "server id and request number beside the message")
def test_error_tells_server_and_request(wire):
    error = refused(wire, "failing", {"IN": [ints(1)]})
    assert error.server_id() == "inference:0" and error.request_id() > 0


@case("VI29", "v1 HTTP, v1 gRPC", "requests one after another", "rising request numbers")
def test_request_numbers_rise(wire):
    context = InferContext(*wire, "fixed")
    numbers = []
    for _ in range(3):
        context.run({"IN": [ints(1, 2, 3, 4)]}, {"OUT": RAW})
        numbers.append(context.get_last_request_id())
    assert numbers == sorted(set(numbers))


@case("VI30", "v1 HTTP, v1 gRPC", "start and end of a sequence, with its correlation id", "both reach the backend, which gives them back")
def test_sequence(wire):
    context = InferContext(*wire, "sequence", correlation_id=1234567890123)
    told = []
    for flags in (SEQUENCE_START, 0, SEQUENCE_END, SEQUENCE_START | SEQUENCE_END):
        told.append(tuple(context.run({"IN": [ints(1)]}, {"SEQUENCE": RAW}, 1, flags)["SEQUENCE"][0]))
    assert told == [(1234567890123, flags) for flags in (1, 0, 2, 3)]


@case("VI31", "v1 HTTP, v1 gRPC", "a correlation id for one request", "that one in place of the context's")
def test_correlation_id_of_a_request(wire):
    context = InferContext(*wire, "sequence", correlation_id=5)
    assert tuple(context.run({"IN": [ints(1)]}, {"SEQUENCE": RAW}, 1, 0, 6)["SEQUENCE"][0]) == (6, 0)


@case("VI32", "v1 HTTP, v1 gRPC", "no correlation id", "none reaches the backend")
def test_no_sequence(wire):
    assert tuple(run(wire, "sequence", {"IN": [ints(1)]}, {"SEQUENCE": RAW})["SEQUENCE"][0]) == (0, 0)


@case("VI33", "v1 HTTP, v1 gRPC", "asynchronous requests by the dozen", "each its own result")
def test_asynchronous(wire):
    collector = Collector(InferContext(*wire, "id_int32"))
    for i in range(40):
        collector.run({"IN": [ints(i)]}, {"OUT": RAW})
    assert [int(result["OUT"][0][0]) for result in collector.results()] == list(range(40))


@case("VI34", "v1 HTTP, v1 gRPC", "asynchronous batches through the dynamic batcher", "each its own result")
def test_asynchronous_batches(wire):
    collector = Collector(InferContext(*wire, "ordered"))
    for i in range(20):
        collector.run({"IN": [ints(i), ints(-i)]}, {"OUT": RAW}, 2)
    assert [[int(entry[0]) for entry in result["OUT"]] for result in collector.results()] == [[i, -i] for i in range(20)]


@case("VI35", "v1 HTTP, v1 gRPC", "asynchronous requests of which some fail", "the error for those, results for the others")
def test_asynchronous_errors(wire):
    collector = Collector(InferContext(*wire, "flaky"))
    for i in range(10):
        collector.run({"IN": [ints(i)]}, {"OUT": RAW})
    results = collector.results()
    failed = [result for result in results if isinstance(result, InferenceServerException)]
    assert len(failed) == 5 and all("fail_requests" in error.message() for error in failed)


@case("VI36", "v1 HTTP, v1 gRPC", "a model that takes its time, beside a quick one", "both answer")
def test_slow_beside_quick(wire):
    slow, quick = Collector(InferContext(*wire, "slow")), InferContext(*wire, "fixed")
    slow.run({"IN": [ints(1)]}, {"OUT": RAW})
    quick.run({"IN": [ints(1, 2, 3, 4)]}, {"OUT": RAW})
    assert int(slow.results()[0]["OUT"][0][0]) == 1


@case("VI37", "v1 HTTP, v1 gRPC", "the client's own statistics of its requests", "counted")
def test_client_statistics(wire):
    context = InferContext(*wire, "fixed")
    for _ in range(3):
        context.run({"IN": [ints(1, 2, 3, 4)]}, {"OUT": RAW})
    assert context.get_stat()["completed_request_count"] == 3


@case("VI38", "v1 HTTP, v1 gRPC", "a model with optional inputs, all given", "all outputs (v1 knows no optional inputs)")
def test_optional_inputs(wire):
    result = run(wire, "optional", {"IN0": [ints(1)], "IN1": [ints(2)]}, {"OUT0": RAW, "OUT1": RAW})
    assert np.array_equal(result["OUT1"][0], [2])


@case("VI39", "v1 HTTP, v1 gRPC", "an output that the model does not have", "refused by the client itself")
def test_unknown_output(wire):
    assert "NONE" in refused(wire, "fixed", {"IN": [ints(1, 2, 3, 4)]}, {"NONE": RAW}).message()


@case("VI40", "v1 HTTP, v1 gRPC", "contexts of many threads at once", "each its own results")
def test_threads(wire):
    from concurrent.futures import ThreadPoolExecutor

    def work(number):
        context = InferContext(*wire, "id_int32")
        return [int(context.run({"IN": [ints(number * 100 + i)]}, {"OUT": RAW})["OUT"][0][0]) for i in range(20)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [[number * 100 + i for i in range(20)] for number in range(8)]
