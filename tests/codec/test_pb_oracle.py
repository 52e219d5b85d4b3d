"""The codec against Python's protobuf, with tritonclient's own descriptors as the truth.

Needs the program pb_tool (tests/codec/pb_tool.c) in the build folder: INFERD_BUILD_DIR, default build/.
"""
import os
import pathlib
import random
import subprocess

import pytest
from google.protobuf import json_format, text_format
from google.protobuf.message import DecodeError
from tritonclient.grpc import model_config_pb2, service_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("INFERD_BUILD_DIR", ROOT / "build"))
FILES = [service_pb2, model_config_pb2]
TYPE_NAMES = {1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 8: "bool", 9: "string", 11: "message",
              12: "bytes", 13: "uint32", 14: "enum"}


class Tool:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, operation, name, data=b""):
        """The result's bytes; raises ValueError with the error's text."""
        self.process.stdin.write(f"{operation} {name} {len(data)}\n".encode() + data)
        self.process.stdin.flush()
        head = self.process.stdout.readline().split()
        assert len(head) == 2, f"pb_tool died on {operation} {name} {data!r}"
        body = self.process.stdout.read(int(head[1]))
        if head[0] == b"error":
            raise ValueError(body.decode())
        return body

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == 0


@pytest.fixture(scope="module")
def tool():
    found = sorted(BUILD.glob("**/pb_tool"))
    if not found:
        pytest.skip(f"no pb_tool under {BUILD}")
    running = Tool(found[0])
    yield running
    running.close()


def all_messages():
    def walk(descriptor):
        yield descriptor
        for nested in descriptor.nested_types:
            yield from walk(nested)

    for file in FILES:
        for descriptor in file.DESCRIPTOR.message_types_by_name.values():
            yield from walk(descriptor)


def local_name(descriptor):
    return descriptor.full_name[len(descriptor.file.package) + 1:]


def top_classes():
    """Every message that is no map entry, as its Python class."""
    for descriptor in all_messages():
        if not descriptor.GetOptions().map_entry:
            yield local_name(descriptor), descriptor._concrete_class


CLASSES = dict(top_classes())


def expected_rows():
    rows = set()
    for descriptor in all_messages():
        rows.add(f"message {descriptor.full_name}")
        for field in descriptor.fields:
            kind = field.message_type or field.enum_type
            is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
            label = "map" if is_map else "repeated" if field.is_repeated else "singular"
            oneof = field.containing_oneof.name if field.containing_oneof else "-"
            rows.add(f"field {descriptor.full_name} {field.number} {field.name} {TYPE_NAMES[field.type]} {label} {oneof} "
                     f"{kind.full_name if kind else '-'}")
            for value in field.enum_type.values if field.enum_type else []:
                rows.add(f"value {field.enum_type.full_name} {value.number} {value.name}")
    for service in service_pb2.DESCRIPTOR.services_by_name.values():
        for method in service.methods:
            rows.add(f"method /{service.full_name}/{method.name} {method.input_type.full_name} "
                     f"{method.output_type.full_name} {int(method.client_streaming)} {int(method.server_streaming)}")
    return rows


def test_tables_equal_the_descriptors(tool):
    rows = set(tool.run("tables", "-").decode().splitlines())
    ours = {row for row in rows if "grpc.health.v1" not in row}
    assert ours == expected_rows()
    assert len(rows - ours) == 10  # 2 messages, 2 fields, 4 values and 2 methods


# ---- random messages ----

INTERESTING = {
    "int32": [0, 1, -1, 127, 128, 300, 2**31 - 1, -(2**31)],
    "int64": [0, 1, -1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)],
    "uint32": [0, 1, 127, 128, 2**32 - 1],
    "uint64": [0, 1, 16384, 2**32, 2**64 - 1],
    "float": [0.0, -0.0, 1.0, 0.1, -2.5e-30, 3e38, float("inf"), 1e-45],
    "double": [0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, float("-inf"), 2.0**53 + 1],
    "bool": [False, True],
    "string": ["", "a", "text with \"quotes\" and \\ and \n", "äöü€", "漢字", "\U0001f600", "\x00\x01\x7f"],
    "bytes": [b"", b"\x00", b"\xff\xfe", bytes(range(256)), b"x" * 300],
}


def random_scalar(rng, field):
    kind = TYPE_NAMES[field.type]
    if kind == "enum":
        return rng.choice([value.number for value in field.enum_type.values] + [77])
    return rng.choice(INTERESTING[kind])


def fill(rng, message, depth=0):
    for field in message.DESCRIPTOR.fields:
        if rng.random() < 0.35 or (field.message_type is not None and depth > 3):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key_field, value_field = field.message_type.fields
            for _ in range(rng.randrange(4)):
                key = random_scalar(rng, key_field)
                if value_field.message_type is not None:
                    fill(rng, getattr(message, field.name)[key], depth + 1)
                else:
                    getattr(message, field.name)[key] = random_scalar(rng, value_field)
        elif field.is_repeated:
            for _ in range(rng.randrange(5)):
                if field.message_type is not None:
                    fill(rng, getattr(message, field.name).add(), depth + 1)
                else:
                    getattr(message, field.name).append(random_scalar(rng, field))
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
            fill(rng, getattr(message, field.name), depth + 1)
        else:
            setattr(message, field.name, random_scalar(rng, field))


def same(a, b):
    return a.SerializeToString(deterministic=True) == b.SerializeToString(deterministic=True)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_random_messages_keep_their_value(tool, name):
    cls, rng = CLASSES[name], random.Random(name)
    for _ in range(25):
        message = cls()
        fill(rng, message)
        wire = message.SerializeToString()
        assert same(cls.FromString(tool.run("wire-wire", name, wire)), message)
        text = text_format.MessageToString(message, as_utf8=rng.random() < 0.5)
        assert same(cls.FromString(tool.run("text-wire", name, text.encode())), message)
        one_line = text_format.MessageToString(message, as_one_line=True, pointy_brackets=True)
        assert same(cls.FromString(tool.run("text-wire", name, one_line.encode())), message)
        ours = tool.run("wire-json", name, wire).decode()
        assert same(json_format.Parse(ours, cls()), message)
        for options in ({}, {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}):
            theirs = json_format.MessageToJson(message, **options)
            assert same(cls.FromString(tool.run("json-wire", name, theirs.encode())), message)


def outcome(parse, error):
    try:
        return parse()
    except error:
        return None


def clear_maps(message):
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for inner in value if field.is_repeated else [value]:
                clear_maps(inner)
    return message


@pytest.mark.parametrize("name", ["ModelInferRequest", "ModelInferResponse", "ModelConfig", "ModelStatisticsResponse"])
def test_damaged_wire_is_judged_alike(tool, name):
    """Bytes changed, cut and joined: both sides refuse, or both read the same message."""
    cls, rng = CLASSES[name], random.Random(name)
    for _ in range(1500):
        message = cls()
        fill(rng, message)
        data = bytearray(message.SerializeToString())
        for _ in range(rng.randrange(1, 4)):
            if not data:
                break
            at = rng.randrange(len(data))
            action = rng.randrange(4)
            if action == 0:
                data[at] = rng.randrange(256)
            elif action == 1:
                del data[at:]
            elif action == 2:
                del data[at]
            else:
                data[at:at] = data[:rng.randrange(len(data))]
        data = bytes(data)
        theirs = outcome(lambda: cls.FromString(data), DecodeError)
        ours = outcome(lambda: tool.run("wire-wire", name, data), ValueError)
        if theirs is None or ours is None:
            assert theirs is None and ours is None, data
        else:
            ours, before = cls.FromString(ours), theirs.SerializeToString()
            theirs.DiscardUnknownFields()
            if len(before) != len(theirs.SerializeToString()):
                # Python drops a map entry that holds an unknown field; C++ and we drop only the field.
                clear_maps(ours), clear_maps(theirs)
            assert same(ours, theirs), data


# ---- text format ----

TEXTS = [
    'name: "a" platform: "b"',
    "name: 'a', platform: \"it's\"; backend: 'say \"x\"'",
    'name: "a" "b"\n\'c\' # comment\n',
    r'name: "\n\t\r\a\b\f\v\\\'\" \101\7\x41\x4a \u00e4\U0001f600"',
    'max_batch_size: 0x10', 'max_batch_size: 010', 'max_batch_size: -0', 'max_batch_size: 2147483647',
    'max_batch_size: 2147483648', 'max_batch_size: -2147483648', 'max_batch_size: -2147483649', 'max_batch_size: 8.0',
    'max_batch_size: "8"', 'max_batch_size: 08', 'max_batch_size: 0x', 'max_batch_size: 1e3', 'max_batch_size: true',
    'max_batch_size 8', 'max_batch_size: 8abc', 'max_batch_size:8;', 'max_batch_size: 8,', 'max_batch_size: 8;;',
    'max_batch_size: 1 max_batch_size: 2',
    'input { name: "x" dims: 1 dims: 2 }', 'input: { name: "x" dims: [1, 2, -1] }', 'input < name: "x" dims: [] >',
    'input [ { name: "x" }, { name: "y" } ]', 'input: [ < name: "x" >, { name: "y" } ] input { name: "z" }',
    'input { name: "x" >', 'input { name: "x"', 'input }', 'input { dims: [1, ] }', 'input { dims: [1 2] }',
    'input { dims: [1], dims: [2, 3] dims: 4 }', 'input: [', 'input []', 'name: ["a"]',
    'input { data_type: TYPE_FP32 }', 'input { data_type: 11 }', 'input { data_type: "TYPE_FP32" }',
    'input { data_type: TYPE_FP3 }', 'input { data_type: -1 }', 'input { optional: true allow_ragged_batch: false }',
    'input { optional: True }', 'input { optional: t }', 'input { optional: f }', 'input { optional: 1 }',
    'input { optional: 0 }', 'input { optional: False }', 'input { optional: 2 }', 'input { optional: TRUE }',
    'input { optional: yes }',
    'parameters { key: "a" value { string_value: "b" } }', 'parameters: { key: "a" value: { string_value: "b" } }',
    'parameters [ { key: "a" }, { value { } key: "b" } ]', 'parameters { value { string_value: "no key" } }',
    'metric_tags { key: "a" value: "b" } metric_tags { key: "c" }',
    'dynamic_batching { }', 'dynamic_batching { preferred_batch_size: [4, 8] max_queue_delay_microseconds: 100 }',
    'dynamic_batching { } sequence_batching { }', 'dynamic_batching { } dynamic_batching { }',
    'dynamic_batching { max_queue_delay_microseconds: -1 }',
    'dynamic_batching { max_queue_delay_microseconds: 18446744073709551615 }',
    'dynamic_batching { max_queue_delay_microseconds: 18446744073709551616 }',
    'dynamic_batching { priority_queue_policy { key: 1 value { max_queue_size: 3 } } }',
    'sequence_batching { direct { minimum_slot_utilization: 0.5 } }',
    'sequence_batching { direct { minimum_slot_utilization: 1 } }',
    'sequence_batching { direct { minimum_slot_utilization: .5f } }',
    'sequence_batching { direct { minimum_slot_utilization: 5.F } }',
    'sequence_batching { direct { minimum_slot_utilization: 1e-2f } }',
    'sequence_batching { direct { minimum_slot_utilization: inf } }',
    'sequence_batching { direct { minimum_slot_utilization: -Infinity } }',
    'sequence_batching { direct { minimum_slot_utilization: nan } }',
    'sequence_batching { direct { minimum_slot_utilization: 1e } }',
    'sequence_batching { direct { minimum_slot_utilization: 1.5.5 } }',
    'sequence_batching { direct { minimum_slot_utilization: 1e400 } }',
    'sequence_batching { direct { minimum_slot_utilization: 0x10 } }',
    'model_metrics { metric_control { histogram_options { buckets: [1, 2.5, -3e4, inf] } } }',
    'version_policy: { latest { num_versions: 2 } }', 'version_policy: { latest { } all { } }',
    'version_policy { specific { versions: [1, 3] } }', 'version_policy 1', 'version_policy: 1',
    'nmae: "a"', 'name "a"', 'name: a', 'name: ', 'name', ': "a"', '"name": "a"', '{ name: "a" }', 'name: "a', 'name: "a\nb"',
    'name: "\\x"', 'name: "\\u12"', 'name: "\\ud800"', 'name: "\\U00110000"', 'name: "a\\',
    '[a.b]: 1', '[type.googleapis.com/inference.ModelConfig] { }', '# only a comment', '', '   \n\t\r ', 'name: "a" @', '1: "a"',
    'name: "a";platform: "b"', 'name:"a"platform:"b"', 'max_batch_size:8name:"a"', 'name: "x" , , platform: "y"', ', name: "x"',
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_judged_alike(tool, text):
    cls = CLASSES["ModelConfig"]
    theirs = outcome(lambda: text_format.Parse(text, cls()), text_format.ParseError)
    ours = outcome(lambda: tool.run("text-wire", "ModelConfig", text.encode()), ValueError)
    if theirs is None or ours is None:
        assert theirs is None and ours is None
    else:
        assert same(cls.FromString(ours), theirs)


# Here Python's parser is known to differ from protobuf's specification and C++ code, which we follow.
@pytest.mark.parametrize("text, name, size", [
    (r'name: "\ud83d\ude00"', "\U0001f600", 0),
    (r'name: "a\?"', "a?", 0),
    ("max_batch_size: - 5", "", -5),
])
def test_text_as_in_cpp(tool, text, name, size):
    ours = CLASSES["ModelConfig"].FromString(tool.run("text-wire", "ModelConfig", text.encode()))
    assert (ours.name, ours.max_batch_size) == (name, size)


@pytest.mark.parametrize("text, error", [
    (r'name: "\q"', "invalid escape"),
    ('metric_tags { key: "a" } metric_tags { key: "a" }', "the key 'a' twice"),
])
def test_text_is_stricter_here(tool, text, error):
    with pytest.raises(ValueError, match=error):
        tool.run("text-wire", "ModelConfig", text.encode())


def test_damaged_text_never_breaks_the_parser(tool):
    cls, rng = CLASSES["ModelConfig"], random.Random(4)
    for _ in range(400):
        message = cls()
        fill(rng, message)
        text = bytearray(text_format.MessageToString(message).encode())
        for _ in range(rng.randrange(1, 4)):
            if text:
                text[rng.randrange(len(text))] = rng.choice(b"{}<>[]:;,\"'\\#-.0x9aZ\n\x00\xff")
        try:
            tool.run("text-wire", "ModelConfig", bytes(text))
        except ValueError as error:
            assert str(error).startswith("input:")
