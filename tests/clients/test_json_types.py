"""Elements of every datatype as JSON: what is read and written, to the last bit, and what is refused."""

import json
import random
import struct
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
import wire
from cases import case
from models import DATATYPES
from tritonclient.grpc import service_pb2 as pb
from wire import grpc_infer, infer_input, post_infer

BITS = {"INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64, "UINT8": 8, "UINT16": 16, "UINT32": 32, "UINT64": 64}
INTEGERS = list(BITS)
FLOATS = ["FP16", "BF16", "FP32", "FP64"]
NUMPY = {**{name: kind for name, (_, kind) in DATATYPES.items()}, "BF16": ml_dtypes.bfloat16}
# datatype -> bits of the fraction, exponent of the smallest normal number, largest finite number
FORMAT = {"FP16": (10, -14, 65504), "BF16": (7, -126, Fraction(255, 128) * 2**127)}
RANGE = {"FP16": "-65504..65504", "BF16": "-3.3895314e38..3.3895314e38", "FP32": "-3.4028235e38..3.4028235e38",
         "FP64": "-1.7976931348623157e308..1.7976931348623157e308"}


def limits(datatype):
    bits = BITS[datatype]
    return (0, 2**bits - 1) if datatype.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def model(datatype):
    return "id_" + datatype.lower()


def send(server, datatype, text, count=None, binary=True):
    """Sends the JSON text of a data array; the response."""
    count = len(json.loads(text)) if count is None else count
    outputs = json.dumps([{"name": "OUT", "parameters": {"binary_data": binary}}])
    head = json.dumps({"name": "IN", "shape": [1, count], "datatype": datatype})
    body = f'{{"inputs": [{head[:-1]}, "data": {text}}}], "outputs": {outputs}}}'
    return post_infer(server.http, model(datatype), body.encode())


def bits_in(server, datatype, text, count=None):
    """The bytes of the tensor that a data array becomes."""
    answer = send(server, datatype, text, count)
    assert answer.status == 200, answer.body[:300]
    return answer.body[int(answer.headers.get("inference-header-content-length", len(answer.body))) :]


def text_out(server, datatype, data):
    """The data array, as text, that the bytes of a tensor become."""
    size = np.dtype(NUMPY[datatype]).itemsize
    head = json.dumps({"inputs": [{"name": "IN", "shape": [1, len(data) // size], "datatype": datatype, "parameters": {"binary_data_size": len(data)}}],
                       "outputs": [{"name": "OUT"}]}).encode()
    answer = post_infer(server.http, model(datatype), head + data, {"Inference-Header-Content-Length": str(len(head))})
    assert answer.status == 200, answer.body[:300]
    text = answer.body.decode()
    return text[text.index('"data":') + len('"data":') : -3]


def refused(server, datatype, text, *parts, count=1):
    answer = send(server, datatype, text, count)
    assert answer.status == 400, answer.body[:300]
    for part in parts:
        assert part in answer.error, answer.error


# ---- floats ----


def every_value(datatype):
    """The 65536 values of a half float, at their bits."""
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return np.arange(65536, dtype=np.uint16).view(NUMPY[datatype]).astype(np.float64)


@case("JT01", "HTTP", "each of the 65536 values of FP16 and of BF16, out as JSON", "numbers that are exactly these values; NaN, Infinity, -Infinity")
@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_every_half_out(server, datatype):
    wanted = every_value(datatype)
    got = np.array(json.loads(text_out(server, datatype, np.arange(65536, dtype=np.uint16).tobytes())), dtype=np.float64)
    # The text is the shortest one of the same float, so that is what must be read back.
    number = ~np.isnan(wanted)
    assert np.array_equal(np.isnan(got), ~number)
    assert np.array_equal(got[number].astype(np.float32), wanted[number].astype(np.float32))
    assert np.array_equal(np.signbit(got[number]), np.signbit(wanted[number]))


@case("JT02", "HTTP", "each of the 65536 values of FP16 and of BF16, in as JSON", "the same bits")
@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_every_half_in(server, datatype):
    values = every_value(datatype)
    got = np.frombuffer(bits_in(server, datatype, json.dumps(values.tolist())), dtype=np.uint16)
    number = ~np.isnan(values)
    assert np.array_equal(got[number], np.arange(65536, dtype=np.uint16)[number])
    assert np.isnan(values[got[~number]]).all()


def rounded(value, datatype):
    """The bits of the nearest value of a format, ties to even, by exact arithmetic."""
    fraction, lowest, _ = FORMAT[datatype]
    sign, magnitude = value < 0, abs(Fraction(value))
    exponent = lowest
    while magnitude >= Fraction(2) ** (exponent + 1):
        exponent += 1
    unit = Fraction(2) ** (exponent - fraction)
    count, rest = divmod(magnitude, unit)
    count = int(count) + (rest * 2 > unit or (rest * 2 == unit and count % 2 == 1))
    # Counting on from the bits of the binade's first value carries into the exponent by itself.
    base = (exponent - lowest) << fraction
    return (sign << 15) | (base + count)


@case("JT03", "HTTP", "numbers between two values of FP16 and BF16, as near to the middle as JSON can tell, and on it", "the nearest one; on the middle the even one: rounded once, not by way of FP32")
@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_rounding(server, datatype):
    choose = random.Random(7)
    patterns = [choose.randrange(0x7BFF if datatype == "FP16" else 0x7F7F) for _ in range(3000)] + list(range(20))
    values = []
    for pattern in patterns:
        low, high = np.array([pattern, pattern + 1], dtype=np.uint16).view(NUMPY[datatype]).astype(np.float64)
        middle = (low + high) / 2
        values += [middle, np.nextafter(middle, 0), np.nextafter(middle, np.inf), -middle, -np.nextafter(middle, 0), choose.uniform(low, high)]
    got = np.frombuffer(bits_in(server, datatype, json.dumps(values)), dtype=np.uint16)
    assert got.tolist() == [rounded(value, datatype) for value in values]


@case("JT04", "HTTP", "the largest number that each float type holds, what rounds to it, and what does not", "the largest; 400 with the range")
@pytest.mark.parametrize(
    "datatype,largest,still,beyond",
    [("FP16", "65504", "65519.99999999999", "65520"), ("BF16", "3.3895313892515355e38", "3.3961775292304e38", "3.3961775292304602e38"),
     ("FP32", "3.4028234663852886e38", "3.4028235677973362e38", "3.4028235677973366e38"), ("FP64", "1.7976931348623157e308", "1.7976931348623158e308", "1.797693134862316e308")],
)
def test_largest(server, datatype, largest, still, beyond):
    got = bits_in(server, datatype, f"[{largest},{still},-{largest},-{still}]")
    top = np.finfo(np.float64).max if datatype == "FP64" else float(ml_dtypes.finfo(NUMPY[datatype]).max)
    values = np.frombuffer(got, dtype=NUMPY[datatype]).astype(np.float64)
    assert values.tolist() == [top, top, -top, -top]
    for number in (beyond, "-" + beyond, "1e400", "-1e400", "1" + "0" * 400):
        refused(server, datatype, f"[{number}]", f"inputs[0].data[0]: expected a number in {RANGE[datatype]} for {datatype}")


@case("JT05", "HTTP", "random bit patterns of FP32 and FP64, out as JSON and back in", "the same bits")
@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
def test_floats_round_trip(server, datatype):
    kind = NUMPY[datatype]
    data = random.Random(5).randbytes(20000 * np.dtype(kind).itemsize)
    values = np.frombuffer(data, dtype=kind)
    back = np.frombuffer(bits_in(server, datatype, text_out(server, datatype, data), len(values)), dtype=kind)
    assert np.array_equal(back, values, equal_nan=True)
    assert np.array_equal(np.signbit(back), np.signbit(values) & ~np.isnan(values) | np.isnan(values) & np.signbit(back))


@case("JT06", "HTTP", "zeros of either sign, the smallest numbers, and smaller ones", "the signs stay (but of the integer -0); what is too small becomes zero")
@pytest.mark.parametrize("datatype", FLOATS)
def test_small_numbers(server, datatype):
    kind = NUMPY[datatype]
    tiny = float(ml_dtypes.finfo(kind).smallest_subnormal)
    got = np.frombuffer(bits_in(server, datatype, f"[0.0,-0.0,0,-0,{tiny!r},{-tiny!r},1e-400,-1e-400]"), dtype=kind).astype(np.float64)
    assert got.tolist() == [0, 0, 0, 0, tiny, -tiny, 0, 0]
    assert np.signbit(got).tolist() == [False, True, False, False, False, True, False, True]


@case("JT07", "HTTP", "integers, also beyond 64 bits, as elements of the float types", "the nearest value")
@pytest.mark.parametrize("datatype,numbers", [("FP16", [1, -2049, 65504]), ("BF16", [2**100, -(2**64), 257]), ("FP32", [2**64, 2**53 + 1, -(10**30)]), ("FP64", [2**63, 2**64 + 1, 10**300])])
def test_integers_as_floats(server, datatype, numbers):
    got = np.frombuffer(bits_in(server, datatype, json.dumps(numbers)), dtype=NUMPY[datatype])
    assert np.array_equal(got, np.array([float(number) for number in numbers]).astype(NUMPY[datatype]))


@case("JT08", "HTTP", "the literals NaN, Infinity and -Infinity as elements of the float types", "taken; written in the same form")
@pytest.mark.parametrize("datatype", FLOATS)
def test_not_finite(server, datatype):
    got = np.frombuffer(bits_in(server, datatype, "[NaN,Infinity,-Infinity]"), dtype=NUMPY[datatype])
    assert np.array_equal(got.astype(np.float64), np.array([np.nan, np.inf, -np.inf]), equal_nan=True)
    assert text_out(server, datatype, got.tobytes()) == "[NaN,Infinity,-Infinity]"


@case("JT09", "HTTP", "text, truth values, null, objects as elements of the float types", "400 with path and what it is")
@pytest.mark.parametrize("datatype", FLOATS)
@pytest.mark.parametrize("text,what", [('"1.5"', 'the string "1.5"'), ('"NaN"', 'the string "NaN"'), ("true", "true"), ("null", "null"), ("{}", "an object")])
def test_no_float(server, datatype, text, what):
    refused(server, datatype, f"[1,{text}]", f"inputs[0].data[1]: expected a number in {RANGE[datatype]} for {datatype}, got {what}", count=2)


# ---- integers ----


@case("JT10", "HTTP", "the ends of each integer type's range", "the same numbers, in both directions")
@pytest.mark.parametrize("datatype", INTEGERS)
def test_integer_ends(server, datatype):
    low, high = limits(datatype)
    text = json.dumps([low, high, 0, low + 1, high - 1]).replace(" ", "")
    data = bits_in(server, datatype, text)
    assert np.frombuffer(data, dtype=NUMPY[datatype]).tolist() == json.loads(text)
    assert text_out(server, datatype, data) == text


@case("JT11", "HTTP", "one less and one more than each integer type holds, and numbers beyond 64 and 1000 bits", "400 with path, range and number")
@pytest.mark.parametrize("datatype", INTEGERS)
def test_integer_beyond(server, datatype):
    low, high = limits(datatype)
    for number in (low - 1, high + 1, 2**64, -(2**63) - 1, 10**400):
        refused(server, datatype, f"[0,{number}]", f"inputs[0].data[1]: expected an integer in {low}..{high} for {datatype}, got {str(number)[:60]}", count=2)


@case("JT12", "HTTP", "numbers with a fraction or an exponent, NaN, text, truth values, null for each integer type", "400 with path and what it is")
@pytest.mark.parametrize("datatype", INTEGERS)
@pytest.mark.parametrize("text,what", [("1.5", "1.5"), ("1e2", "100.0"), ("1.0", "1.0"), ("NaN", "NaN"), ("Infinity", "Infinity"), ('"1"', 'the string "1"'), ("true", "true"), ("null", "null")])
def test_no_integer(server, datatype, text, what):
    refused(server, datatype, f"[0,0,{text}]", "inputs[0].data[2]: expected an integer in ", f"for {datatype}, got {what}", count=3)


@case("JT13", "HTTP", "integers beyond 2^53, which a double cannot hold", "the same numbers, in both directions")
@pytest.mark.parametrize("datatype", ["INT64", "UINT64"])
def test_exact_integers(server, datatype):
    low, high = limits(datatype)
    choose = random.Random(11)
    numbers = [2**53 + 1, -(2**53) - 1 if low else 2**63 + 1] + [choose.randint(low, high) for _ in range(1000)]
    data = bits_in(server, datatype, json.dumps(numbers))
    assert np.frombuffer(data, dtype=NUMPY[datatype]).tolist() == numbers
    assert json.loads(text_out(server, datatype, data)) == numbers


@case("JT14", "HTTP", "-0 for an integer", "0")
@pytest.mark.parametrize("datatype", INTEGERS)
def test_negative_zero(server, datatype):
    assert not any(bits_in(server, datatype, "[-0]", 1))


# ---- truth values and text ----


@case("JT15", "HTTP", "BOOL: bytes other than 0 and 1, out as JSON", "true")
def test_bool_out(server):
    assert text_out(server, "BOOL", b"\x00\x01\x02\xff") == "[false,true,true,true]"


@case("JT16", "HTTP", "BOOL: numbers, text, null", "400 with path and what it is")
@pytest.mark.parametrize("text,what", [("0", "0"), ("1", "1"), ("1.5", "1.5"), ('"true"', 'the string "true"'), ("null", "null"), ("[]", None)])
def test_no_bool(server, text, what):
    if what is None:
        refused(server, "BOOL", f"[true,{text}]", "expected 2 elements", count=2)
    else:
        refused(server, "BOOL", f"[true,{text}]", f"inputs[0].data[1]: expected true or false for BOOL, got {what}", count=2)


TEXTS = ["", "a", "\0", "a\0b", "\x7f", '"\\/\b\f\n\r\t', "é", "世界", "🙂", "\u2028", "\ufeff", "\U0010ffff", "x" * 100000]


@case("JT17", "HTTP", "BYTES: every kind of character, escaped and not", "the same text, in both directions")
@pytest.mark.parametrize("ascii_only", [True, False])
def test_text(server, ascii_only):
    answer = send(server, "BYTES", json.dumps(TEXTS, ensure_ascii=ascii_only), binary=False)
    assert answer.json["outputs"][0]["data"] == TEXTS
    data = bits_in(server, "BYTES", json.dumps(TEXTS, ensure_ascii=ascii_only))
    assert data == b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in TEXTS)


@case("JT18", "HTTP", "BYTES: escapes that make no character", "400: not JSON")
@pytest.mark.parametrize("text", [r'"\ud800"', r'"\udc00"', r'"\ud800\u0041"', r'"\x41"', r'"\u12"', '"a\nb"', '"\x01"'])
def test_broken_escapes(server, text):
    refused(server, "BYTES", f"[{text}]", "the request is not JSON")


@case("JT19", "HTTP", "BYTES: numbers, truth values, null", "400 with path and what it is")
@pytest.mark.parametrize("text,what", [("1", "1"), ("true", "true"), ("null", "null"), ("{}", "an object")])
def test_no_text(server, text, what):
    refused(server, "BYTES", f'["a",{text}]', f"inputs[0].data[1]: expected a string for BYTES, got {what}", count=2)


@case("JT20", "HTTP", "long text of many alphabets where a number belongs", "400 with the beginning of it, cut between characters")
@pytest.mark.parametrize("shift", range(4))
def test_long_text_in_a_message(server, shift):
    text = "x" * shift + "🙂é世" * 100
    answer = send(server, "INT32", json.dumps([text]), 1)
    assert answer.status == 400
    assert "inputs[0].data[0]: expected an integer" in answer.error  # the body is good JSON, and so good UTF-8


# ---- arrays ----


@case("JT21", "HTTP", "data nested as its shape, otherwise, and not at all", "row-major elements: only their number counts")
@pytest.mark.parametrize("text", ["[1,2,3,4,5,6]", "[[1,2,3],[4,5,6]]", "[[[1],[2]],[[3,4]],5,[6]]", "[[1,2],[3,4],[5,6]]", "[[],[1,2,3,4,5,6],[[]]]"])
def test_nesting(server, text):
    body = f'{{"inputs": [{{"name": "IN", "shape": [1, 6], "datatype": "INT32", "data": {text}}}]}}'
    assert post_infer(server.http, "id_int32", body.encode()).json["outputs"][0]["data"] == [1, 2, 3, 4, 5, 6]


@case("JT22", "HTTP", "an element of the wrong kind deep in nested data", "400 with the whole path")
def test_path(server):
    body = {"inputs": [infer_input([[1.0, 2.0, 3.0, 4.0]], [1, 4], "FP32", "IN0"), infer_input([[[1, 2], [3, "x"]]], [1, 4], "INT32", "IN1")]}
    answer = post_infer(server.http, "several", body)
    assert answer.status == 400
    assert 'inputs[1].data[0][1][1]: expected an integer in -2147483648..2147483647 for INT32, got the string "x"' in answer.error


@case("JT23", "HTTP", "data that is a lone number, a string, an object, null", "400: expected an array")
@pytest.mark.parametrize("text,what", [("5", "5"), ('"5"', 'the string "5"'), ("{}", "an object"), ("null", "null"), ("true", "true")])
def test_no_array(server, text, what):
    refused(server, "INT32", text, f"inputs[0].data: expected an array, got {what}")


@case("JT24", "HTTP", "numbers that JSON does not have: leading zeros and signs, hexadecimal, missing digits", "400: not JSON")
@pytest.mark.parametrize("text", ["01", "+1", "0x10", ".5", "1.", "1e", "-", "1_000", "--1", "NAN1", "1 2"])
def test_no_json_number(server, text):
    refused(server, "FP32", f"[{text}]", "the request is not JSON")


# ---- the same over every way ----

SAMPLES = {"BOOL": [True, False, True], "BYTES": ["a", "", "é"], **{name: [1, 0, 2] for name in INTEGERS}, **{name: [1.5, -0.25, 2.0] for name in FLOATS}}
CONTENTS = {"BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents", "UINT8": "uint_contents",
            "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents"}


def tensor_bytes(datatype):
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in SAMPLES[datatype])
    return np.array(SAMPLES[datatype], dtype=NUMPY[datatype]).tobytes()


@case("JT25", "HTTP", "each datatype: JSON in and binary out, binary in and JSON out", "the same elements")
@pytest.mark.parametrize("datatype", list(DATATYPES))
def test_both_forms(server, datatype):
    assert bits_in(server, datatype, json.dumps(SAMPLES[datatype])) == tensor_bytes(datatype)
    head = json.dumps({"inputs": [{"name": "IN", "shape": [1, 3], "datatype": datatype, "parameters": {"binary_data_size": len(tensor_bytes(datatype))}}]}).encode()
    answer = post_infer(server.http, model(datatype), head + tensor_bytes(datatype), {"Inference-Header-Content-Length": str(len(head))})
    assert answer.json["outputs"][0]["data"] == SAMPLES[datatype]


@case("JT26", "gRPC", "each datatype: typed contents; FP16 and BF16 have none", "the bytes that JSON gives; INVALID_ARGUMENT")
@pytest.mark.parametrize("datatype", list(DATATYPES))
def test_typed_contents(server, datatype):
    message = pb.ModelInferRequest(model_name=model(datatype))
    tensor = message.inputs.add(name="IN", datatype=datatype, shape=[1, 3])
    values = [value.encode() if isinstance(value, str) else value for value in SAMPLES[datatype]]
    getattr(tensor.contents, CONTENTS.get(datatype, "fp32_contents")).extend(values)
    if datatype in CONTENTS:
        assert list(grpc_infer(server.grpc, message).raw_output_contents) == [tensor_bytes(datatype)]
    else:
        code, text = wire.grpc_error(server.grpc, "ModelInfer", message)
        assert code.name == "INVALID_ARGUMENT" and "raw_input_contents" in text and datatype in text


@case("JT27", "HTTP", "each datatype of a fixed size: a raw body (Inference-Header-Content-Length 0)", "the same bytes, and JSON before them")
@pytest.mark.parametrize("datatype", [name for name in DATATYPES if name != "BYTES"])
def test_raw_body(server, datatype):
    answer = post_infer(server.http, model(datatype), tensor_bytes(datatype), {"Inference-Header-Content-Length": "0"})
    assert answer.status == 200, answer.body
    size = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.body[:size])["outputs"][0]["shape"] == [1, 3]
    assert answer.body[size:] == tensor_bytes(datatype)


@case("JT28", "HTTP", "binary_data_output true, false, left out; with and without outputs listed", "bytes where they were asked for, and JSON elsewhere")
@pytest.mark.parametrize("datatype", list(DATATYPES))
@pytest.mark.parametrize("wish", [True, False, None])
def test_binary_data_output(server, datatype, wish):
    for listed in (False, True):
        body = {"inputs": [infer_input(SAMPLES[datatype], datatype=datatype)]}
        if wish is not None:
            body["parameters"] = {"binary_data_output": wish}
        if listed:
            body["outputs"] = [{"name": "OUT"}]
        answer = post_infer(server.http, model(datatype), body)
        binary = bool(wish) and not listed
        assert ("inference-header-content-length" in answer.headers) == binary
        assert answer.headers["content-type"] == ("application/octet-stream" if binary else "application/json")
        if not binary:
            assert answer.json["outputs"][0]["data"] == SAMPLES[datatype]
