"""Runs a model by ONNX Runtime or OpenVINO, one line in, one line out, as engine_speed does:

    load KIND MODEL THREADS        -> ok; KIND is ort-fp32, ort-int8, openvino-fp32, openvino-bf16 or openvino-int8
    run LENGTH ...                 -> seconds, for the sequences one by one, none padded
    padded ROWS LENGTH             -> seconds, for a batch of ROWS sequences of LENGTH
"""
import sys
import time

import numpy


def feed(rows, length):
    ids = (numpy.arange(rows * length, dtype=numpy.int32) * 7919 % 30000).reshape(rows, length)
    return {"input_ids": ids, "segment_ids": numpy.zeros_like(ids), "input_mask": numpy.ones_like(ids)}


def load_onnxruntime(path, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)


def load_openvino(path, threads, precision):
    import openvino

    compiled = openvino.Core().compile_model(path, "CPU", {
        "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1})
    request = compiled.create_infer_request()
    return lambda inputs: request.infer(inputs)


def load(kind, path, threads):
    if kind.startswith("ort"):
        return load_onnxruntime(path, int(threads))
    return load_openvino(path, int(threads), "bf16" if kind.endswith("bf16") else "f32")


def main():
    run = None
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "load":
            run = load(*rest)
            print("ok", flush=True)
            continue
        shapes = [(1, int(length)) for length in rest] if word == "run" else [tuple(map(int, rest))]
        inputs = [feed(*shape) for shape in shapes]
        begin = time.perf_counter()
        for one in inputs:
            run(one)
        print(time.perf_counter() - begin, flush=True)


main()
