"""tritonclient's four clients behind one face, so that a test says once what all of them must see.

The calls keep their names and arguments. Those of the asyncio clients are waited for here; what a gRPC client answers as a message is
shown as the JSON that its HTTP twin gives (`Client.told`)."""

import contextlib
import importlib
import inspect

import ml_dtypes
import numpy as np
import pytest
from models import DATATYPES
from tritonclient.utils import InferenceServerException

# What status() of the client's exception is for each kind of error: over HTTP, over gRPC.
STATUS = {
    "INVALID_ARGUMENT": "400",
    "ALREADY_EXISTS": "400",
    "CANCELLED": "400",
    "NOT_FOUND": "404",
    "INTERNAL": "500",
    "UNIMPLEMENTED": "501",
    "UNAVAILABLE": "503",
}


class Client:
    """One client, by its name: http, grpc, http.aio or grpc.aio. `runner` is an asyncio.Runner."""

    def __init__(self, name, url, runner, **options):
        self.name = name
        self.http = name.startswith("http")
        self.module = importlib.import_module(f"tritonclient.{name}")
        self.runner = runner
        self.raw = self.wait(self._create(url, options)) if name.endswith("aio") else self.module.InferenceServerClient(url, **options)

    async def _create(self, url, options):
        return self.module.InferenceServerClient(url, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getattr__(self, method):
        function = getattr(self.raw, method)
        return lambda *arguments, **more: self.wait(function(*arguments, **more))

    def wait(self, answer):
        return self.runner.run(finish(answer)) if inspect.isawaitable(answer) else answer

    def told(self, method, *arguments, **more):
        """The answer of a call in the form that the HTTP clients give it."""
        answer = plain(getattr(self, method)(*arguments, **more))
        return answer if self.http else UNWRAP.get(method, lambda same: same)(answer)

    @contextlib.contextmanager
    def refused(self, kind, *texts):
        """What runs inside must end in the client's exception, with this kind of error and these texts in its message."""
        with pytest.raises(InferenceServerException) as raised:
            yield
        assert raised.value.status() == (STATUS[kind] if self.http else f"StatusCode.{kind}"), str(raised.value)
        for text in texts:
            assert text in raised.value.message()
        assert str(raised.value) == f"[{raised.value.status()}] {raised.value.message()}"

    # ---- inference ----

    def tensor(self, values, datatype=None, name="IN", **more):
        """An InferInput that holds an array."""
        tensor = self.module.InferInput(name, list(values.shape), datatype or datatype_of(values))
        return tensor.set_data_from_numpy(values, **more)

    def output(self, name="OUT", **more):
        return self.module.InferRequestedOutput(name, **more)

    def infer_array(self, model, values, **more):
        """Sends one array; the one that comes back."""
        return self.infer(model, [self.tensor(values)], **more).as_numpy("OUT")


async def finish(awaitable):
    return await awaitable


def response_of(result):
    """What the server said of an inference, in the form of HTTP; parameters as plain values, an empty dict where there are none."""
    answer = plain(result.get_response())
    return with_parameters({**answer, "outputs": [with_parameters(output) for output in answer["outputs"]]})


def with_parameters(holder):
    return {**holder, "parameters": {key: one_of(value) for key, value in holder.get("parameters", {}).items()}}


# ---- messages of gRPC as the JSON of HTTP ----


def plain(message):
    """A message as Triton writes it in JSON: every member, 64-bit integers as numbers, enums by name."""
    if not hasattr(message, "DESCRIPTOR"):
        return message
    shown = (field for field in message.DESCRIPTOR.fields if not field.has_presence or message.HasField(field.name))
    return {field.name: plain_field(field, getattr(message, field.name)) for field in shown}


def plain_field(field, value):
    if field.message_type and field.message_type.GetOptions().map_entry:
        return {str(key): plain(value[key]) for key in value}
    if field.is_repeated:
        return [plain_one(field, item) for item in value]
    return plain_one(field, value)


def plain_one(field, value):
    return field.enum_type.values_by_number[value].name if field.enum_type else plain(value)


def one_of(value):
    """The value of a parameter: over gRPC a message with one member of several."""
    return next(iter(value.values())) if isinstance(value, dict) else value


def flat_settings(answer):
    """Settings over gRPC are lists, over HTTP a lone string stands for itself, but for the levels."""
    settings = {key: one_of(value) for key, value in answer["settings"].items()}
    return {key: value[0] if isinstance(value, list) and key != "trace_level" else value for key, value in settings.items()}


# Where the answer of a gRPC method is wrapped in a message that HTTP does without.
UNWRAP = {
    "get_model_config": lambda answer: answer["config"],
    "get_model_repository_index": lambda answer: answer["models"],
    "get_system_shared_memory_status": lambda answer: list(answer["regions"].values()),
    "get_cuda_shared_memory_status": lambda answer: list(answer["regions"].values()),
    "get_trace_settings": flat_settings,
    "update_trace_settings": flat_settings,
    "get_log_settings": flat_settings,
    "update_log_settings": flat_settings,
}


# ---- arrays ----


def array_of(datatype):
    """A small array of a datatype, with a batch dimension."""
    if datatype == "BYTES":
        return np.array([["", "Grüße".encode(), b"\xff\x00"]], dtype=np.object_)
    return np.array([[1, 0, 1]], dtype=ml_dtypes.bfloat16 if datatype == "BF16" else DATATYPES[datatype][1])


def integers(*values):
    return np.array([values], dtype=np.int32)


def datatype_of(values):
    if values.dtype == np.object_:
        return "BYTES"
    if values.dtype == ml_dtypes.bfloat16:
        return "BF16"
    return next(name for name, (_, kind) in DATATYPES.items() if kind == values.dtype)


def same(got, wanted):
    """BYTES are the same as the text that they encode: they come back as bytes, from JSON as text."""
    if got is None or got.dtype != wanted.dtype or got.shape != wanted.shape:
        return False
    encoded = lambda array: [item.encode() if isinstance(item, str) else item for item in array.flatten()]
    return encoded(got) == encoded(wanted) if wanted.dtype == np.object_ else np.array_equal(got, wanted)
