"""The libraries of NVIDIA's driver that tests/fakes has, for servers of the tests."""

from serving import FAKES, with_libraries


def environment(**files):
    """Where a server finds the fakes, and the files that tell them what to answer: environment(FAKE_CUDA=path)."""
    return {**with_libraries(FAKES), **{name: str(path) for name, path in files.items()}}
