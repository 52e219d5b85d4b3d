"""oracle.py: runs the filters text_tokenize and text_squad, which the build puts into its tests folder.

INFERD_BUILD_DIR names the build folder (default: build/ of this checkout).
"""
import os
import pathlib
import struct
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("INFERD_BUILD_DIR", ROOT / "build"))
SHARED = ROOT.parent / "shared"
VOCAB = ROOT / "models" / "minilm-squad" / "vocab.txt"


def program(name):
    path = BUILD / "tests" / name
    assert path.exists(), f"{path} is missing: build the target {name}, or set INFERD_BUILD_DIR"
    return str(path)


def run(name, *arguments, stdin=b""):
    """Standard output of a filter that must succeed."""
    done = subprocess.run([program(name), *map(str, arguments)], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def pack(texts):
    """Texts (str or bytes) as the filters read them: byte count, bytes."""
    out = bytearray()
    for text in texts:
        data = text if isinstance(text, bytes) else text.encode()
        out += struct.pack("<I", len(data)) + data
    return bytes(out)


def shared(path):
    """A file of the folder next to the checkout; the test is skipped where that is absent."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"../shared/{path} is not there")
    return found
