"""tritonclient: how the refusals of infer reach its users."""

import numpy as np
import pytest
from cases import case, triton_differs
from triton_client import array_of, integers, same


def infer(client, model, *inputs, **more):
    return client.infer(model, list(inputs), **more)


@case("CE01", "four clients", "infer on an unknown model", "NOT_FOUND with its name", fails="infer")
def test_unknown_model(client):
    with client.refused("NOT_FOUND", "nothing"):
        client.infer_array("nothing", integers(1))


@case("CE02", "four clients", "infer on an unknown version", "NOT_FOUND with the model's name")
def test_unknown_version(client):
    with client.refused("NOT_FOUND", "versions"):
        client.infer_array("versions", integers(1), model_version="7")


@case("CE03", "gRPC clients", "infer on a version that is no number", "INVALID_ARGUMENT")
def test_version_that_is_no_number(client):
    with client.refused("INVALID_ARGUMENT"):
        client.infer_array("versions", integers(1), model_version="new")


@case("CE04", "four clients", "infer with another datatype than the model's", "INVALID_ARGUMENT with both datatypes")
def test_wrong_datatype(client):
    with client.refused("INVALID_ARGUMENT", "INT32", "FP32"):
        client.infer_array("id_int32", array_of("FP32"))


@case("CE05", "four clients", "infer with another shape than the model's", "INVALID_ARGUMENT with the input's name and the shape")
@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (6,), (1, 2, 3)])
def test_wrong_shape(client, shape):
    with client.refused("INVALID_ARGUMENT", "IN", "plain"):
        client.infer_array("plain", np.zeros(shape, dtype=np.float32))


@case("CE06", "four clients", "infer with a shape that lacks the batch dimension", "INVALID_ARGUMENT")
def test_no_batch_dimension(client):
    with client.refused("INVALID_ARGUMENT", "id_int32"):
        client.infer_array("id_int32", np.zeros(3, dtype=np.int32))


@case("CE07", "four clients", "infer with a batch above max_batch_size", "INVALID_ARGUMENT with the limit")
def test_batch_too_large(client):
    with client.refused("INVALID_ARGUMENT", "8", "id_int32"):
        client.infer_array("id_int32", np.zeros((9, 1), dtype=np.int32))


@case("CE08", "four clients", "infer with an input of an unknown name", "INVALID_ARGUMENT with that name")
def test_unknown_input(client):
    with client.refused("INVALID_ARGUMENT", "OTHER"):
        infer(client, "id_int32", client.tensor(integers(1), name="OTHER"))


@case("CE09", "four clients", "infer without an input that the model needs", "INVALID_ARGUMENT")
@pytest.mark.parametrize("names", [[], ["IN0"], ["IN1", "IN2"]])
def test_missing_inputs(client, names):
    values = {"IN0": np.ones((1, 4), dtype=np.float32), "IN1": integers(1), "IN2": array_of("BYTES")}
    with client.refused("INVALID_ARGUMENT", "several"):
        infer(client, "several", *(client.tensor(values[name], name=name) for name in names))


@case("CE10", "four clients", "infer with the same input twice", "INVALID_ARGUMENT with its name")
def test_input_twice(client):
    with client.refused("INVALID_ARGUMENT", "IN"):
        infer(client, "id_int32", client.tensor(integers(1)), client.tensor(integers(2)))


@case("CE11", "four clients", "infer with one input more than the model has", "INVALID_ARGUMENT")
def test_surplus_input(client):
    with client.refused("INVALID_ARGUMENT"):
        infer(client, "id_int32", client.tensor(integers(1)), client.tensor(integers(2), name="MORE"))


@case("CE12", "four clients", "infer with inputs of different batch sizes", "INVALID_ARGUMENT")
def test_different_batches(client):
    with client.refused("INVALID_ARGUMENT", "several"):
        infer(
            client,
            "several",
            client.tensor(np.ones((1, 4), dtype=np.float32), name="IN0"),
            client.tensor(integers(1, 2).T.copy(), name="IN1"),
            client.tensor(array_of("BYTES"), name="IN2"),
        )


@case("CE13", "four clients", "infer asking for an unknown output", "INVALID_ARGUMENT with its name")
def test_unknown_output(client):
    with client.refused("INVALID_ARGUMENT", "OTHER"):
        client.infer_array("id_int32", integers(1), outputs=[client.output("OTHER")])


@case("CE14", "four clients", "infer asking for classes of half floats, of truth values", "INVALID_ARGUMENT")
@pytest.mark.parametrize("datatype", ["FP16", "BF16", "BOOL"])
def test_classes_of_no_numbers(client, datatype):
    with client.refused("INVALID_ARGUMENT"):
        client.infer_array("id_" + datatype.lower(), array_of(datatype), outputs=[client.output(class_count=1)])


@case("CE22", "four clients", "infer asking for classes of text", "INVALID_ARGUMENT")
@triton_differs("the request ends the whole server: a crash", run=False)
def test_classes_of_text(client):
    with client.refused("INVALID_ARGUMENT"):
        client.infer_array("id_bytes", array_of("BYTES"), outputs=[client.output(class_count=1)])


@case("CE15", "four clients", "infer on a model that fails", "INTERNAL with its text")
def test_failing_model(client):
    with client.refused("INTERNAL", "fail_executions"):
        client.infer_array("failing", integers(1))


@case("CE16", "four clients", "infer: an error of a request with an id", "the id in the text")
def test_id_in_error(client):
    with client.refused("INVALID_ARGUMENT", "the id of it"):
        client.infer_array("id_int32", np.zeros((9, 1), dtype=np.int32), request_id="the id of it")


@case("CE17", "HTTP clients", "infer: JSON with another count of elements than the shape says", "INVALID_ARGUMENT with the shape")
@triton_differs("an error of the server's (500), though the client's")
@pytest.mark.parametrize("shape", [[1, 4], [1, 2]])
def test_wrong_count_in_json(client, shape):
    tensor = client.tensor(integers(1, 2, 3), binary_data=False)
    tensor.set_shape(shape)
    with client.refused("INVALID_ARGUMENT", str(shape).replace(" ", "")):
        infer(client, "id_int32", tensor)


@case("CE18", "four clients", "infer: fewer and more bytes than the shape says", "INVALID_ARGUMENT with the input's name")
@pytest.mark.parametrize("shape", [[1, 4], [1, 2]])
def test_wrong_count_of_bytes(client, shape):
    tensor = client.tensor(integers(1, 2, 3))
    tensor.set_shape(shape)
    with client.refused("INVALID_ARGUMENT", "IN"):
        infer(client, "id_int32", tensor)


@case("CE19", "four clients", "infer: another number of strings than the shape says", "INVALID_ARGUMENT with the input's name")
@pytest.mark.parametrize("shape", [[1, 4], [1, 2]])
def test_wrong_count_of_strings(client, shape):
    tensor = client.tensor(array_of("BYTES"))
    tensor.set_shape(shape)
    with client.refused("INVALID_ARGUMENT", "IN"):
        infer(client, "id_bytes", tensor)


@case("CE20", "HTTP clients", "infer: numbers in JSON that the datatype cannot hold", "INVALID_ARGUMENT")
@triton_differs("the number is cut to the type without a word")
def test_number_out_of_range(client):
    tensor = client.tensor(np.array([[300]], dtype=np.int32), binary_data=False)
    tensor._datatype = "INT8"
    with client.refused("INVALID_ARGUMENT"):
        infer(client, "id_int8", tensor)


@case("CE21", "four clients", "infer after an error, on the same client", "the answer: an error ends nothing")
def test_client_goes_on(client):
    for _ in range(3):
        with client.refused("NOT_FOUND"):
            client.infer_array("nothing", integers(1))
        assert same(client.infer_array("id_int32", integers(1)), integers(1))


# ---- time ----


@case("CE30", "gRPC clients", "infer with a client_timeout that passes", "Deadline Exceeded")
def test_client_timeout(client):
    with client.refused("DEADLINE_EXCEEDED", "Deadline Exceeded"):
        client.infer_array("stuck", integers(1), client_timeout=0.2)


@case("CE33", "four clients", "infer with a `timeout` in seconds, though it is microseconds, of a model that takes longer", "UNAVAILABLE: the request has timed out")
@triton_differs("passed over: there it bounds the queue alone, where the model's queue policy has a timeout and lets requests override it")
def test_timeout_in_seconds(client):
    with client.refused("UNAVAILABLE", "Request timeout expired"):
        client.infer_array("slow", integers(1), timeout=30)


@case("CE31", "http", "infer with a network_timeout that passes", "the transport's timeout; the next call is answered")
def test_network_timeout(peer, connect):
    with pytest.raises(TimeoutError):
        connect(peer, network_timeout=0.2).infer_array("slow", integers(1))
    assert same(connect(peer).infer_array("id_int32", integers(1)), integers(1))


@case("CE32", "http.aio", "infer with a conn_timeout that passes", "the transport's timeout; the next call is answered")
def test_aio_timeout(peer, connect):
    with pytest.raises(TimeoutError):
        connect(peer, conn_timeout=0.2).infer_array("slow", integers(1))
    assert same(connect(peer).infer_array("id_int32", integers(1)), integers(1))
