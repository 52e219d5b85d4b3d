#!/usr/bin/env python3
"""Loads a SavedModel that `inferd export` wrote with TensorFlow itself, both ways TensorFlow has, and compares its logits
with the reference. Offline check, not part of the test suites; needs tensorflow and numpy.

    inferd export --checkpoint models/minilm-squad --model-repository /tmp/repository --model bert --format savedmodel
    scripts/verify_savedmodel.py /tmp/repository/bert/1/model.savedmodel [--golden ../shared/models/golden.safetensors]
"""
import argparse
import json
import struct
import sys

import numpy as np
import tensorflow as tf

TOLERANCE = 1e-3


def read_safetensors(path):
    types = {"I32": np.int32, "F32": np.float32}
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[slice(*row["data_offsets"])], types[row["dtype"]]).reshape(row["shape"])
            for name, row in header.items()}


def windows_of(golden):
    for begin, end in zip(golden["offsets"][:-1], golden["offsets"][1:]):
        yield {name: golden[name][begin:end] for name in ("input_ids", "segment_ids", "start_logits", "end_logits")}


def batches_of(windows, size, padding):
    """Batches of `size` windows, each padded to its longest plus `padding`; yields inputs and the windows."""
    for first in range(0, len(windows), size):
        batch = windows[first:first + size]
        shape = (len(batch), max(len(window["input_ids"]) for window in batch))
        shape = (shape[0], min(512, shape[1] + padding))
        inputs = {name: np.zeros(shape, np.int32) for name in ("input_ids", "segment_ids", "input_mask")}
        for row, window in enumerate(batch):
            length = len(window["input_ids"])
            inputs["input_ids"][row, :length] = window["input_ids"]
            inputs["segment_ids"][row, :length] = window["segment_ids"]
            inputs["input_mask"][row, :length] = 1
        yield inputs, batch


def worst_difference(run, windows, size, padding):
    worst = 0.0
    for inputs, batch in batches_of(windows, size, padding):
        outputs = run(inputs)
        for row, window in enumerate(batch):
            for name in ("start_logits", "end_logits"):
                got = outputs[name][row, :len(window[name])]
                worst = max(worst, float(np.abs(got - window[name]).max()))
    return worst


def run_version_2(folder):
    model = tf.saved_model.load(folder)
    function = model.signatures["serving_default"]

    def run(inputs):
        outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    return run


def run_version_1(folder):
    session = tf.compat.v1.Session(graph=tf.Graph())
    meta_graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], folder)
    signature = meta_graph.signature_def["serving_default"]

    def run(inputs):
        fetches = {name: info.name for name, info in signature.outputs.items()}
        return session.run(fetches, {signature.inputs[name].name: value for name, value in inputs.items()})

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("savedmodel")
    parser.add_argument("--golden", default="../shared/models/golden.safetensors")
    arguments = parser.parse_args()
    windows = list(windows_of(read_safetensors(arguments.golden)))
    failed = False
    for title, load in [("tf.saved_model.load", run_version_2), ("tf.compat.v1 loader", run_version_1)]:
        run = load(arguments.savedmodel)
        for size, padding in [(1, 0), (8, 0), (8, 16)]:
            worst = worst_difference(run, windows, size, padding)
            failed = failed or not worst <= TOLERANCE
            print(f"{title}: batch {size}, {padding} more tokens of padding: largest difference {worst:.2e}")
    print("FAILED" if failed else f"good: all within {TOLERANCE}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
