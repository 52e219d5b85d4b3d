"""The kernels and products of the engine for GPUs, one by one, on a real GPU: `python3 tests/gpu/test_kernels.py` runs build/tests/gpu_*
(or those of $INFERD_BUILD_DIR), which `scripts/setup && cmake --preset release && cmake --build build` builds where nvcc is found. Where
there is no GPU it says so and ends with 0, and pytest skips it; a GPU without those programs is an error."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("INFERD_BUILD_DIR", "build")
LIBRARY = "libcuda.so.1"


def missing():
    """What the machine lacks, or nothing."""
    try:
        error = ctypes.CDLL(LIBRARY).cuInit(0)
    except OSError:
        return f"no {LIBRARY}"
    return f"cuInit: error {error}" if error else None


def programs():
    found = sorted(BUILD.glob("tests/gpu_*"))
    if not found:
        raise SystemExit(f"no {BUILD}/tests/gpu_*: without nvcc or cmocka they are not built")
    return found


def run(program):
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_kernels():
    import pytest

    reason = missing()
    if reason:
        pytest.skip(reason)
    for program in programs():
        code, text = run(program)
        assert code == 0, f"{program}: {text}"


def main():
    reason = missing()
    if reason:
        print(f"skipped: {reason}")
        return 0
    failed = 0
    for program in programs():
        code, text = run(program)
        print(f"{program.name}: {'good' if code == 0 else 'FAILED'}" + (f"\n{text}" if code else ""), flush=True)
        failed += code != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
