"""tritonclient: infer in all its forms."""

import numpy as np
import pytest
import wire
from cases import case, triton_differs
from models import DATATYPES
from triton_client import array_of, integers, plain, response_of, same

ALGORITHMS = ["gzip", "deflate"]
# Of these, numpy's values are not JSON's, or the client itself refuses to write them as JSON.
NOT_JSON = ("BYTES", "BF16")


# ---- tensors ----


@case("CI01", "four clients", "infer: numpy arrays of each datatype", "the same arrays", does="infer")
@pytest.mark.parametrize("datatype", list(DATATYPES))
def test_every_datatype(client, datatype):
    values = array_of(datatype)
    assert same(client.infer_array("id_" + datatype.lower(), values), values)


@case("CI02", "HTTP clients", "infer: JSON tensors in both directions, each datatype", "the same arrays")
@pytest.mark.parametrize("datatype", [name for name in DATATYPES if name not in (*NOT_JSON, "FP16")])
def test_json_tensors(client, datatype):
    check_json(client, array_of(datatype), True, True)


@case("CI03", "HTTP clients", "infer: FP16 as JSON in both directions", "the same arrays")
@triton_differs("FP16 in JSON is refused: 'use the binary data format'")
def test_json_halves(client):
    check_json(client, array_of("FP16"), True, True)


@case("CI04", "HTTP clients", "infer: JSON one way, binary the other", "the same arrays")
@pytest.mark.parametrize("json_in", [True, False])
def test_json_one_way(client, json_in):
    check_json(client, np.array([[1.5, -0.0, 3e38]], dtype=np.float32), json_in, not json_in)


def check_json(client, values, json_in, json_out):
    tensor = client.tensor(values, binary_data=not json_in)
    result = client.infer("id_" + tensor.datatype().lower(), [tensor], outputs=[client.output(binary_data=not json_out)])
    assert same(result.as_numpy("OUT"), values)


@case("CI05", "HTTP clients", "infer: text as JSON strings, with quotes, controls and all planes of Unicode", "the same text")
def test_json_text(client):
    values = np.array([['"\\/\b\f\n\r\t', "\u0000\u001f\u007f", "Grüße 世界 🙂", ""]], dtype=np.object_)
    check_json(client, values, True, True)


@case("CI06", "HTTP clients", "infer: NaN and infinities as JSON", "the same values")
def test_json_not_finite(client):
    values = np.array([[np.inf, -np.inf, np.nan]], dtype=np.float32)
    result = client.infer("id_fp32", [client.tensor(values, binary_data=False)], outputs=[client.output(binary_data=False)])
    assert np.array_equal(result.as_numpy("OUT"), values, equal_nan=True)


@case("CI07", "four clients", "infer: special floats of every bit pattern", "the same bits")
def test_special_floats(client):
    values = np.array([[0x7FC00001, 0xFF800000, 0x80000000, 1, 0x7F7FFFFF]], dtype=np.uint32).view(np.float32)
    got = client.infer_array("id_fp32", values)
    assert np.array_equal(got.view(np.uint32), values.view(np.uint32))


@case("CI08", "four clients", "infer: BYTES of 0 to 100,000 bytes, any byte", "the same bytes")
def test_long_bytes(client):
    values = np.array([[bytes(range(256)) * 400, b"", b"\x00", b"{}"]], dtype=np.object_)
    assert same(client.infer_array("id_bytes", values), values)


@case("CI09", "four clients", "infer: BYTES as numpy's type of fixed length", "the bytes of each")
def test_numpy_bytes(client):
    values = np.array([[b"one", b"two"]])
    got = client.infer("id_bytes", [client.tensor(values, "BYTES")]).as_numpy("OUT")
    assert got.tolist() == [[b"one", b"two"]]


@case("CI10", "four clients", "infer: arrays without elements", "arrays without elements")
@pytest.mark.parametrize("datatype", ["INT32", "BYTES"])
def test_empty_tensors(client, datatype):
    values = array_of(datatype)[:, :0]
    assert same(client.infer_array("id_" + datatype.lower(), values), values)


@case("CI11", "four clients", "infer: 16 MiB in and out", "the same array")
def test_large_tensor(client):
    values = np.arange(4 << 20, dtype=np.int32).reshape(1, -1)
    assert same(client.infer_array("id_int32", values), values)


@case("CI12", "four clients", "infer: a full batch", "each row in its place")
def test_full_batch(client):
    values = np.arange(24, dtype=np.int32).reshape(8, 3)
    assert same(client.infer_array("id_int32", values), values)


@case("CI13", "four clients", "infer: a model that does not batch", "the shape as configured")
def test_without_batching(client):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert same(client.infer_array("plain", values), values)


@case("CI14", "four clients", "infer: several inputs, in another order than the model's", "each output from its own input")
def test_several_inputs(client):
    values, inputs = several(client)
    result = client.infer("several", inputs)
    assert all(same(result.as_numpy(f"OUT{i}"), value) for i, value in enumerate(values))


def several(client):
    """Arrays for the model "several", and its inputs in reverse order."""
    values = [np.ones((1, 4), dtype=np.float32), integers(1, 2), np.array([[b"x", b"yz"]], dtype=np.object_)]
    return values, [client.tensor(values[i], name=f"IN{i}") for i in (2, 1, 0)]


@case("CI15", "four clients", "infer: some outputs wanted, others not", "the wanted ones; as_numpy and get_output of the others are None")
def test_some_outputs(client):
    values, inputs = several(client)
    result = client.infer("several", inputs, outputs=[client.output("OUT2"), client.output("OUT0")])
    assert same(result.as_numpy("OUT2"), values[2]) and same(result.as_numpy("OUT0"), values[0])
    assert result.as_numpy("OUT1") is None and result.get_output("OUT1") is None
    assert {output["name"] for output in response_of(result)["outputs"]} == {"OUT0", "OUT2"}


@case("CI16", "HTTP clients", "infer: one output binary and another as JSON", "both decoded")
def test_mixed_outputs(client):
    values, inputs = several(client)
    wanted = [client.output(f"OUT{i}", binary_data=i == 1) for i in range(3)]
    result = client.infer("several", inputs, outputs=wanted)
    assert all(same(result.as_numpy(f"OUT{i}"), value) for i, value in enumerate(values))
    assert ["data" in output for output in response_of(result)["outputs"]] == [True, False, True]


@case("CI17", "four clients", "infer: an optional input left out", "the outputs of the others")
def test_optional_input(client):
    result = client.infer("optional", [client.tensor(integers(5), name="IN0")])
    assert same(result.as_numpy("OUT0"), integers(5)) and result.as_numpy("OUT1") is None


@case("CI18", "four clients", "infer: the same InferInput sent again, with other data", "the new data")
def test_input_used_again(client):
    tensor = client.tensor(integers(1, 2))
    assert same(client.infer("id_int32", [tensor]).as_numpy("OUT"), integers(1, 2))
    tensor.set_data_from_numpy(integers(3, 4))
    assert same(client.infer("id_int32", [tensor]).as_numpy("OUT"), integers(3, 4))
    tensor.set_shape([2, 1])
    tensor.set_data_from_numpy(integers(3, 4).T.copy())
    assert same(client.infer("id_int32", [tensor]).as_numpy("OUT"), integers(3, 4).T)


# ---- what goes with them ----


@case("CI20", "four clients", "infer: model_version", "that version, or the latest")
@pytest.mark.parametrize("asked, answered", [("", "10"), ("2", "2"), ("10", "10")])
def test_version(client, asked, answered):
    result = client.infer("versions", [client.tensor(integers(1))], model_version=asked)
    assert (response_of(result)["model_name"], response_of(result)["model_version"]) == ("versions", answered)


@case("CI21", "four clients", "infer: request_id of any text", "the same id")
@pytest.mark.parametrize("identity", ["r1", "Grüße \"\\ 🙂", "x" * 1000])
def test_request_id(client, identity):
    result = client.infer("id_int32", [client.tensor(integers(1))], request_id=identity)
    assert response_of(result)["id"] == identity


@case("CI22", "four clients", "infer: sequence_id as number and as text, sequence_start, sequence_end", "taken by a model that keeps no sequences")
@pytest.mark.parametrize("identity", [5, 2**63 - 1, "five"])
def test_sequence_arguments(client, identity):
    for start, end in [(True, False), (False, False), (False, True)]:
        got = client.infer_array("id_int32", integers(1), sequence_id=identity, sequence_start=start, sequence_end=end)
        assert same(got, integers(1))


@case("CI23", "four clients", "infer: priority and timeout, of a model that batches and one that does not", "taken")
@pytest.mark.parametrize("name", ["batching", "id_int32"])
def test_priority_and_timeout(client, name):
    assert same(client.infer_array(name, integers(1), priority=2, timeout=60_000_000), integers(1))


@case("CI24", "four clients", "infer: parameters of every type that the client can send", "taken; the model ignores them")
def test_parameters(client):
    parameters = {"text": "x", "number": -(2**63), "truth": True, "lie": False, "empty": ""}
    assert same(client.infer_array("id_int32", integers(1), parameters=parameters), integers(1))


@case("CI25", "four clients", "infer: a parameter that is a float", "taken")
def test_float_parameter(client):
    assert same(client.infer_array("id_int32", integers(1), parameters={"share": 0.5}), integers(1))


@case("CI29", "four clients", "infer: parameters that come back from the model", "the same values, with their types")
@triton_differs("the Python backend of 2.51 cannot answer with parameters")
def test_parameters_come_back(client):
    parameters = {"text": "x", "number": -(2**63), "truth": True}
    result = client.infer("id_int32", [client.tensor(integers(1))], parameters=parameters)
    assert response_of(result)["parameters"] == parameters


@case("CI26", "four clients", "every method: headers of the caller's own", "ignored")
def test_headers(client):
    headers = {"my-header": "x", "another": "y" * 500}
    assert same(client.infer_array("id_int32", integers(1), headers=dict(headers)), integers(1))
    assert client.is_model_ready("plain", headers=dict(headers)) is True
    assert client.get_model_metadata("plain", headers=dict(headers))


@case("CI27", "HTTP clients", "every method: query_params", "ignored")
def test_query_params(client):
    query = {"a": "1", "list": ["x y", "ü&="]}
    assert same(client.infer_array("id_int32", integers(1), query_params=query), integers(1))
    assert client.is_server_live(query_params=query) and client.is_model_ready("plain", query_params=query)
    assert client.get_server_metadata(query_params=query)
    assert client.get_model_config("plain", query_params=query)["name"] == "plain"
    assert client.get_inference_statistics("plain", query_params=query)


@case("CI28", "gRPC clients", "every method: client_timeout long enough", "the answer")
def test_enough_time(client):
    assert same(client.infer_array("id_int32", integers(1), client_timeout=60), integers(1))
    assert client.is_server_live(client_timeout=60) and client.is_model_ready("plain", client_timeout=60)
    assert client.get_server_metadata(client_timeout=60).version


# ---- classification ----


@case("CI30", "four clients", "infer: class_count", "the best classes as value:index:label, the highest first")
@pytest.mark.parametrize("count, wanted", [
    (1, ["4.000000:1:bee"]),
    (3, ["4.000000:1:bee", "2.000000:3", "1.000000:2:cat"]),
    (9, ["4.000000:1:bee", "2.000000:3", "1.000000:2:cat", "0.250000:0:ant"]),
])
def test_classification(client, count, wanted):
    scores = np.array([[0.25, 4, 1, 2]], dtype=np.float32)
    result = client.infer("labelled", [client.tensor(scores)], outputs=[client.output(class_count=count)])
    got = result.as_numpy("OUT")
    assert (got.shape, [text.decode() for text in got.flatten()]) == ((1, len(wanted)), wanted)


@case("CI31", "four clients", "infer: class_count of a batch", "classes for each entry")
def test_classification_of_a_batch(client):
    scores = np.array([[3, 2, 1, 0], [0, 1, 2, 3]], dtype=np.float32)
    got = client.infer("labelled", [client.tensor(scores)], outputs=[client.output(class_count=1)]).as_numpy("OUT")
    assert got.tolist() == [[b"3.000000:0:ant"], [b"3.000000:3"]]


@case("CI32", "four clients", "infer: class_count of integers without labels", "value:index")
@pytest.mark.parametrize("datatype", ["INT8", "UINT64", "FP64"])
def test_classification_without_labels(client, datatype):
    values = np.array([[1, 7, 3]], dtype=DATATYPES[datatype][1])
    got = client.infer("id_" + datatype.lower(), [client.tensor(values)], outputs=[client.output(class_count=2)]).as_numpy("OUT")
    assert got.tolist() == [[b"7.000000:1", b"3.000000:2"] if datatype == "FP64" else [b"7:1", b"3:2"]]


@case("CI33", "HTTP clients", "infer: class_count with the answer as JSON", "the same strings")
def test_classification_as_json(client):
    outputs = [client.output(class_count=2, binary_data=False)]
    result = client.infer("labelled", [client.tensor(np.array([[0, 1, 2, 3]], dtype=np.float32))], outputs=outputs)
    assert response_of(result)["outputs"][0]["data"] == ["3.000000:3", "2.000000:2:cat"]


# ---- compression ----


@case("CI40", "HTTP clients", "infer: compressed request, JSON and binary", "understood")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("binary", [True, False])
def test_compressed_request(client, algorithm, binary):
    values = np.arange(10_000, dtype=np.int32).reshape(1, -1)
    result = client.infer("id_int32", [client.tensor(values, binary_data=binary)], request_compression_algorithm=algorithm)
    assert same(result.as_numpy("OUT"), values)


@case("CI41", "HTTP clients", "infer: compressed answer, JSON and binary", "decoded by the client")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("binary", [True, False])
def test_compressed_answer(client, algorithm, binary):
    values = np.arange(10_000, dtype=np.int32).reshape(1, -1)
    outputs = [client.output(binary_data=binary)]
    result = client.infer("id_int32", [client.tensor(values)], outputs=outputs, response_compression_algorithm=algorithm)
    assert same(result.as_numpy("OUT"), values)


@case("CI42", "HTTP clients", "infer: compressed both ways, with different algorithms, BYTES", "decoded by the client")
def test_compressed_both_ways(client):
    values = array_of("BYTES")
    more = {"request_compression_algorithm": "gzip", "response_compression_algorithm": "deflate"}
    assert same(client.infer_array("id_bytes", values, **more), values)


@case("CI43", "HTTP clients", "infer: an error where a compressed answer was asked for", "a plain error")
def test_error_is_not_compressed(client):
    with client.refused("NOT_FOUND", "nothing"):
        client.infer_array("nothing", integers(1), response_compression_algorithm="gzip")


@case("CI44", "gRPC clients", "infer: compression_algorithm", "understood")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_grpc_compression(client, algorithm):
    values = np.zeros((1, 100_000), dtype=np.int32)
    assert same(client.infer_array("id_int32", values, compression_algorithm=algorithm), values)


# ---- bodies made and read without the client's transport ----


@case("CI50", "HTTP clients", "generate_request_body, posted by another program", "an answer for parse_response_body", does="generate_request_body")
@pytest.mark.parametrize("binary", [True, False])
def test_bodies_by_hand(peer, client, binary):
    body, header_length = client.generate_request_body([client.tensor(integers(1, 2), binary_data=binary)], request_id="by hand")
    headers = {} if header_length is None else {"Inference-Header-Content-Length": str(header_length)}
    check_body(client, wire.post_infer(peer.http, "id_int32", body, headers))


@case("CI51", "HTTP clients", "parse_response_body of a compressed answer", "decoded", does="parse_response_body")
def test_compressed_body_by_hand(peer, client):
    body, header_length = client.generate_request_body([client.tensor(integers(1, 2))], request_id="by hand")
    headers = {"Inference-Header-Content-Length": str(header_length), "Accept-Encoding": "gzip"}
    answer = wire.post_infer(peer.http, "id_int32", body, headers)
    assert answer.headers["content-encoding"] == "gzip"
    check_body(client, answer)


def check_body(client, answer):
    assert answer.status == 200, answer.body
    length = answer.headers.get("inference-header-content-length")
    result = client.parse_response_body(
        answer.body, header_length=length and int(length), content_encoding=answer.headers.get("content-encoding")
    )
    assert same(result.as_numpy("OUT"), integers(1, 2))
    assert result.get_response()["id"] == "by hand"


# ---- answers as they are ----


@case("CI60", "four clients", "infer: get_response and get_output", "name, datatype and shape of each output")
def test_response_members(client):
    result = client.infer("id_int32", [client.tensor(integers(1, 2))])
    (output,) = response_of(result)["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("OUT", "INT32", [1, 2])
    assert plain(result.get_output("OUT"))["shape"] == [1, 2]


@case("CI61", "gRPC clients", "infer: get_response(as_json=True)", "the message as JSON")
def test_response_as_json(client):
    answer = client.infer("id_int32", [client.tensor(integers(1, 2))], request_id="j").get_response(as_json=True)
    assert (answer["id"], answer["outputs"][0]["shape"]) == ("j", ["1", "2"])


@case("CI62", "HTTP clients", "infer without outputs named", "binary: the client asks for it with binary_data_output")
def test_binary_by_default(client):
    result = client.infer("id_int32", [client.tensor(integers(1, 2))])
    assert response_of(result)["outputs"][0]["parameters"] == {"binary_data_size": 8}
