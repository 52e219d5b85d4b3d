"""gRPC server reflection: what tools such as grpcurl ask before they call."""

import os
import struct

import grpc
import pytest
import wire
from cases import case
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection_pb2 as alpha_pb
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tritonclient.grpc import model_config_pb2, service_pb2

VERSIONS = ["v1", "v1alpha"]
SERVICES = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "inference.GRPCInferenceService",
]
FILES = [
    "grpc/health/v1/health.proto",
    "grpc/reflection/v1/reflection.proto",
    "grpc/reflection/v1alpha/reflection.proto",
    "grpc_service.proto",
    "model_config.proto",
]
Request = alpha_pb.ServerReflectionRequest  # both versions have the same messages
NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]
INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT.value[0]


def path(version):
    return f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"


def ask(port, requests, version="v1"):
    """The answers to requests (messages or bytes) of one stream."""
    data = [request if isinstance(request, bytes) else request.SerializeToString() for request in requests]
    with wire.grpc_channel(port) as channel:
        call = channel.stream_stream(path(version))(iter(data), timeout=60)
        return [alpha_pb.ServerReflectionResponse.FromString(answer) for answer in call]


def ask_one(server, version="v1", **request):
    return ask(server.grpc, [Request(**request)], version)[0]


def files_of(answer):
    """name -> FileDescriptorProto, in the order of the answer."""
    found = [descriptor_pb2.FileDescriptorProto.FromString(data) for data in answer.file_descriptor_response.file_descriptor_proto]
    return {file.name: file for file in found}


def error_of(answer):
    assert answer.WhichOneof("message_response") == "error_response", answer
    return answer.error_response.error_code, answer.error_response.error_message


@pytest.fixture
def database(server):
    with wire.grpc_channel(server.grpc) as channel:
        yield ProtoReflectionDescriptorDatabase(channel)


def plain(file):
    """A file without what protoc adds for its own use, nested declarations by name: to compare what is declared."""
    copy = descriptor_pb2.FileDescriptorProto()
    copy.CopyFrom(file)
    copy.ClearField("options")
    copy.ClearField("name")
    for message in copy.message_type:
        plain_message(message)
    copy.message_type.sort(key=lambda message: message.name)
    copy.enum_type.sort(key=lambda enum: enum.name)
    for service in copy.service:
        for method in service.method:
            method.ClearField("options")  # protoc writes an empty one for each "{}"
    return copy


def plain_message(message):
    for field in message.field:
        field.ClearField("json_name")
    message.nested_type.sort(key=lambda nested: nested.name)
    message.enum_type.sort(key=lambda enum: enum.name)
    for nested in message.nested_type:
        plain_message(nested)


def own(module):
    return descriptor_pb2.FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)


# ---- services and files ----


@case("RF01", "gRPC", "list_services, by grpcio's reflection client", "the four services")
def test_services_by_grpcio(database):
    assert sorted(database.get_services()) == SERVICES


@case("RF02", "gRPC", "list_services, of both versions of the protocol, with any text", "the same four services")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", ["", "*", "anything"])
def test_services(server, version, text):
    answer = ask_one(server, version, list_services=text)
    assert sorted(service.name for service in answer.list_services_response.service) == SERVICES


@case("RF03", "gRPC", "file_by_filename of grpc_service.proto and model_config.proto", "what tritonclient's own files declare: packages, messages, fields, oneofs, maps, enums, methods")
@pytest.mark.parametrize("name,module", [("grpc_service.proto", service_pb2), ("model_config.proto", model_config_pb2)])
def test_files_of_triton(server, name, module):
    got, wanted = plain(files_of(ask_one(server, file_by_filename=name))[name]), plain(own(module))
    assert got.service == wanted.service
    for mine, theirs in zip(got.message_type, wanted.message_type, strict=True):
        assert mine == theirs
    assert got == wanted


@case("RF04", "gRPC", "file_by_filename of each version's reflection.proto", "what grpcio's file declares, in the package of that version")
@pytest.mark.parametrize("version", VERSIONS)
def test_file_of_reflection(server, version):
    name = f"grpc/reflection/{version}/reflection.proto"
    wanted = retold(own(alpha_pb), "grpc.reflection.v1alpha", f"grpc.reflection.{version}")
    assert plain(files_of(ask_one(server, file_by_filename=name))[name]) == plain(wanted)


def retold(file, package, other):
    """The same file in another package."""
    file.package = other
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = field.type_name.replace(f".{package}.", f".{other}.")
    for service in file.service:
        for method in service.method:
            method.input_type = method.input_type.replace(f".{package}.", f".{other}.")
            method.output_type = method.output_type.replace(f".{package}.", f".{other}.")
    return file


@case("RF05", "gRPC", "file_by_filename of health.proto", "Health.Check with its messages: the service as it is served")
def test_file_of_health(server):
    name = "grpc/health/v1/health.proto"
    file = files_of(ask_one(server, file_by_filename=name))[name]
    assert [method.name for method in file.service[0].method] == ["Check", "Watch"]
    status = next(message for message in file.message_type if message.name == "HealthCheckResponse").enum_type[0]
    assert [(value.name, value.number) for value in status.value] == [("UNKNOWN", 0), ("SERVING", 1), ("NOT_SERVING", 2), ("SERVICE_UNKNOWN", 3)]


@case("RF06", "gRPC", "file_by_filename of a file that imports another", "the file, and then the one that it imports")
def test_imports(server):
    assert list(files_of(ask_one(server, file_by_filename="grpc_service.proto"))) == ["grpc_service.proto", "model_config.proto"]
    for name in FILES:
        files = files_of(ask_one(server, file_by_filename=name))
        assert next(iter(files)) == name
        assert set(files[name].dependency) == set(files) - {name}


@case("RF07", "gRPC", "all files in a pool of descriptors, as a client builds it", "every message can be made, every name resolves")
def test_pool(database):
    pool = descriptor_pool.DescriptorPool(database)
    for service in SERVICES:
        for method in pool.FindServiceByName(service).methods:
            message_factory.GetMessageClass(method.input_type)()
            message_factory.GetMessageClass(method.output_type)()
    assert pool.FindFileByName("grpc_service.proto").package == "inference"


SYMBOLS = [
    ("inference.GRPCInferenceService", "grpc_service.proto"),
    ("inference.GRPCInferenceService.ModelInfer", "grpc_service.proto"),
    ("inference.ModelInferRequest", "grpc_service.proto"),
    ("inference.ModelInferRequest.InferInputTensor", "grpc_service.proto"),
    ("inference.ModelInferRequest.ParametersEntry", "grpc_service.proto"),
    ("inference.ModelInferRequest.InferInputTensor.shape", "grpc_service.proto"),
    ("inference.InferParameter.parameter_choice", "grpc_service.proto"),
    ("inference.ModelConfig", "model_config.proto"),
    ("inference.DataType", "model_config.proto"),
    ("inference.TYPE_FP32", "model_config.proto"),
    ("inference.ModelInstanceGroup.Kind", "model_config.proto"),
    ("inference.ModelInstanceGroup.KIND_CPU", "model_config.proto"),
    ("inference.ModelInstanceGroup.SecondaryDevice.KIND_NVDLA", "model_config.proto"),
    ("grpc.health.v1.Health.Check", "grpc/health/v1/health.proto"),
    ("grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto"),
    ("grpc.reflection.v1.ServerReflection", "grpc/reflection/v1/reflection.proto"),
    ("grpc.reflection.v1.ErrorResponse", "grpc/reflection/v1/reflection.proto"),
    ("grpc.reflection.v1alpha.ErrorResponse.error_code", "grpc/reflection/v1alpha/reflection.proto"),
]


@case("RF08", "gRPC", "file_containing_symbol of services, methods, messages, nested ones, fields, oneofs, enums and their values", "the file that declares it")
@pytest.mark.parametrize("symbol,name", SYMBOLS)
def test_symbols(server, symbol, name):
    assert next(iter(files_of(ask_one(server, file_containing_symbol=symbol)))) == name


NO_SYMBOLS = ["", ".", "inference", "inference.", "ModelInferRequest", ".inference.ModelInferRequest", "inference.Nothing", "inference.ModelInferRequest.nothing",
              "inference.ModelInferRequest.", "inference.DataType.TYPE_FP32", "inference.KIND_CPU", "grpc.reflection.v2.ServerReflection",
              "inference.GRPCInferenceService.Nothing", "grpc.health.v1.Health.Nothing", "é", "x" * 60000]


@case("RF09", "gRPC", "file_containing_symbol of what nothing declares", "an error response NOT_FOUND; the stream goes on")
@pytest.mark.parametrize("symbol", NO_SYMBOLS)
def test_no_symbol(server, symbol):
    first, second = ask(server.grpc, [Request(file_containing_symbol=symbol), Request(list_services="")])
    code, text = error_of(first)
    assert code == NOT_FOUND and "symbol" in text
    assert first.original_request.file_containing_symbol == symbol
    assert len(second.list_services_response.service) == len(SERVICES)


@case("RF10", "gRPC", "file_by_filename of a file that is not there", "an error response NOT_FOUND with its name")
@pytest.mark.parametrize("name", ["", "nothing.proto", "../model_config.proto", "google/protobuf/descriptor.proto"])
def test_no_file(server, name):
    code, text = error_of(ask_one(server, file_by_filename=name))
    assert code == NOT_FOUND and name in text


@case("RF11", "gRPC", "file_containing_extension", "an error response NOT_FOUND: there are none")
def test_extension(server):
    request = alpha_pb.ExtensionRequest(containing_type="inference.ModelConfig", extension_number=100)
    code, text = error_of(ask_one(server, file_containing_extension=request))
    assert code == NOT_FOUND and "inference.ModelConfig" in text


@case("RF12", "gRPC", "all_extension_numbers_of_type of a message, and of what is none", "no numbers; an error response NOT_FOUND")
def test_extension_numbers(server):
    answer = ask_one(server, all_extension_numbers_of_type="inference.ModelConfig").all_extension_numbers_response
    assert (answer.base_type_name, list(answer.extension_number)) == ("inference.ModelConfig", [])
    for name in ("inference.Nothing", "inference.DataType", ""):
        assert error_of(ask_one(server, all_extension_numbers_of_type=name))[0] == NOT_FOUND


# ---- the stream ----


@case("RF13", "gRPC", "a request that asks for nothing", "an error response INVALID_ARGUMENT; the stream goes on")
@pytest.mark.parametrize("request_bytes", [b"", Request(host="h").SerializeToString(), b"\x40\x01"])
def test_no_question(server, request_bytes):
    first, second = ask(server.grpc, [request_bytes, Request(list_services="")])
    assert error_of(first)[0] == INVALID_ARGUMENT
    assert second.HasField("list_services_response")


@case("RF14", "gRPC", "many requests in one stream", "as many answers, in their order, each with its request and host")
@pytest.mark.parametrize("version", VERSIONS)
def test_many_requests(server, version):
    requests = [Request(host=f"host {i}", **{"file_containing_symbol" if i % 2 else "file_by_filename": f"name{i}"}) for i in range(200)]
    answers = ask(server.grpc, requests, version)
    assert [answer.original_request for answer in answers] == requests
    assert [answer.valid_host for answer in answers] == [request.host for request in requests]


@case("RF15", "gRPC", "a stream that the client closes at once", "no answers, status OK")
def test_no_requests(server):
    assert ask(server.grpc, []) == []


@case("RF16", "gRPC", "a message that is no protobuf, one that is too large", "the call ends with INVALID_ARGUMENT")
@pytest.mark.parametrize("data", [b"\xff", b"\x1a\xff\xff", b"\x1a\x02\xff\xff", Request(list_services="x" * 70000).SerializeToString()])
def test_broken_message(server, data):
    with pytest.raises(grpc.RpcError) as raised:
        ask(server.grpc, [data])
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@case("RF17", "gRPC", "reflection on the HTTP port, and on the metrics port", "the same; UNIMPLEMENTED")
def test_ports(server):
    assert len(ask(server.http, [Request(list_services="")])) == 1
    with pytest.raises(grpc.RpcError) as raised:
        ask(server.metrics, [Request(list_services="")])
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def framed(request):
    data = request.SerializeToString()
    return struct.pack(">BI", 0, len(data)) + data


GRPC = [("content-type", "application/grpc"), ("te", "trailers")]


@case("RF18", "gRPC", "twenty thousand requests before the first answer is read", "an answer for each: the server waits for the client, and goes on")
def test_slow_reader(server):
    with wire.Http2(server.grpc) as connection:
        stream = connection.begin("POST", path("v1"), GRPC)
        connection.data(stream, framed(Request(list_services="")) * 20000)
        state = connection.answer(stream)
    assert state["trailers"]["grpc-status"] == "0"
    at, count = 0, 0
    while at < len(state["body"]):
        at += 5 + struct.unpack_from(">I", state["body"], at + 1)[0]
        count += 1
    assert count == 20000


def resident(server):
    """Bytes of the server's memory."""
    pages = int(open(f"/proc/{server.process.pid}/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@case("RF19", "gRPC", "requests for files without end, and a client that reads no answer", "the server stops reading; its memory does not grow with them")
def test_no_reader(server):
    question = framed(Request(file_by_filename="grpc_service.proto")) * 1000
    before = resident(server)
    with wire.Http2(server.grpc) as connection:
        stream = connection.begin("POST", path("v1"), GRPC)
        connection.receive()  # the settings, with the server's window
        sent = 0
        while connection.h2.local_flow_control_window(stream) >= len(question) and sent < 64 << 20:
            connection.h2.send_data(stream, question[: connection.h2.max_outbound_frame_size])
            sent += min(len(question), connection.h2.max_outbound_frame_size)
            connection.flush()
        wire.good_inference(server.http)
        assert sent < 64 << 20
        assert resident(server) - before < 256 << 20  # answers to all of them would be gigabytes
        connection.abort()


@case("RF20", "gRPC", "an inference with messages that a client has made from reflection alone", "its result")
def test_inference_without_proto_files(server, database):
    pool = descriptor_pool.DescriptorPool(database)
    method = pool.FindServiceByName("inference.GRPCInferenceService").FindMethodByName("ModelInfer")
    message = message_factory.GetMessageClass(method.input_type)(model_name="id_int32")
    tensor = message.inputs.add(name="IN", datatype="INT32", shape=[1, 3])
    tensor.contents.int_contents.extend([1, -2, 3])
    answer = message_factory.GetMessageClass(method.output_type).FromString(wire.grpc_call(server.grpc, "ModelInfer", message))
    assert struct.unpack("<3i", answer.raw_output_contents[0]) == (1, -2, 3)


@case("RF21", "gRPC", "a client that cancels its stream, one that loses its connection", "the server goes on")
def test_lost_client(server):
    with wire.grpc_channel(server.grpc) as channel:
        call = channel.stream_stream(path("v1"))(iter([Request(list_services="").SerializeToString()] * 3))
        next(call)
        call.cancel()
    with wire.Http2(server.grpc) as connection:
        stream = connection.begin("POST", path("v1"), GRPC)
        connection.data(stream, framed(Request(list_services=""))[:-1], end=False)
        connection.abort()
    wire.good_inference(server.http)


@case("RF22", "gRPC", "the methods of each service that reflection tells of", "each is known: no call ends with 'unknown method'")
def test_methods_are_there(server, database):
    pool = descriptor_pool.DescriptorPool(database)
    for name in SERVICES:
        for method in pool.FindServiceByName(name).methods:
            with wire.grpc_channel(server.grpc) as channel:
                call = channel.stream_stream(f"/{name}/{method.name}")(iter([b""]), timeout=5)
                try:
                    list(call)
                except grpc.RpcError as error:
                    assert "unknown method" not in error.details(), (name, method.name)
