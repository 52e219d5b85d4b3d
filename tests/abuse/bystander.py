"""Well-behaved clients beside an attack, in a process of their own: python bystander.py HTTP_PORT GRPC_PORT.

tritonclient over HTTP and over gRPC, each in a loop: an inference, its answer compared, now and then a new connection. For every
line "go" on stdin they begin, for every line "stop" they end. To all but "go" the answer is {"http": inferences so far, "grpc": the same,
"errors": [text]}."""

import json
import sys
import threading

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

INFERENCES_A_CONNECTION = 10
INFERENCES_MIN = 10  # an attack that is over sooner is followed by some
TIMEOUT_S = 60  # an attack makes everything slow on a small machine, but nothing may fail


class Client(threading.Thread):
    """One of the two, until it is told to stop."""

    def __init__(self, triton, connect, **how):
        super().__init__()
        self.triton, self.connect, self.how = triton, connect, how
        self.stop = threading.Event()
        self.answered, self.error = 0, None
        self.start()

    def run(self):
        try:
            self.infer_all()
        except Exception as error:
            self.error = f"{error!r} {error}"

    def infer_all(self):
        values = np.array([[1, -2, 3]], dtype=np.int32)
        tensor = self.triton.InferInput("IN", [1, 3], "INT32")
        tensor.set_data_from_numpy(values)
        while not self.stop.is_set() or self.answered < INFERENCES_MIN:
            with self.connect() as client:
                for _ in range(INFERENCES_A_CONNECTION):
                    answer = client.infer("id_int32", [tensor], **self.how).as_numpy("OUT")
                    assert np.array_equal(answer, values), answer
                    self.answered += 1
                    self.stop.wait(0.01)


def tell(clients):
    errors = [f"{form}: {client.error}" for form, client in clients.items() if client.error]
    print(json.dumps({form: client.answered for form, client in clients.items()} | {"errors": errors}), flush=True)


def main():
    http, grpc = (f"127.0.0.1:{port}" for port in sys.argv[1:])
    print("ready", flush=True)
    while sys.stdin.readline() == "go\n":
        clients = {
            "http": Client(triton_http, lambda: triton_http.InferenceServerClient(http, connection_timeout=TIMEOUT_S, network_timeout=TIMEOUT_S)),
            "grpc": Client(triton_grpc, lambda: triton_grpc.InferenceServerClient(grpc), client_timeout=TIMEOUT_S),
        }
        while sys.stdin.readline() == "count\n":
            tell(clients)
        for client in clients.values():
            client.stop.set()
        for client in clients.values():
            client.join()
        tell(clients)


main()
