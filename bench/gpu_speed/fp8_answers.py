#!/usr/bin/env python3
"""bench/gpu_speed/fp8_answers.py --data FILE: what fp8 costs in answers, computed on a CPU: exact match and F1 of the embedded model over a
SQuAD file, with the operands of its products rounded as fp8_error.py has it, beside the same model in float32; with all layers in fp8, and
with the first ones left alone, as the engine's bf16_layers leaves them (in float32 here, not in bf16). A minute or more for each thousand
questions. Needs what fp8_error.py does."""
import argparse
import json
import pathlib

import numpy as np
from fp8_error import LONGEST, MODEL, PRODUCTS, Model, read_weights
from gpu_server import name_of
from squad_file import read_rows
from squad_scores import HEADINGS, compare, read_questions, row_text
from tokenizers import BertWordPieceTokenizer

STRIDE, QUERY_LONGEST, ANSWER_LONGEST, TRIED = 128, 64, 30, 20  # tokens; the recipe's settings, which `inferd squad` has too


def read_windows(path):
    """Of every question all windows of its context: (id, tokens, segments, offsets, context)."""
    tokenizer = BertWordPieceTokenizer(str(MODEL / "vocab.txt"), lowercase=True)
    for question, paragraph, _ in read_rows(path):
        tokenizer.no_truncation()
        room = LONGEST - 3 - min(QUERY_LONGEST, len(tokenizer.encode(question["question"], add_special_tokens=False).ids))
        tokenizer.enable_truncation(LONGEST, stride=room - STRIDE, strategy="only_second")
        first = tokenizer.encode(question["question"], paragraph["context"])
        for one in (first, *first.overflowing):
            yield question["id"], np.array(one.ids), np.array(one.type_ids), one.offsets, paragraph["context"]


def best_span(starts, ends, segments):
    """The pair of the largest sum, and that sum, or None; the last token is a separator."""
    tried = [[i for i in np.argsort(-logits)[:TRIED] if segments[i] and i + 1 < len(segments)] for logits in (starts, ends)]
    spans = [(starts[i] + ends[k], i, k) for i in tried[0] for k in tried[1] if i <= k < i + ANSWER_LONGEST]
    return max(spans, default=None)


def answer(model, windows):
    best, weights = {}, model.weights
    for question, ids, segments, offsets, context in windows:
        rows, _ = model.run(ids, segments)
        starts, ends = (rows @ weights["qa_outputs.weight"].T + weights["qa_outputs.bias"]).T
        span = best_span(starts, ends, segments)
        if span and (question not in best or span[0] > best[question][0]):
            best[question] = span[0], context[offsets[span[1]][0] : offsets[span[2]][1]]
    return {question: text for question, (_, text) in best.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(": ", 1)[1].split(";")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="a SQuAD file, JSON or gzip")
    parser.add_argument("--bf16-layers", type=int, nargs="+", default=[0, 3], help="one table row for each")
    options = parser.parse_args()
    weights, config = read_weights(), json.loads((MODEL / "config.json").read_text())
    if not all(0 <= first < config["num_hidden_layers"] for first in options.bf16_layers):
        parser.error(f"--bf16-layers: the model has {config['num_hidden_layers']} layers, of which one at least is in fp8")
    questions, windows = read_questions(options.data), list(read_windows(options.data))
    reference = answer(Model(weights, config), windows)

    def tell(name, answers):
        print(f"{name:22}{row_text(compare(name, answers, reference, questions, list(questions)))}", flush=True)

    print(f"{len(questions)} questions, {len(windows)} windows\n{'':22}{HEADINGS}")
    tell("fp32", reference)
    for first in options.bf16_layers:
        model = Model(weights, config, products=PRODUCTS, layers=range(first, config["num_hidden_layers"]))
        tell(name_of("fp8", first), answer(model, windows))


main()
