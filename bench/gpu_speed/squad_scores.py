"""Exact match and F1 of SQuAD 1.1, of two sets of answers to the same questions beside each other."""
import collections
import math
import re
import string

from squad_file import read_rows

HEADINGS = f"{'EM':>8}{'F1':>8}{'EM - fp32':>18}{'F1 - fp32':>18}{'same answers':>14}"


def read_questions(path):
    return {question["id"]: [answer["text"] for answer in question["answers"]] for question, _, _ in read_rows(path)}


# The rules of SQuAD 1.1's official evaluator, for one question.
def words(text):
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def f1(prediction, answer):
    ours, theirs = words(prediction), words(answer)
    common = sum((collections.Counter(ours) & collections.Counter(theirs)).values())
    return 2 * common / (len(ours) + len(theirs)) if common else 0.0


def score(prediction, answers):
    return (100.0 * max(words(prediction) == words(answer) for answer in answers), 100.0 * max(f1(prediction, a) for a in answers))


def compare(name, predictions, reference, questions, ids):
    ours, theirs = ([score(given.get(one, ""), questions[one]) for one in ids] for given in (predictions, reference))
    row = {"precision": name, "questions": len(ids), "same_answers": sum(predictions.get(one) == reference.get(one) for one in ids)}
    for at, key in enumerate(("exact", "f1")):
        differences = [one[at] - other[at] for one, other in zip(ours, theirs)]
        mean = sum(differences) / len(ids)
        variance = sum((one - mean) ** 2 for one in differences) / max(1, len(ids) - 1)
        row |= {key: sum(one[at] for one in ours) / len(ids), key + "_difference": mean,
                key + "_standard_error": math.sqrt(variance / len(ids))}
    return row


def row_text(row):
    """Under HEADINGS."""
    return f"{row['exact']:8.2f}{row['f1']:8.2f}" + "".join(
        f"{row[key + '_difference']:+10.3f} +-{row[key + '_standard_error']:5.3f}" for key in ("exact", "f1")) + (
        f"{row['same_answers'] / row['questions']:14.2%}")
