"""A ModelStreamInfer call as a test drives it: messages one by one in both directions."""

import queue
import re
import struct

import grpc
from models import BATCHED, add, pair, parameter
from tritonclient.grpc import service_pb2 as pb
from wire import SERVICE, get, infer_message

END = object()
DECOUPLED = BATCHED + pair("INT32", "-1") + "model_transaction_policy { decoupled: true }\n"


def add_models(folder):
    """The models that tests of streams ask, quick ones and slow ones, with one response and with many."""
    add(folder, "id_int32", BATCHED + pair("INT32", "-1"))
    add(folder, "slow", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "200"))
    add(folder, "slower", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "400"))
    add(folder, "stuck", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "600000"))
    add(folder, "failing", BATCHED + pair("INT32", "-1") + parameter("fail_executions", "every_n:1"))
    add(folder, "decoupled", DECOUPLED)
    add(folder, "endless", DECOUPLED + parameter("responses", "100000") + parameter("response_delay_ms", "5"))
    add(folder, "bytes", BATCHED + pair("BYTES", "-1"))


class Stream:
    """One call on a connection of its own."""

    def __init__(self, port, metadata=None, timeout=None, **more):
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
        method = self.channel.stream_stream(SERVICE + "ModelStreamInfer", bytes_of, pb.ModelStreamInferResponse.FromString)
        self.requests = queue.Queue()
        self.call = method(iter(self.requests.get, END), metadata=metadata, timeout=timeout, **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, *messages):
        for message in messages:
            self.requests.put(message)

    def half_close(self):
        self.requests.put(END)

    def receive(self):
        """The next response; raises grpc.RpcError when the stream ends with an error, StopIteration when it ends well."""
        return next(self.call)

    def good(self):
        """The next response, which must be no error."""
        answer = self.receive()
        assert answer.error_message == "", answer
        return answer.infer_response

    def error(self):
        """The text and id of the next response, which must be an error. Else it has nothing, or if the request got as far as
        to its model, that model's name and that it is the final one."""
        answer = self.receive()
        assert answer.error_message
        told = answer.infer_response
        refusal = pb.ModelInferResponse(id=told.id)
        failure = pb.ModelInferResponse(id=told.id, model_name=told.model_name)
        failure.parameters["triton_final_response"].bool_param = True
        assert told == (failure if told.model_name else refusal)
        return answer.error_message, told.id

    def rest(self):
        """Half-closes; the remaining responses, after which the status must be OK."""
        self.half_close()
        answers = list(self.call)
        assert self.call.code() == grpc.StatusCode.OK
        return answers

    def failure(self):
        """The status with which the stream ends; responses before it are dropped."""
        try:
            while True:
                self.receive()
        except grpc.RpcError:
            return self.call.code(), self.call.details()

    def cancel(self):
        self.call.cancel()

    def close(self):
        """Like a client that goes away."""
        self.requests.put(END)
        self.call.cancel()
        self.channel.close()


def bytes_of(message):
    return message if isinstance(message, bytes) else message.SerializeToString()


def ask(model, identity="", value=1, **parameters):
    """A request of one number, with parameters by their Python types."""
    request = infer_message(model, ("IN", "INT32", [1, 1], struct.pack("<i", value)), id=identity)
    for name, given in parameters.items():
        if isinstance(given, bool):
            request.parameters[name].bool_param = given
        elif isinstance(given, int):
            request.parameters[name].int64_param = given
        else:
            request.parameters[name].string_param = given
    return request


def is_final(response):
    return response.parameters["triton_final_response"].bool_param


def metric(server, name, model, **labels):
    """A number of /metrics; -1 while the server has no room for an answer."""
    more = "".join(f',{key}="{value}"' for key, value in labels.items())
    line = rf'^{name}{{model="{model}",version="1"{more}}} (\d+)'
    answer = get(server.metrics, "/metrics")
    return int(re.search(line, answer.body.decode(), re.M).group(1)) if answer.status == 200 else -1


def pending(server, model):
    return metric(server, "nv_inference_pending_request_count", model)


def cancelled(server, model):
    return metric(server, "nv_inference_request_failure", model, reason="CANCELED")


def succeeded(server, model):
    return metric(server, "nv_inference_request_success", model)
