"""squad_reference.py: what the tests compare with: run_squad's processing and the official scoring, written anew in Python.

Kept as plain as possible: lists and dictionaries, no shortcuts, so that it can be read against the papers and the
definitions in docs.
"""
import collections
import math
import re
import string

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

CLS, SEP = 101, 102

Window = collections.namedtuple("Window", "id begin ids segments max_context context_at spans")


def tokenizer(vocab):
    made = Tokenizer(WordPiece.from_file(str(vocab), unk_token="[UNK]", max_input_chars_per_word=100))
    made.normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True)
    made.pre_tokenizer = BertPreTokenizer()
    return made


def questions(dataset):
    for article in dataset["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                yield paragraph["context"], question


def window_ranges(count, room, stride):
    """(begin, length) of each window over `count` tokens: begins at 0, stride, 2 * stride, until one reaches the end."""
    ranges, begin = [], 0
    while True:
        length = min(room, count - begin)
        ranges.append((begin, length))
        if begin + length >= count:
            return ranges
        begin += min(length, stride)


def shown_best(ranges, token):
    """The window in which a token has the most context: the smaller side counts, then the window's length a little."""
    best, best_score = None, None
    for index, (begin, length) in enumerate(ranges):
        if begin <= token < begin + length:
            score = min(token - begin, begin + length - 1 - token) + 0.01 * length
            if best_score is None or score > best_score:
                best, best_score = index, score
    return best


def windows(dataset, encode, length, stride, query_length):
    """All windows of a data set, in order."""
    contexts = {}
    for context, question in questions(dataset):
        if context not in contexts:
            contexts[context] = encode(context)
        tokens = contexts[context]
        query = encode(question["question"]).ids[:query_length]
        ranges = window_ranges(len(tokens.ids), length - len(query) - 3, stride)
        best = [shown_best(ranges, token) for token in range(len(tokens.ids))]
        for index, (begin, count) in enumerate(ranges):
            span = slice(begin, begin + count)
            yield Window(question["id"], begin, [CLS, *query, SEP, *tokens.ids[span], SEP],
                         [0] * (len(query) + 2) + [1] * (count + 1), [b == index for b in best[span]], len(query) + 2,
                         tokens.offsets[span])


def top(logits, n):
    return sorted(range(len(logits)), key=lambda i: (-logits[i], i))[:n]


def answer(context, group, logits, n_best, max_length, null, threshold):
    """(prediction, entries, null odds) of one question; group: its windows, logits: (start, end) of each."""
    found = []  # (score, start logit, end logit, text)
    null_entry = None
    for window, (start, end) in zip(group, logits):
        score = start[0] + end[0]
        if null_entry is None or score < null_entry[0]:
            null_entry = (score, start[0], end[0], "")
        count = len(window.spans)
        for s in top(start, n_best):
            for e in top(end, n_best):
                first, last = s - window.context_at, e - window.context_at
                if not (0 <= first < count and 0 <= last < count) or not window.max_context[first]:
                    continue
                if last < first or last - first + 1 > max_length:
                    continue
                text = context[window.spans[first][0]:window.spans[last][1]]
                found.append((start[s] + end[e], start[s], end[e], text))
    if null:
        found.append(null_entry)
    entries, seen = [], set()
    for candidate in sorted(found, key=lambda c: -c[0]):
        if len(entries) == n_best:
            break
        if candidate[3] not in seen:
            seen.add(candidate[3])
            entries.append(candidate)
    if null and "" not in seen:
        entries.append(null_entry)
    if not entries:
        entries.append(null_entry)
    best = next((c for c in entries if c[3]), None)
    prediction, odds = best[3] if best else "", 0
    if null:
        odds = null_entry[0] - (best[1] if best else 0) - (best[2] if best else 0)
        if odds > threshold:
            prediction = ""
    return prediction, entries, odds


def softmax(scores):
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def normalize(text):
    kept = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(?:a|an|the)\b", " ", kept).split())


def f1(prediction, reference, version_2):
    left, right = normalize(prediction).split(), normalize(reference).split()
    if version_2 and not (left and right):
        return float(left == right)
    common = sum((collections.Counter(left) & collections.Counter(right)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(left), common / len(right)
    return 2 * precision * recall / (precision + recall)


def best_threshold(scores, has_answer, predictions, odds):
    """Begin with "no answer" everywhere; let predictions in by rising odds (ties: order of the file)."""
    current = best = sum(not has for has in has_answer.values())
    threshold = 0.0
    for id in sorted((id for id in odds if id in scores), key=odds.get):
        current += scores[id] if has_answer[id] else -bool(predictions[id])
        if current > best:
            best, threshold = current, odds[id]
    return 100 * best / len(scores), threshold


def evaluate(dataset, predictions, version_2, odds=None, threshold=1.0):
    """The figures that the official scripts print, by their names."""
    exact, f1s, has_answer = {}, {}, {}
    for _, question in questions(dataset):
        id, references = question["id"], [a["text"] for a in question["answers"]]
        has_answer[id] = bool(references)
        if version_2:
            references = [r for r in references if normalize(r)] or [""]
        prediction = predictions[id]
        exact[id] = max(float(normalize(prediction) == normalize(r)) for r in references)
        f1s[id] = max(f1(prediction, r, version_2) for r in references)
    final = [dict(exact), dict(f1s)]
    if version_2 and odds:
        for scores in final:
            scores.update({id: float(not has_answer[id]) for id in scores if odds[id] > threshold})
    out = {}
    groups = [("", list(exact))]
    if version_2:
        groups += [("HasAns_", [i for i in exact if has_answer[i]]), ("NoAns_", [i for i in exact if not has_answer[i]])]
    for prefix, ids in groups:
        for name, scores in zip(("exact", "f1"), final):
            out[prefix + name] = 100 * math.fsum(scores[i] for i in ids) / len(ids) if ids else 0.0
        out[prefix + "total"] = len(ids)
    if version_2 and odds:
        out["best_exact"], out["best_exact_thresh"] = best_threshold(exact, has_answer, predictions, odds)
        out["best_f1"], out["best_f1_thresh"] = best_threshold(f1s, has_answer, predictions, odds)
    return out
