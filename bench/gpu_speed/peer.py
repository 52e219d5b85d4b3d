#!/usr/bin/env python3
"""peer.py: BERT encoders with random weights in PyTorch, as fast as PyTorch does them, and what the card does at most.

The encoder is written here rather than taken from transformers: one matrix for queries, keys and values, each layer compiled
(torch.compile) with dynamic shapes. Token ids lie on the GPU already and logits stay there, which the peer is not charged for.
For each number format there are three ways, each with the best of a few batch sizes, found while it warms up:

    padded    batches of sequences in the file's order, padded to the longest of each; scaled_dot_product_attention with a mask,
              by its memory-efficient kernel or cuDNN's, whichever is faster
    sorted    the same, all sequences sorted by length first, which only offline work can do
    unpadded  tokens one behind the other; torch.nn.attention.varlen.varlen_attn, else the flash kernel behind it, else nested
              tensors, whichever is there

and beside them latency-B-L: microseconds (median) of B sequences of L tokens, one batch at a time, a CUDA graph with the ids
brought to the GPU and the logits back; cublas: operations a second of an 8192-cube matrix product of random numbers; copy: bytes
a second, read and written, of a copy within the GPU's memory.

    peer.py [--quick] [--json FILE]        all of it, a process for each model, and a table
    peer.py --step --model base            one line of JSON ({"ways", "failed", "card"}) when ready, then a round for each line
                                           of the standard input, which names a way; prints its figure, nan where it fails
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MODELS = ["minilm", "base", "large", "tiny"]


def measure_model(options, model, rounds):
    """In a process of its own: what is compiled for one model's sizes is not compiled again for another's."""
    words = [sys.executable, __file__, "--step", "--model", model, "--lengths", options.lengths, "--formats", options.formats,
             "--seconds", options.seconds, "--device", options.device, "--sequences", options.sequences]
    words += ["--quick"] * options.quick + ["--no-compile"] * (not options.compile) + ["--no-card"] * (model == "large")
    process = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    if not first:
        return {"model": model, "failed": {"all": f"exit code {process.wait()}"}, "ways": {}, "card": {}, "figures": {}}
    result = {"model": model, **json.loads(first), "figures": {}}
    for _ in range(rounds):
        for way in result["ways"]:
            process.stdin.write(way + "\n")
            process.stdin.flush()
            result["figures"].setdefault(way, []).append(float(process.stdout.readline() or "nan"))
    process.stdin.close()
    process.wait()
    return result


def figure_text(way, value):
    if way.startswith("cublas"):
        return f"{value / 1e12:10.1f} TFLOP/s"
    if way == "copy":
        return f"{value / 1e9:10.1f} GB/s"
    return f"{value:10.1f} " + ("us" if "latency" in way else "sequences/s")


def everything(options):
    results = [measure_model(options, model, 2 if options.quick else 5) for model in options.models]
    for result in results:
        if result["card"]:
            print("card: " + ", ".join(f"{key} {value}" for key, value in result["card"].items()))
        for way, values in result["figures"].items():
            print(f"{result['model']:6} {way:20} {figure_text(way, statistics.median(values))} "
                  f"({figure_text(way, min(values)).split()[0]} .. {figure_text(way, max(values)).split()[0]})  {result['ways'][way]}")
        for way, reason in result["failed"].items():
            print(f"{result['model']:6} {way:20} FAILED: {reason}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--step", action="store_true")
    parser.add_argument("--model", default="base", choices=MODELS)
    parser.add_argument("--models", nargs="+", default=["base", "large"], choices=MODELS)
    parser.add_argument("--lengths", default=HERE / "squad_lengths.txt")
    parser.add_argument("--sequences", type=int, default=0, help="only so many of the lengths; 0: all")
    parser.add_argument("--formats", default="", help="bf16,fp16; --quick: bf16")
    parser.add_argument("--seconds", type=float, default=1.5, help="of a round")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--no-card", dest="card", action="store_false")
    parser.add_argument("--json")
    options = parser.parse_args()
    options.formats = options.formats or ("bf16" if options.quick else "bf16,fp16")
    options.tuning = 0.2 if options.quick else 0.5
    options.latencies = [(1, 128)] if options.quick else [(1, 128), (8, 128), (1, 384), (8, 384)]
    return options


if __name__ == "__main__":
    OPTIONS = parse()
    if OPTIONS.step:
        from peer_ways import step

        step(OPTIONS)
    else:
        everything(OPTIONS)
