#!/usr/bin/env python3
"""bench/gpu_speed/fp8_error.py --data FILE: where the error of fp8 comes from. No GPU: numpy computes the embedded model with the operands of
products rounded to E4M3 as the engine has them (all else in float32), on windows of a SQuAD file, and with one thing changed at a time: scales
of single rows, sums of fewer bits, one operand left alone, one product or layer alone in fp8, the first layers left alone, and what the
engine does not do: weights rounded with regard to what they are multiplied with (GPTQ: Frantar and others, 2022), and the mean of their error
taken out by the bias, both after other windows of the file.
Errors are relative to the same model in float32: root mean squares, of hidden states, and of logits less their mean in a window. Needs numpy,
ml_dtypes and tokenizers, which .venv has."""
import argparse
import json
import math
import pathlib

import ml_dtypes
import numpy as np
from squad_file import read_pairs
from tokenizers import BertWordPieceTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/minilm-squad"
LARGEST, LONGEST = np.float32(440), 384  # of E4M3's 448, as engine/cuda/cuda_bounds.c has it; tokens of a window
PRODUCTS = ("query, key, value", "attention output", "intermediate", "output")


def read_weights():
    raw = (MODEL / "model.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header, body = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    header.pop("__metadata__", None)
    types = {"F16": np.float16, "F32": np.float32}
    return {name: np.frombuffer(body[slice(*at["data_offsets"])], types[at["dtype"]]).reshape(at["shape"]).astype(np.float32)
            for name, at in header.items()}


def read_windows(path, count, between=False):
    """Token ids and segments of the first windows of evenly spread questions, or of those that lie between them."""
    pairs = read_pairs(path)
    step = max(1, len(pairs) // count)
    tokenizer = BertWordPieceTokenizer(str(MODEL / "vocab.txt"), lowercase=True)
    tokenizer.enable_truncation(LONGEST, strategy="only_second")
    encoded = [tokenizer.encode(*pair) for pair in pairs[step // 2 if between else 0 :: step][:count]]
    return [(np.array(one.ids), np.array(one.type_ids)) for one in encoded]


def as_bytes(numbers, scale):
    return np.clip(numbers * scale, -448, 448).astype(ml_dtypes.float8_e4m3fn).astype(np.float32) / scale


def add_up_short(rows, weights, depth=32, bits=13):
    """The product, its sums cut to so many bits behind the first after each step, as Hopper's fp8 sums are where they are to be fast."""
    sums = np.zeros((len(rows), len(weights)), np.float32)
    for begin in range(0, rows.shape[1], depth):
        sums += rows[:, begin : begin + depth] @ weights[:, begin : begin + depth].T
        last = np.exp2(np.floor(np.log2(np.maximum(abs(sums), 1e-30))) - bits).astype(np.float32)
        sums = np.trunc(sums / last) * last
    return sums


def round_by_inputs(weights, scale, moments, block=64):
    """Column by column, those of the largest inputs first; what one is off by is taken out of those that follow, as far as their inputs
    go with its own."""
    moments = moments.astype(np.float64) + 0.01 * np.mean(np.diag(moments)) * np.eye(len(moments))
    order = np.argsort(-np.diag(moments))
    left, rounded = weights[:, order].astype(np.float64), np.zeros(weights.shape)
    inverse = np.linalg.cholesky(np.linalg.inv(moments[np.ix_(order, order)])).T
    for begin in range(0, len(order), block):
        end = min(begin + block, len(order))
        errors = np.zeros((len(weights), end - begin))
        for i in range(begin, end):
            rounded[:, i] = as_bytes(left[:, i].astype(np.float32), scale)
            errors[:, i - begin] = (left[:, i] - rounded[:, i]) / inverse[i, i]
            left[:, i:end] -= np.outer(errors[:, i - begin], inverse[i, i:end])
        left[:, end:] -= errors @ inverse[begin:end, end:]
    return rounded[:, np.argsort(order)].astype(np.float32)


def gelu(x):
    return 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))


class Model:
    def __init__(self, weights, config, products=(), layers=None, row_scales=False, round_rows=True, round_weights=True, by_inputs=None,
                 mean_of=None, inputs=None, short_sums=False):
        self.weights, self.config = weights, config
        self.by_inputs, self.mean_of = by_inputs, mean_of  # for each layer's product: count, sum and moments of the rows that it reads
        self.inputs = inputs  # the same, to be filled by what runs, or None
        self.short_sums = short_sums
        self.products, self.row_scales, self.round_rows, self.round_weights = products, row_scales, round_rows, round_weights
        self.in_fp8 = range(config["num_hidden_layers"]) if layers is None else layers
        # softmax(q k / sqrt(D)) in powers of 2: a factor of the query's weights, as in engine/model/layer_parts.h
        self.query_factor = np.float32(1.44269504 / math.sqrt(config["hidden_size"] / config["num_attention_heads"]))
        self.layers = [self.make_layer(i) for i in range(config["num_hidden_layers"])]

    def of(self, layer, name):
        return self.weights[f"bert.encoder.layer.{layer}.{name}.weight"], self.weights[f"bert.encoder.layer.{layer}.{name}.bias"]

    def norm(self, layer):
        return self.of(layer, "output.LayerNorm") if layer >= 0 else (
            self.weights["bert.embeddings.LayerNorm.weight"], self.weights["bert.embeddings.LayerNorm.bias"])

    def make_layer(self, i):
        """The four products: weights, bias, and the scale of the rows that they read."""
        root = math.sqrt(self.config["hidden_size"])
        row = lambda norm: (abs(norm[0]) * root + abs(norm[1])).max()
        outputs = lambda w, b, norm: (np.sqrt(((w * norm[0]) ** 2).sum(1)) * root + abs(w @ norm[1] + b)).max()
        before, between = self.norm(i - 1), self.of(i, "attention.output.LayerNorm")
        parts = [self.of(i, f"attention.self.{name}") for name in ("query", "key", "value")]
        parts[0] = tuple(part * self.query_factor for part in parts[0])
        qkv, up = tuple(np.concatenate(all_of) for all_of in zip(*parts)), self.of(i, "intermediate.dense")
        bounds = (row(before), outputs(*parts[2], before), row(between), outputs(*up, between))
        return [self.make_product((i, which), matrix, LARGEST / bound) for which, matrix, bound in zip(
            PRODUCTS, (qkv, self.of(i, "attention.output.dense"), up, self.of(i, "output.dense")), bounds)]

    def make_product(self, place, matrix, scale):
        weights, bias = matrix
        if place[1] not in self.products or place[0] not in self.in_fp8:
            return place, weights, bias, None
        largest = abs(weights).max(1, keepdims=True) if self.row_scales else abs(weights).max()
        rounded = as_bytes(weights, LARGEST / largest) if self.round_weights else weights
        if self.by_inputs:
            count, _, moments = self.by_inputs[place]
            rounded = round_by_inputs(weights, LARGEST / largest, moments / count)
        if self.mean_of:
            count, total, _ = self.mean_of[place]
            bias = bias + (weights - rounded) @ (total / count)
        return place, rounded, bias, scale

    def multiply(self, rows, product):
        place, weights, bias, scale = product
        if self.inputs is not None:
            count, total, moments = self.inputs.get(place, (0, 0, 0))
            self.inputs[place] = count + len(rows), total + rows.sum(0), moments + rows.T @ rows
        if scale is not None and self.round_rows:
            rows = as_bytes(rows, LARGEST / abs(rows).max(-1, keepdims=True) if self.row_scales else scale)
        if scale is not None and self.short_sums:
            return add_up_short(rows, weights) + bias
        return rows @ weights.T + bias

    @staticmethod
    def normalise(rows, norm):
        centred = rows - rows.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * norm[0] + norm[1]

    def attend(self, qkv):
        heads = self.config["num_attention_heads"]
        q, k, v = (part.reshape(len(qkv), heads, -1).transpose(1, 0, 2) for part in np.split(qkv, 3, -1))
        scores = q @ k.transpose(0, 2, 1)
        shares = np.exp2(scores - scores.max(-1, keepdims=True))
        return (shares / shares.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(qkv), -1)

    def run(self, ids, segments):
        names = ("word_embeddings", ids), ("position_embeddings", np.arange(len(ids))), ("token_type_embeddings", segments)
        x = self.normalise(sum(self.weights[f"bert.embeddings.{name}.weight"][at] for name, at in names), self.norm(-1))
        for i, (qkv, attention, up, down) in enumerate(self.layers):
            x = self.normalise(x + self.multiply(self.attend(self.multiply(x, qkv)), attention), self.of(i, "attention.output.LayerNorm"))
            x = self.normalise(x + self.multiply(gelu(self.multiply(x, up)), down), self.norm(i))
        logits = x @ self.weights["qa_outputs.weight"].T
        return x, logits - logits.mean(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(": ", 1)[1].split(".")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="a SQuAD file, JSON or gzip")
    parser.add_argument("--windows", type=int, default=60)
    options = parser.parse_args()
    weights, config = read_weights(), json.loads((MODEL / "config.json").read_text())
    windows, count = read_windows(options.data, options.windows), config["num_hidden_layers"]
    others = Model(weights, config, inputs={})
    for window in read_windows(options.data, options.windows, between=True):
        others.run(*window)
    exact = [Model(weights, config).run(*window) for window in windows]
    ways = {"as the engine": {}, "scales of single rows": {"row_scales": True}, "sums of 14 bits": {"short_sums": True},
            "weights exact": {"round_weights": False}, "rows exact": {"round_rows": False}, **{f"{name} alone": {"products": (name,)} for name in PRODUCTS},
            **{f"layer {i + 1} alone": {"layers": (i,)} for i in range(count)},
            **{f"from layer {i + 1} on": {"layers": range(i, count)} for i in range(1, count)},
            "mean error in the bias": {"mean_of": others.inputs}, "weights by their inputs": {"by_inputs": others.inputs},
            "that, rows exact": {"by_inputs": others.inputs, "round_rows": False}}
    print(f"{len(windows)} windows, {sum(len(ids) for ids, _ in windows)} tokens\n{'':26}{'hidden states':>14}{'logits':>10}")
    for name, changed in ways.items():
        model = Model(weights, config, **{"products": PRODUCTS, **changed})
        results = [model.run(*window) for window in windows]
        errors = [math.sqrt(sum(((one[k] - other[k]) ** 2).sum() for one, other in zip(results, exact)) /
                            sum((other[k] ** 2).sum() for other in exact)) for k in (0, 1)]
        print(f"{name:26}{errors[0]:14.2%}{errors[1]:10.2%}", flush=True)


if __name__ == "__main__":
    main()
