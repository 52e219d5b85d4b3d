"""Shared memory on the side of the client: objects that go when the test ends."""

import contextlib
import itertools
import os

import tritonclient.utils.shared_memory as shm

numbers = itertools.count()


class Object:
    """One shared-memory object. Its key is new for each, so that tests do not meet."""

    def __init__(self, size):
        self.key = f"/inferd_{os.getpid()}_{next(numbers)}"
        self.path = "/dev/shm" + self.key
        self.size = size
        self.handle = shm.create_shared_memory_region("object", self.key, size, create_only=True)

    def put(self, data, offset=0):
        """Writes an array, or bytes."""
        data = data if isinstance(data, bytes) else data.tobytes()
        self.handle._mpsm_handle.buf[offset : offset + len(data)] = data

    def bytes(self, offset=0, size=None):
        end = self.size if size is None else offset + size
        return bytes(self.handle._mpsm_handle.buf[offset:end])

    def array(self, datatype, shape, offset=0):
        """What tritonclient reads from it: a copy."""
        return shm.get_contents_as_numpy(self.handle, datatype, shape, offset).copy()

    def cut(self, size=0):
        """Takes memory away from whoever has it mapped; this side must not touch it either from then on."""
        os.truncate(self.path, size)

    def destroy(self):
        shm.destroy_shared_memory_region(self.handle)


@contextlib.contextmanager
def objects():
    """A function that makes objects."""
    made = []

    def make(size=4096):
        made.append(Object(size))
        return made[-1]

    yield make
    for one in made:
        one.destroy()
