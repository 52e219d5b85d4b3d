"""What the attacks share: how large they are, the well-behaved clients beside them, and the budget of the server's memory."""

import contextlib
import json
import os
import resource
import selectors
import socket
import struct
import subprocess
import sys
import time
import warnings
from pathlib import Path

from serving import PATIENCE_S, wait_until

SANITIZED = bool(os.environ.get("INFERD_SANITIZED"))
FULL = bool(os.environ.get("INFERD_FULL")) and not SANITIZED  # which is ten times as slow
BYSTANDER = Path(__file__).resolve().parent / "bystander.py"


def count(small, full):
    """How many: for `make test`, and for `make test-full`."""
    return full if FULL else small


def raise_descriptor_limit():
    """Thousands of connections are thousands of descriptors, here too; how many there may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def connection_count():
    """Slow or idle connections: as many as are told in docs/limits.md, or what the system allows."""
    wanted, others, least = 5000, 500, 500
    allowed = raise_descriptor_limit() - others
    assert allowed >= least, f"ulimit -Hn is too low for these tests: they need {least + others} descriptors"
    if allowed < wanted:
        warnings.warn(f"ulimit -Hn allows {allowed} connections: fewer than the {wanted} that these tests are meant for", stacklevel=1)
    return min(allowed, wanted)


CONNECTIONS = connection_count()
INFLIGHT = 128 << 20  # --max-inflight-size
# docs/limits.md states what comes on top. The sanitizers' own memory (shadow, freed blocks that are kept) is not counted.
MEMORY_BUDGET = INFLIGHT + (256 << 20)
MEMORY_AFTERWARDS = 128 << 20
SERVED_MIN = 20  # inferences beside an attack


def memory(server, field):
    """"VmRSS": what the process has in memory; "VmHWM": the most that it has had. In bytes."""
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) << 10
    raise AssertionError(f"no {field}")


def reset_peak_memory(server):
    """Begins anew, once what an earlier attack took has been given back."""
    wait_until(lambda: SANITIZED or memory(server, "VmRSS") <= MEMORY_AFTERWARDS)
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")


class Target:
    """The server under attack, and the well-behaved clients beside it."""

    def __init__(self, server):
        self.server = server
        self.http, self.grpc = server.http, server.grpc
        self.bystander = subprocess.Popen([sys.executable, BYSTANDER, str(self.http), str(self.grpc)], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, text=True)
        assert self.bystander.stdout.readline() == "ready\n"

    def begin(self):
        self._write("go")

    def ask(self, word):
        """"count" or "stop"; what the clients have seen since they began."""
        self._write(word)
        return json.loads(self.bystander.stdout.readline())

    def _write(self, word):
        self.bystander.stdin.write(word + "\n")
        self.bystander.stdin.flush()

    def close(self):
        self.bystander.kill()
        self.bystander.communicate()


@contextlib.contextmanager
def unharmed(target):
    """Around an attack: the clients beside it see no error and are served, and memory stays in its budget."""
    reset_peak_memory(target.server)
    target.begin()
    try:
        yield
    finally:
        seen = target.ask("stop")
    assert seen["errors"] == [], seen["errors"]
    peak = memory(target.server, "VmHWM")
    print(f"peak {peak >> 20} MiB; beside it {seen['http']} inferences by HTTP, {seen['grpc']} by gRPC")
    assert SANITIZED or peak <= MEMORY_BUDGET, f"{peak >> 20} MiB"


def rounds(target, least):
    """For an attack that is soon over: repeats it so often, and until the clients beside it have been served some. Bounded."""
    for done in range(1, 10 * least + 1):
        yield
        seen = target.ask("count")
        if done >= least and (seen["errors"] or min(seen["http"], seen["grpc"]) >= SERVED_MIN):
            return


class Swarm:
    """Many connections at once, driven by one thread. Bounded: nothing here waits longer than PATIENCE_S."""

    def __init__(self, port, size):
        self.sockets = []
        for _ in range(size):
            connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
            connection.setblocking(False)
            self.sockets.append(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self.sockets:
            connection.close()

    def send(self, data):
        """Gives every connection that many bytes, as far as it takes them at once; how many are still open to it."""
        taken = 0
        for connection in self.sockets:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                connection.send(data)
                taken += 1
        return taken

    def drip(self, data):
        """Byte by byte, in turns, so that every one arrives alone."""
        for i in range(len(data)):
            if self.send(data[i : i + 1]) == 0:
                return

    def read_to_end(self):
        """What each connection was sent until the server closed it."""
        return self.converse(b"")

    def converse(self, data):
        """Sends to every connection as fast as it takes, and reads meanwhile, until the server closes it."""
        answers = {connection: bytearray() for connection in self.sockets}
        unsent = dict.fromkeys(self.sockets, memoryview(data))
        with selectors.DefaultSelector() as selector:
            for connection in self.sockets:
                selector.register(connection, selectors.EVENT_READ | (selectors.EVENT_WRITE if data else 0))
            end = time.monotonic() + 2 * PATIENCE_S
            while selector.get_map():
                assert time.monotonic() < end, f"{len(selector.get_map())} connections were not closed"
                for key, events in selector.select(1):
                    if events & selectors.EVENT_WRITE and not self._push(key.fileobj, unsent):
                        selector.modify(key.fileobj, selectors.EVENT_READ)
                    if events & selectors.EVENT_READ and not self._pull(key.fileobj, answers):
                        selector.unregister(key.fileobj)
        return [bytes(answer) for answer in answers.values()]

    @staticmethod
    def _push(connection, unsent):
        """False when all is sent, or cannot be."""
        try:
            unsent[connection] = unsent[connection][connection.send(unsent[connection][:65536]) :]
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        return bool(unsent[connection])

    @staticmethod
    def _pull(connection, answers):
        """False at the end."""
        try:
            data = connection.recv(65536)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        answers[connection] += data
        return bool(data)

    def abort(self):
        """Closes all with a reset, as lost machines do."""
        for connection in self.sockets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
