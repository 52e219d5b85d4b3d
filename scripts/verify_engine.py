#!/usr/bin/env python3
"""Compares the logits of a served model with PyTorch's, in fp32, on windows of a SQuAD file that inferd's own text code cuts:
the largest difference over all of them. Offline check, not part of the test suites; needs torch and transformers, and
build/tests/text_squad, which cuts the windows: the test build makes it (scripts/setup installs what that needs), `make` does not.

    cmake --preset release && cmake --build --preset release --target text_squad
    inferd export --checkpoint models/minilm-squad --model-repository /tmp/repository --model bert --precision fp32
    inferd serve --model-repository /tmp/repository &
    scripts/verify_engine.py SQUAD_FILE [--windows 1000] [--url localhost:8000] [--model bert]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import urllib.request

import torch
from transformers import AutoModelForQuestionAnswering

TOLERANCE = 1e-3
ROOT = pathlib.Path(__file__).resolve().parent.parent


def windows_of(path, count):
    """(ids, segments) of windows spread over the file, of the recipe's lengths."""
    command = [ROOT / "build/tests/text_squad", "windows", path, "384", "128", "64"]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    step = max(1, len(lines) // count)
    for line in lines[::step][:count]:
        _, _, ids, segments, _ = line.split("\t")
        yield [int(word) for word in ids.split()], [int(digit) for digit in segments]


def served(url, model, ids, segments):
    inputs = [{"name": name, "shape": [1, len(ids)], "datatype": "INT32", "data": values}
              for name, values in (("input_ids", ids), ("input_mask", [1] * len(ids)), ("segment_ids", segments))]
    request = urllib.request.Request(f"http://{url}/v2/models/{model}/infer", json.dumps({"inputs": inputs}).encode())
    with urllib.request.urlopen(request, timeout=300) as answer:
        outputs = {output["name"]: output["data"] for output in json.load(answer)["outputs"]}
    return torch.tensor([outputs["start_logits"], outputs["end_logits"]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data")
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--url", default="localhost:8000")
    parser.add_argument("--model", default="bert")
    parser.add_argument("--checkpoint", default=ROOT / "models/minilm-squad")
    options = parser.parse_args()
    reference = AutoModelForQuestionAnswering.from_pretrained(options.checkpoint, dtype=torch.float32).eval()
    count = tokens = 0
    worst = 0.0
    for ids, segments in windows_of(options.data, options.windows):
        with torch.no_grad():
            expected = reference(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([segments]))
        got = served(options.url, options.model, ids, segments)
        wanted = torch.stack([expected.start_logits[0], expected.end_logits[0]])
        worst = max(worst, float((got - wanted).abs().max()))
        count, tokens = count + 1, tokens + len(ids)
        if count % 50 == 0:
            print(f"{count} windows: {worst:.3g} so far", file=sys.stderr, flush=True)
    print(f"{count} windows, {tokens} tokens: largest difference of a logit {worst:.3g}")
    sys.exit(0 if 0 < count and worst < TOLERANCE else 1)


if __name__ == "__main__":
    main()
