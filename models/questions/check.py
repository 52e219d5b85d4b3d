#!/usr/bin/env python3
"""Check questions-v2.0.json and questions-v1.1.json.

Usage: python3 check.py [folder]      (default: the folder of this script)

Prints a summary. The exit status is 1 if anything is wrong, else 0.
Offsets count Unicode code points, which is how Python indexes a str.
"""
import json
import os
import sys

MIN_PASSAGES = 42
MIN_QUESTIONS = 250
IMPOSSIBLE = range(83, 91)      # number of unanswerable questions
SHORT = range(100, 251)         # words in a short passage
LONG = range(320, 501)          # words in a long passage
MIN_LONG = 7

failures = []


def require(ok, message):
    if not ok:
        failures.append(message)


def load(folder, name, version):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        doc = json.load(f)
    require(doc.get("version") == version, f"{name}: version is not {version}")
    return doc["data"]


def check_span(qid, context, answer):
    text, start = answer["text"], answer["answer_start"]
    require(text and text == text.strip(), f"{qid}: empty or padded answer")
    require(type(start) is int and start >= 0
            and context[start:start + len(text)] == text,
            f"{qid}: {text!r} is not at {start}")


def check_question(qa, context):
    qid, answers = qa["id"], qa["answers"]
    require(qa["question"].strip().endswith("?"), f"{qid}: not a question")
    if qa["is_impossible"]:
        require(answers == [], f"{qid}: unanswerable, but has answers")
    else:
        require(1 <= len(answers) <= 3, f"{qid}: {len(answers)} answers")
        require("plausible_answers" not in qa, f"{qid}: plausible answers")
    texts = [a["text"] for a in answers]
    require(len(set(texts)) == len(texts), f"{qid}: repeated answer")
    for answer in answers + qa.get("plausible_answers", []):
        check_span(qid, context, answer)


def answerable_part(data):
    """What the 1.1 file has to contain, made from the 2.0 data."""
    return [{"title": article["title"],
             "paragraphs": [{"context": p["context"],
                             "qas": [{k: qa[k] for k in ("id", "question", "answers")}
                                     for qa in p["qas"] if not qa["is_impossible"]]}
                            for p in article["paragraphs"]]}
            for article in data]


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    v2 = load(folder, "questions-v2.0.json", "v2.0")
    v1 = load(folder, "questions-v1.1.json", "1.1")

    paragraphs = [p for article in v2 for p in article["paragraphs"]]
    questions = [qa for p in paragraphs for qa in p["qas"]]
    for p in paragraphs:
        for qa in p["qas"]:
            check_question(qa, p["context"])

    ids = [qa["id"] for qa in questions]
    require(len(set(ids)) == len(ids), "ids are not unique")
    contexts = [p["context"] for p in paragraphs]
    require(len(set(contexts)) == len(contexts), "a passage occurs twice")

    words = [len(c.split()) for c in contexts]
    for context, n in zip(contexts, words):
        require(n in SHORT or n in LONG, f"{n} words: {context[:40]!r}")
    long_passages = sum(n in LONG for n in words)
    impossible = sum(qa["is_impossible"] for qa in questions)
    require(len(paragraphs) >= MIN_PASSAGES, "too few passages")
    require(long_passages >= MIN_LONG, "too few long passages")
    require(len(questions) >= MIN_QUESTIONS, "too few questions")
    require(impossible in IMPOSSIBLE, "wrong number of unanswerable questions")

    require(v1 == answerable_part(v2), "1.1 is not the answerable part of 2.0")

    references = sum(len(qa["answers"]) for qa in questions)
    print(f"articles      {len(v2)}")
    print(f"passages      {len(paragraphs)} ({long_passages} long)")
    print(f"words         {sum(words)} ({min(words)} to {max(words)} a passage)")
    print(f"questions     {len(questions)}")
    print(f"  answerable  {len(questions) - impossible} ({references} reference answers)")
    print(f"  impossible  {impossible}")
    for message in failures:
        print("FAIL:", message)
    print("failed" if failures else "ok")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, KeyError, TypeError) as e:
        print(f"FAIL: {type(e).__name__}: {e}")
        sys.exit(1)
