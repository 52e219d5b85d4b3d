"""Checkpoints whose numbers make no model: infinite, no number at all, or too large for the precision that is asked for."""
import json
import shutil
import struct

import numpy
import pytest
from cases import case
from serving import ROOT, Server, run
from wire import get

CHECKPOINT = ROOT / "tests/fixtures/hf_checkpoint"
TENSOR = "bert.encoder.layer.0.output.dense.weight"
PLACE = (3, 5)
TOO_LARGE = 3.4e38  # a float, but no bfloat16


def write_checkpoint(folder, number):
    """The small checkpoint in 32 bit floats, with `number` in place of one of them."""
    raw = (CHECKPOINT / "model.safetensors").read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header, data, written = json.loads(raw[8:8 + length]), raw[8 + length:], {}
    body = bytearray()
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        floats = (numpy.frombuffer(data[begin:end], numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32).reshape(entry["shape"])
        if name == TENSOR:
            floats = floats.copy()
            floats[PLACE] = number
        written[name] = {"dtype": "F32", "shape": entry["shape"], "data_offsets": [len(body), len(body) + floats.nbytes]}
        body += floats.tobytes()
    text = json.dumps(written).encode()
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
    for name in ("config.json", "vocab.txt"):
        shutil.copy(CHECKPOINT / name, folder / name)


def add_model(repository, name, number, precision):
    write_checkpoint(repository / name / "1", number)
    (repository / name / "config.pbtxt").write_text(
        f'backend: "bert" max_batch_size: 8 parameters {{ key: "inference_precision" value {{ string_value: "{precision}" }} }}')


@case("NF01", "command", "`inferd export`, to each format, of a checkpoint with a NaN or an infinity",
      "exit code 1, which tensor, row and column; no model")
@pytest.mark.parametrize("number", [numpy.nan, -numpy.inf])
@pytest.mark.parametrize("format", ["bert", "onnx", "savedmodel"])
def test_export_refuses(tmp_path, number, format):
    write_checkpoint(tmp_path / "checkpoint", number)
    done = run("export", "--checkpoint", str(tmp_path / "checkpoint"), "--model-repository", str(tmp_path / "models"), "--model", "m",
               "--format", format, "--max-seq-length", "48")
    assert done.returncode == 1
    assert f'tensor "{TENSOR}" holds a number that is not finite: row 3, column 5' in done.stderr
    assert not (tmp_path / "models/m").exists()


@case("NF02", "HTTP", "checkpoints with a NaN, an infinity, a number that no bf16 holds, in each precision of backend bert",
      "503 with the tensor's name; what can be computed in the precision is served")
def test_load_refuses(tmp_path):
    for precision in ("fp32", "bf16", "int8"):
        add_model(tmp_path, f"nan-{precision}", numpy.nan, precision)
        add_model(tmp_path, f"inf-{precision}", numpy.inf, precision)
        add_model(tmp_path, f"large-{precision}", TOO_LARGE, precision)
    server = Server(tmp_path)
    for precision in ("fp32", "bf16", "int8"):
        for number in ("nan", "inf"):
            answer = get(server.http, f"/v2/models/{number}-{precision}/ready")
            assert answer.status == 503
            assert f'tensor "{TENSOR}" holds a number that is not finite: row 3, column 5' in answer.error
    answer = get(server.http, "/v2/models/large-bf16/ready")
    assert answer.status == 503
    assert f'tensor "{TENSOR}" holds 3.4e+38, which is too large to compute in bf16' in answer.error
    for precision in ("fp32", "int8"):
        assert get(server.http, f"/v2/models/large-{precision}/ready").status == 200
    server.stop()
