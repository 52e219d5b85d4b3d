"""The libraries of NVIDIA's driver that tests/fakes has, for servers of the tests."""

import os
from pathlib import Path

from serving import ROOT, with_libraries

FOLDER = Path(os.environ.get("INFERD_BUILD_DIR", ROOT / "build")).absolute() / "tests" / "fakes"


def environment(**files):
    """Where a server finds the fakes, and the files that tell them what to answer: environment(FAKE_CUDA=path)."""
    assert FOLDER.is_dir(), f"{FOLDER} is missing: build the tests, or set INFERD_BUILD_DIR"
    return {**with_libraries(FOLDER), **{name: str(path) for name, path in files.items()}}
