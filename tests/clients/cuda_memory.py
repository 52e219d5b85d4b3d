"""Memory of a GPU as tests/fakes/fake_cuda.c has it: an allocation is a file, and its handle the file's path."""

import contextlib
import itertools
import os
import tempfile
from base64 import b64encode

HANDLE_BYTES = 64
numbers = itertools.count()


class Allocation:
    def __init__(self, folder, size):
        self.path = f"{folder}/{next(numbers)}"
        self.size = size
        self.put(bytes(size))

    @property
    def raw_handle(self):
        return self.path.encode().ljust(HANDLE_BYTES, b"\0")

    @property
    def handle(self):
        """As tritonclient's clients take it."""
        return b64encode(self.raw_handle)

    def put(self, data, offset=0):
        """Writes an array, or bytes."""
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as file:
            file.seek(offset)
            file.write(data if isinstance(data, bytes) else data.tobytes())

    def bytes(self, offset=0, size=None):
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def is_open(self, server):
        """Whether the server has it open."""
        with open(f"/proc/{server.process.pid}/maps") as maps:
            return any(line.rstrip().endswith(self.path) for line in maps)


@contextlib.contextmanager
def allocations():
    """A function that makes them. The folder's path is short, for a handle has 64 bytes."""
    with tempfile.TemporaryDirectory(prefix="gpu", dir="/dev/shm") as folder:
        yield lambda size=4096: Allocation(folder, size)


class Driver:
    """What the fake driver answers with from now on."""

    def __init__(self, path):
        self.path = path
        self.behave()

    def behave(self):
        self.answer()

    def answer(self, init=0, devices=2, **faults):
        """fault: an error, or -1 for a function that does not come back."""
        whole = f"{init} {devices} " + " ".join(f"{name} {error}" for name, error in faults.items())
        fresh = self.path.with_suffix(".new")
        fresh.write_text(whole)
        os.replace(fresh, self.path)
