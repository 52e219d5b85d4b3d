"""Inferences over HTTP that must be refused: status, and a text that says what was expected and got."""

import json
import struct

import pytest
from cases import case
from wire import exchange, get, infer_input, post_infer


def refused(server, body, status, *parts, model="id_int32", headers=None, version=None):
    """The answer has this status and its error text holds all these parts."""
    answer = post_infer(server.http, model, body, headers, version)
    assert answer.status == status, (answer.status, answer.body)
    for part in parts:
        assert part in answer.error, answer.error


def one(**changes):
    """A request to id_int32 whose input has these members."""
    return {"inputs": [{"name": "IN", "shape": [1, 2], "datatype": "INT32", "data": [1, 2], **changes}]}


@case("HE01", "HTTP", "inference on an unknown model", "404 with its name")
def test_unknown_model(server):
    refused(server, one(), 404, "nothing", model="nothing")


@case("HE02", "HTTP", "inference on an unknown version", "404 with model and version")
def test_unknown_version(server):
    refused(server, one(), 404, "id_int32", "9", version=9)


@case("HE03", "HTTP", "an empty body", "400: it is empty")
def test_empty_body(server):
    refused(server, b"", 400, "not JSON", "empty")


@case("HE04", "HTTP", "a JSON syntax error", "400 with the byte where it is")
@pytest.mark.parametrize("text", [b'{"inputs":[,]}', b"{", b'{"inputs":[]', b"{'inputs':[]}", b'{"a":01}', b"nonsense"])
def test_json_syntax_error(server, text):
    refused(server, text, 400, "not JSON", "byte ")


@case("HE05", "HTTP", "something behind the JSON", "400 with the byte where it begins")
def test_text_behind_the_json(server):
    refused(server, b'{"inputs":[]} {}', 400, "not JSON", "byte 14")


@case("HE06", "HTTP", "JSON that is not UTF-8", "400 with the byte")
def test_json_that_is_not_utf8(server):
    refused(server, b'{"id":"\xff"}', 400, "not JSON", "byte ")


@case("HE07", "HTTP", "JSON that is no object", "400: expected an object, got ...")
@pytest.mark.parametrize("text,got", [(b"[]", "an array"), (b"7", "7"), (b"null", "null"), (b'"x"', 'string "x"')])
def test_json_that_is_no_object(server, text, got):
    refused(server, text, 400, "expected an object", got)


@case("HE08", "HTTP", "no inputs member", "400: inputs is missing")
def test_no_inputs(server):
    refused(server, {}, 400, "inputs", "missing")


@case("HE09", "HTTP", "inputs that are no array", "400: expected an array, got an object")
def test_inputs_that_are_no_array(server):
    refused(server, {"inputs": {}}, 400, "inputs: expected an array, got an object")


@case("HE10", "HTTP", "an input that is no object", "400 with its index")
def test_input_that_is_no_object(server):
    refused(server, {"inputs": [infer_input([1]), 5]}, 400, "inputs[1]: expected an object, got 5")


@case("HE11", "HTTP", "an input without a name, shape or datatype", "400 with the member's path")
@pytest.mark.parametrize("member", ["name", "shape", "datatype"])
def test_missing_member(server, member):
    body = one()
    del body["inputs"][0][member]
    refused(server, body, 400, f"inputs[0].{member}: expected", "got nothing")


@case("HE12", "HTTP", "a member given twice", "400: which one")
def test_member_given_twice(server):
    refused(server, b'{"inputs":[{"name":"IN","name":"IN"}]}', 400, "inputs[0].name: the member is given twice")


@case("TP02", "HTTP", "a parameter given twice: of the request, of an input, of an output", "400: which one")
def test_parameter_given_twice(server):
    for text, where in [
        ('{"parameters":{"x":1,"x":2},"inputs":[]}', "parameters.x"),
        ('{"inputs":[{"name":"IN","shape":[1,1],"datatype":"INT32","data":[1],"parameters":{"binary_data_size":4,"binary_data_size":4}}]}',
         "inputs[0].parameters.binary_data_size"),
        ('{"inputs":[{"name":"IN","shape":[1,1],"datatype":"INT32","data":[1]}],"outputs":[{"name":"OUT","parameters":'
         '{"binary_data":true,"x":1,"binary_data":false}}]}', "outputs[0].parameters.binary_data"),
    ]:
        refused(server, text.encode(), 400, f"{where}: the member is given twice")


@case("TP03", "HTTP", "200,000 parameters, the last of them given before", "400 with its name")
def test_many_parameters(server):
    names = ",".join(f'"p{i}":{i}' for i in range(200_000))
    refused(server, b'{"parameters":{%s,"p7":1},"inputs":[]}' % names.encode(), 400, "parameters.p7: the member is given twice")


@case("TP04", "HTTP", "a whole number written as a fraction, a number beyond 64 bits", "400: shown as it was written")
def test_numbers_are_shown_as_written(server):
    refused(server, one(shape=[1.0, 2]), 400, "inputs[0].shape[0]: expected an integer of 0 or more, got 1.0")
    refused(server, one(data=[1.0, 2]), 400, "for INT32, got 1.0")
    for dim in (2**63, 2**70):
        refused(server, one(shape=[dim, 2]), 400, f"inputs[0].shape[0]: expected an integer in 0..{2**63 - 1}, got {dim}")
    refused(server, {**one(), "parameters": {"x": 2**64}}, 400, f"parameters.x: expected a number in the range of 64 bits, got {2**64}")


@case("TP05", "HTTP", "Inference-Header-Content-Length given twice", "400: expected it once")
def test_header_length_given_twice(server):
    text = json.dumps({"inputs": [infer_input([1])]}).encode()
    for second in (len(text), len(text) - 1):
        head = "POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n" % len(text)
        lines = "".join(f"Inference-Header-Content-Length: {n}\r\n" for n in (len(text), second))
        answer = exchange(server.http, head.encode() + lines.encode() + b"\r\n" + text)
        assert answer.status == 400
        assert answer.error == "header inference-header-content-length: expected it once, got it 2 times"


@case("TP06", "HTTP", "a model's name with %00 in it", "404 with the whole name")
@pytest.mark.parametrize("path", ["", "/config", "/ready", "/versions/1/ready"])
def test_name_with_a_nul(server, path):
    answer = get(server.http, f"/v2/models/a%00b{path}")
    assert answer.status == 404
    assert answer.error == "Request for unknown model: 'a\\x00b' is not found"
    assert get(server.http, "/v2/models/a%00b/stats").error == "requested model 'a\\x00b' is not available"


@case("HE13", "HTTP", "an id that is no string", "400: expected a string")
def test_id_that_is_no_string(server):
    refused(server, {"id": 5, **one()}, 400, "id: expected a string, got 5")


@case("HE14", "HTTP", "an unknown datatype", "400 with all that there are")
def test_unknown_datatype(server):
    refused(server, one(datatype="FLOAT"), 400, "inputs[0].datatype", "FP32", "BF16", '"FLOAT"')


@case("HE15", "HTTP", "another datatype than the model's", "400 with both")
def test_wrong_datatype(server):
    refused(server, one(datatype="INT64"), 400, "'INT64'", "expects 'INT32'", "'IN'")


@case("HE16", "HTTP", "a negative or fractional dimension", "400 with its index")
@pytest.mark.parametrize("dim,got", [(-1, "-1"), (1.5, "1.5"), ("2", '"2"'), (None, "null")])
def test_bad_dimension(server, dim, got):
    refused(server, one(shape=[1, dim]), 400, "inputs[0].shape[1]: expected an integer of 0 or more", got)


@case("HE17", "HTTP", "17 dimensions", "400: at most 16")
def test_too_many_dimensions(server):
    refused(server, one(shape=[1] * 17), 400, "inputs[0].shape: expected at most 16 dimensions, got 17")


@case("HE18", "HTTP", "a shape with the wrong number of dimensions", "400 with expected and got shape")
def test_wrong_rank(server):
    refused(server, one(shape=[2]), 400, "unexpected shape for input 'IN'", "[-1,-1]", "[2]")


@case("HE19", "HTTP", "a shape with a wrong dimension", "400 with expected and got shape")
def test_wrong_dimension(server):
    body = {"inputs": [infer_input([1, 2, 3, 4], shape=[2, 2], datatype="FP32")]}
    refused(server, body, 400, "unexpected shape", "[2,3]", "[2,2]", model="plain")


@case("HE20", "HTTP", "a shape whose product overflows", "400, and no memory is taken for it")
@pytest.mark.parametrize("shape", [[2**62, 2**62], [2**31, 2**32], [8, 2**60]])
def test_huge_shape(server, shape):
    refused(server, one(shape=shape), 400, "inputs[0]")


@case("HE21", "HTTP", "a batch larger than max_batch_size", "400 with the limit and what was sent")
def test_batch_too_large(server):
    refused(server, {"inputs": [infer_input([1] * 9, shape=[9, 1])]}, 400, "batch-size must be <= 8", "got 9")


@case("HE22", "HTTP", "a batch of 0", "400: at least 1")
def test_empty_batch(server):
    refused(server, {"inputs": [infer_input([], shape=[0, 1])]}, 400, "batch-size must be >= 1")


@case("HE23", "HTTP", "inputs with different batch sizes", "400 with both")
def test_batches_that_differ(server):
    body = {"inputs": [infer_input([1], name="IN0"), infer_input([1, 2], name="IN1", shape=[2, 1])]}
    refused(server, body, 400, "batch size does not match", "expected 1", "got 2", model="optional")


@case("HE24", "HTTP", "fewer or more elements than the shape has", "400 with expected and got")
@pytest.mark.parametrize("data,got", [([1], "got 1"), ([1, 2, 3], "got at least 3"), ([[1], []], "got 1"), ([], "got 0")])
def test_wrong_element_count(server, data, got):
    refused(server, one(data=data), 400, "inputs[0].data: expected 2 elements for shape [1,2]", got)


@case("HE25", "HTTP", "a number out of the datatype's range", "400 with path, range and number")
@pytest.mark.parametrize(
    "datatype,number,expected",
    [
        ("INT8", 300, "-128..127"),
        ("INT16", -32769, "-32768..32767"),
        ("INT32", 2147483648, "-2147483648..2147483647"),
        ("INT64", 2**63, "-9223372036854775808..9223372036854775807"),
        ("UINT8", -1, "0..255"),
        ("UINT16", 65536, "0..65535"),
        ("UINT32", 4294967296, "0..4294967295"),
        ("UINT64", 2**64, "0..18446744073709551615"),
    ],
)
def test_integer_out_of_range(server, datatype, number, expected):
    body = {"inputs": [infer_input([0, number], datatype=datatype)]}
    text = f"inputs[0].data[1]: expected an integer in {expected} for {datatype}, got {number}"
    refused(server, body, 400, text, model="id_" + datatype.lower())


@case("HE26", "HTTP", "a fraction, text or NaN for an integer", "400 with path and what it is")
@pytest.mark.parametrize("element", ["1.5", '"1"', "true", "null", "NaN", "{}"])
def test_no_integer(server, element):
    body = '{"inputs":[{"name":"IN","shape":[1,1],"datatype":"INT32","data":[%s]}]}' % element
    refused(server, body.encode(), 400, "inputs[0].data[0]: expected an integer in")


@case("HE27", "HTTP", "a number too large for a floating-point datatype", "400 with its range")
@pytest.mark.parametrize("datatype,number", [("FP16", "70000"), ("FP32", "1e39"), ("FP64", "1e999"), ("BF16", "-1e39")])
def test_float_out_of_range(server, datatype, number):
    body = '{"inputs":[{"name":"IN","shape":[1,1],"datatype":"%s","data":[%s]}]}' % (datatype, number)
    refused(server, body.encode(), 400, "inputs[0].data[0]: expected a number in", f"for {datatype}",
            model="id_" + datatype.lower())


@case("HE28", "HTTP", "text or bool for a floating-point datatype", "400 with path and what it is")
def test_no_number(server):
    refused(server, {"inputs": [infer_input(["1.0"], datatype="FP32")]}, 400, 'got the string "1.0"', model="id_fp32")
    refused(server, {"inputs": [infer_input([True], datatype="FP32")]}, 400, "got true", model="id_fp32")


@case("HE29", "HTTP", "a number for BOOL", "400: expected true or false")
def test_no_bool(server):
    refused(server, {"inputs": [infer_input([1], datatype="BOOL")]}, 400, "expected true or false for BOOL, got 1", model="id_bool")


@case("HE30", "HTTP", "a number for BYTES", "400: expected a string")
def test_no_string(server):
    refused(server, {"inputs": [infer_input([5], datatype="BYTES")]}, 400, "expected a string for BYTES, got 5", model="id_bytes")


@case("HE31", "HTTP", "data that is no array", "400: expected an array")
def test_data_that_is_no_array(server):
    refused(server, one(data=5), 400, "inputs[0].data: expected an array, got 5")


@case("HE32", "HTTP", "data nested 101 deep", "400: the limit is 100")
def test_deep_data(server):
    deep = "[" * 101 + "1" + "]" * 101
    body = '{"inputs":[{"name":"IN","shape":[1,1],"datatype":"INT32","data":%s}]}' % deep
    refused(server, body.encode(), 400, "inputs[0].data", "100")


@case("HE33", "HTTP", "an ignored member nested 101 deep, and a million brackets", "400; the server goes on")
def test_deep_members(server):
    refused(server, ('{"x":' + "[" * 101 + "]" * 101 + ',"inputs":[]}').encode(), 400, "x: nested more than 100 deep")
    refused(server, b"[" * 1000000, 400, "not JSON")


@case("HE34", "HTTP", "an input that the model does not have", "400 with its name")
def test_unknown_input(server):
    refused(server, one(name="INN"), 400, "'INN'", "id_int32")


@case("HE35", "HTTP", "an input given twice", "400 with its name")
def test_duplicate_input(server):
    body = {"inputs": [infer_input([1], name="IN0"), infer_input([1], name="IN0")]}
    refused(server, body, 400, "'IN0'", "more than once", model="optional")


@case("HE36", "HTTP", "a required input left out", "400 with how many there must be and which is missing")
def test_missing_input(server):
    refused(server, {"inputs": [infer_input([1], name="IN1")]}, 400, "expected", "but got 1", "IN0", "IN2", model="several")


@case("HE37", "HTTP", "an output that the model does not have", "400 with its name")
def test_unknown_output(server):
    refused(server, {**one(), "outputs": [{"name": "OUTT"}]}, 400, "'OUTT'")


@case("HE39", "HTTP", "outputs of the wrong form", "400 with the path")
@pytest.mark.parametrize(
    "outputs,text",
    [
        ({}, "outputs: expected an array, got an object"),
        ([5], "outputs[0]: expected an object, got 5"),
        ([{}], "outputs[0].name: expected a string, got nothing"),
        ([{"name": "OUT", "parameters": 1}], "outputs[0].parameters: expected an object, got 1"),
    ],
)
def test_outputs_of_the_wrong_form(server, outputs, text):
    refused(server, {**one(), "outputs": outputs}, 400, text)


@case("HE40", "HTTP", "an input without data", "400 with the ways to give it")
def test_no_data(server):
    body = one()
    del body["inputs"][0]["data"]
    refused(server, body, 400, "inputs[0]: expected one of data, parameters.binary_data_size", "got none")


@case("HE41", "HTTP", "an input with data and binary_data_size", "400: one of both")
def test_data_twice(server):
    refused(server, one(parameters={"binary_data_size": 8}), 400, "inputs[0]: expected one of", "got data and parameters.binary_data_size")


# ---- parameters ----


@case("HE42", "HTTP", "parameters that are no object, or of no simple type", "400 with the path")
@pytest.mark.parametrize("parameters,text", [(5, "parameters: expected an object"), ({"x": []}, "parameters.x: expected a string")])
def test_parameters_of_the_wrong_form(server, parameters, text):
    refused(server, {**one(), "parameters": parameters}, 400, text)


@case("HE43", "HTTP", "a reserved parameter", "400: it is reserved")
@pytest.mark.parametrize("name", ["triton_enable_empty_final_response", "triton_x", "headers"])
def test_reserved_parameter(server, name):
    refused(server, {**one(), "parameters": {name: True}}, 400, name, "reserved")


@case("HE44", "HTTP", "priority, timeout or sequence parameters of the wrong type", "400 with name, expected and got")
@pytest.mark.parametrize(
    "name,value,got",
    [
        ("priority", "high", "'high'"),
        ("priority", -1, "-1"),
        ("timeout", 1.5, "1.5"),
        ("sequence_id", True, "true"),
        ("sequence_start", 1, "1"),
        ("sequence_end", "yes", "'yes'"),
    ],
)
def test_parameter_of_the_wrong_type(server, name, value, got):
    refused(server, {**one(), "parameters": {name: value}}, 400, f"'{name}': expected", got)


@case("HE45", "HTTP", "sequence_start without a sequence_id", "400: it needs one")
def test_sequence_without_an_id(server):
    refused(server, {**one(), "parameters": {"sequence_start": True}}, 400, "correlation ID")


@case("HE46", "HTTP", "binary_data_output or binary_data that is no bool", "400 with the path")
def test_binary_flags_of_the_wrong_type(server):
    refused(server, {**one(), "parameters": {"binary_data_output": 1}}, 400, "parameters.binary_data_output: expected true or false")
    outputs = [{"name": "OUT", "parameters": {"binary_data": "no"}}]
    refused(server, {**one(), "outputs": outputs}, 400, "outputs[0].parameters.binary_data: expected true or false", "'no'")


@case("HE47", "HTTP", "classification of 0, below 0 or of no number", "400 with the path and the range")
@pytest.mark.parametrize("count", [0, -1, "3", 1.5, 2**32])
def test_bad_classification(server, count):
    outputs = [{"name": "OUT", "parameters": {"classification": count}}]
    refused(server, {**one(), "outputs": outputs}, 400, "outputs[0].parameters.classification: expected an integer in 1..")


@case("HE48", "HTTP", "classification of a datatype without an order", "400 with the datatype")
@pytest.mark.parametrize("datatype,value", [("BYTES", "x"), ("BOOL", True), ("FP16", 1.0), ("BF16", 1.0)])
def test_classification_of_a_datatype_without_order(server, datatype, value):
    body = {
        "inputs": [infer_input([value], datatype=datatype)],
        "outputs": [{"name": "OUT", "parameters": {"classification": 1}}],
    }
    refused(server, body, 400, "'OUT'", f"'{datatype}'", model="id_" + datatype.lower())


@case("HE49", "HTTP", "an input or output in shared memory, without --allow-client-shm", "501 with the flag's name")
def test_shared_memory(server):
    region = {"shared_memory_region": "r", "shared_memory_byte_size": 8}
    body = one(parameters=region)
    del body["inputs"][0]["data"]
    refused(server, body, 501, "--allow-client-shm")
    refused(server, {**one(), "outputs": [{"name": "OUT", "parameters": region}]}, 501, "--allow-client-shm")


# ---- binary tensor data ----


def binary(data, shape, datatype="INT32", size=None, **more):
    tensor = {"name": "IN", "shape": shape, "datatype": datatype,
              "parameters": {"binary_data_size": len(data) if size is None else size}}
    text = json.dumps({"inputs": [tensor], **more}).encode()
    return text + data, {"Inference-Header-Content-Length": str(len(text))}


@case("HE50", "HTTP", "binary_data_size without the header", "400: the header is missing")
def test_binary_without_the_header(server):
    body, _ = binary(b"", [1, 2], size=8)
    refused(server, body, 400, "inputs[0].parameters.binary_data_size", "Inference-Header-Content-Length")


@case("HE51", "HTTP", "binary_data_size of more than the body has", "400 with both sizes")
def test_binary_size_too_large(server):
    body, headers = binary(b"1234", [1, 2], size=8)
    refused(server, body, 400, "expected 8 bytes", "only 4 more", headers=headers)


@case("HE52", "HTTP", "bytes behind the last input's", "400 with how many")
def test_bytes_left_over(server):
    body, headers = binary(struct.pack("<2i", 1, 2), [1, 2])
    refused(server, body + b"xyz", 400, "3 bytes more", headers=headers)


@case("HE53", "HTTP", "binary_data_size that is no size", "400 with the path")
@pytest.mark.parametrize("size", [-1, "8", 1.5, True])
def test_binary_size_that_is_no_size(server, size):
    body, headers = binary(b"12345678", [1, 2], size=size)
    refused(server, body, 400, "inputs[0].parameters.binary_data_size: expected a size", headers=headers)


@case("HE54", "HTTP", "a binary tensor whose size does not fit its shape", "400 with expected and got bytes")
def test_binary_size_that_does_not_fit_the_shape(server):
    body, headers = binary(struct.pack("<2i", 1, 2), [1, 3])
    refused(server, body, 400, "'IN'", "Expected 12", "got 8", headers=headers)


@case("HE55", "HTTP", "a BYTES tensor whose lengths do not add up", "400 with the element")
@pytest.mark.parametrize("data", [b"\x05\0\0\0ab", b"\x01\0", b"\x01\0\0\0a\xff\xff\xff\xff", b""])
def test_broken_string_tensor(server, data):
    body, headers = binary(data, [1, 2], "BYTES")
    refused(server, body, 400, "'IN'", model="id_bytes", headers=headers)


@case("HE56", "HTTP", "Inference-Header-Content-Length that is no length within the body", "400 with its range and value")
@pytest.mark.parametrize("value", ["-1", "abc", "9999", "1e2", "", "18446744073709551616"])
def test_bad_header_length(server, value):
    text = json.dumps(one()).encode()
    refused(server, text, 400, f"0..{len(text)}", f"'{value}'", headers={"Inference-Header-Content-Length": value})


@case("HE57", "HTTP", "a header length that cuts the JSON", "400: not JSON")
def test_header_length_that_cuts_the_json(server):
    refused(server, json.dumps(one()).encode(), 400, "not JSON", headers={"Inference-Header-Content-Length": "20"})


@case("HE58", "HTTP", "a raw request of the wrong size", "400 with expected and got bytes")
def test_raw_request_of_the_wrong_size(server):
    headers = {"Inference-Header-Content-Length": "0"}
    refused(server, b"123", 400, "expected a body of 24 bytes, got 3", model="plain", headers=headers)
    refused(server, b"123", 400, "a multiple of 4 bytes, got 3", headers=headers)


@case("HE59", "HTTP", "a raw request to a model with several inputs", "400 with how many it has")
def test_raw_request_with_several_inputs(server):
    refused(server, b"1234", 400, "1 input", "has 3", model="several", headers={"Inference-Header-Content-Length": "0"})


@case("HE60", "HTTP", "a raw request to an unknown model", "404 with its name")
def test_raw_request_to_an_unknown_model(server):
    refused(server, b"1234", 404, "nothing", model="nothing", headers={"Inference-Header-Content-Length": "0"})


@case("HE61", "HTTP", "a BYTES output that is no text, wanted as JSON", "400: ask for it as binary data")
def test_bytes_output_without_a_json_form(server):
    body, headers = binary(b"\x01\0\0\0\xff", [1, 1], "BYTES")
    refused(server, body, 400, "'OUT'", "UTF-8", "binary_data", model="id_bytes", headers=headers)


# ---- failing models ----


@case("HE62", "HTTP", "inference on a model that fails", "500 with its reason; again and again")
def test_failing_model(server):
    for _ in range(3):
        refused(server, one(), 500, "fail", model="failing")


@case("HE63", "HTTP", "a model that fails for every second request", "the others succeed")
def test_flaky_model(server):
    statuses = [post_infer(server.http, "flaky", one()).status for _ in range(6)]
    assert sorted(statuses) == [200, 200, 200, 500, 500, 500]


@case("HE64", "HTTP", "an error of a request that has an id: of its inputs; of its JSON, its model's name, the engine", "the text begins with the id; it does not")
def test_errors_name_the_request(server):
    front = "[request id: my request] "

    def error_of(model="id_int32", **body):
        return post_infer(server.http, model, {"id": "my request", **body}).error

    assert error_of(**one(name="X")).startswith(front) and error_of(inputs=[]).startswith(front)
    for text in (error_of(**one(shape=[-1])), error_of("nothing", **one()), error_of("failing", **one())):
        assert text and not text.startswith(front)
