#!/usr/bin/env python3
"""squad_lengths.py SQUAD_FILE > squad_lengths.txt: how many tokens each window of a SQuAD file has, as `inferd squad` cuts
them (docs/squad.md): 384 tokens at most, stride 128, questions of up to 64. They are shuffled, as the questions of strangers would be: in
the file those of one paragraph stand together. Tokens are counted by our own tokenizer (build/tokenizer_speed, uncased, the compiled-in
vocabulary).
"""
import pathlib
import random
import statistics
import struct
import subprocess
import sys
import tempfile

from squad_file import read_pairs

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONGEST, STRIDE, QUESTION, SPECIAL = 384, 128, 64, 3


def token_counts(texts):
    with tempfile.NamedTemporaryFile() as packed:
        for text in texts:
            packed.write(struct.pack("<I", len(text.encode())) + text.encode())
        packed.flush()
        asked = "".join(f"ids {i}\n" for i in range(len(texts)))
        done = subprocess.run([ROOT / "build/tokenizer_speed", packed.name], input=asked, capture_output=True, text=True, check=True)
    return [len(line.split()) for line in done.stdout.splitlines()]


def windows(question, context):
    question = min(question, QUESTION)
    room = LONGEST - question - SPECIAL
    begin = 0
    while True:
        count = min(context - begin, room)
        yield question + count + SPECIAL
        if begin + count == context:
            return
        begin += min(STRIDE, room)


def main():
    pairs = read_pairs(pathlib.Path(sys.argv[1]))
    counts = dict(zip(texts := sorted({text for pair in pairs for text in pair}), token_counts(texts)))
    lengths = [length for question, context in pairs for length in windows(counts[question], counts[context])]
    random.Random(1).shuffle(lengths)
    print(f"# Tokens of the windows of {len(pairs)} questions of SQuAD 1.1's development set (384 tokens, stride 128, questions of up to 64),\n"
          f"# shuffled: {len(lengths)} windows, mean {statistics.mean(lengths):.1f}. Made by squad_lengths.py.")
    print("\n".join(map(str, lengths)))


main()
