"""SQuAD windows, answers and scores against the plain Python of squad_reference.py."""
import gzip
import itertools
import json
import random
import string
import unicodedata

import numpy
import pytest
import squad_reference as reference
from oracle import VOCAB, pack, run, shared

RECIPE = (384, 128, 64)
ENCODE = reference.tokenizer(VOCAB)
WORDS = ("the a an The A cat dog caf\u00e9 \u00c9cole 1,000 U.S. well-known \u201cquoted\u201d river Normandy 7\u00bd Stra\u00dfe "
         "\u4e2d\u6587 \U0001f600 \u039f\u0394\u039f\u03a3 na\u00efve an. (the) \u0130stanbul").split()


def encode(text):
    return ENCODE.encode(text, add_special_tokens=False)


def made_dataset(rng, version_2, articles=3):
    """Prose of random words, with long and short paragraphs, an empty one, and repeated phrases."""
    numbers = itertools.count()

    def question(context):
        words = context.split() or ["nothing"]
        answers = []
        for _ in range(rng.randrange(0 if version_2 else 1, 4)):
            at = rng.randrange(len(words))
            answers.append({"text": " ".join(words[at:at + rng.randrange(1, 5)]), "answer_start": 0})
        made = {"id": f"q{next(numbers)}", "question": " ".join(rng.choices(WORDS, k=rng.randrange(0, 30))), "answers": answers}
        if version_2:
            made["is_impossible"] = not answers
        return made

    def paragraph():
        context = rng.choice(["  ", "\n", " "]).join(rng.choices(WORDS, k=rng.choice([0, 1, 20, 150, 400])))
        return {"context": context, "qas": [question(context) for _ in range(rng.randrange(4))]}

    data = [{"title": f"t{i}", "paragraphs": [paragraph() for _ in range(5)]} for i in range(articles)]
    return {"version": "v2.0" if version_2 else "1.1", "data": data}


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def assert_windows_equal(path, dataset, length, stride, query):
    lines = run("text_squad", "windows", path, length, stride, query).decode().split("\n")[:-1]
    count = 0
    for window, line in itertools.zip_longest(reference.windows(dataset, encode, length, stride, query), lines):
        want = [window.id, str(window.begin), " ".join(map(str, window.ids)), "".join(map(str, window.segments)),
                "".join("01"[m] for m in window.max_context)]
        assert line.split("\t") == want
        count += 1
    return count


@pytest.mark.parametrize("name, windows, tokens", [("heldout-v1.1", 1945, 331269), ("dev-v1.1", 10833, None)])
def test_windows_of_squad(name, windows, tokens):
    path = shared(f"data/squad/{name}.json.gz")
    assert assert_windows_equal(path, json.loads(gzip.decompress(path.read_bytes())), *RECIPE) == windows
    lines = run("text_squad", "windows", path, *RECIPE).decode().split("\n")[:-1]
    assert tokens in (None, sum(len(line.split("\t")[3]) for line in lines))


@pytest.mark.parametrize("length, stride, query", [(384, 128, 64), (384, 300, 64), (64, 16, 20), (64, 1, 8), (40, 1000, 10),
                                                   (12, 5, 8)])
def test_windows_of_made_data(tmp_path, length, stride, query):
    dataset = made_dataset(random.Random(length), False)
    assert assert_windows_equal(write(tmp_path / "d.json", dataset), dataset, length, stride, query) > 10


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("null", [False, True])
def test_answers(tmp_path, null, seed):
    rng = random.Random(seed)
    length, stride, query = rng.choice([(384, 128, 64), (64, 16, 20), (48, 7, 9)])
    n_best, max_length, threshold = rng.choice([(20, 30, 0.0), (5, 3, 1.5), (1, 10, -2.0)])
    dataset = made_dataset(rng, null)
    path = write(tmp_path / "d.json", dataset)
    made = list(reference.windows(dataset, encode, length, stride, query))
    noise = numpy.random.default_rng(seed)
    # Coarse steps make ties, which must fall alike.
    logits = [tuple((noise.integers(-8, 9, len(w.ids)) / 4).astype("<f4") for _ in range(2)) for w in made]
    stdin = b"".join(start.tobytes() + end.tobytes() for start, end in logits)
    printed = run("text_squad", "answer", path, length, stride, query, n_best, max_length, "null" if null else "span",
                  threshold, tmp_path, stdin=stdin).decode()
    predictions, nbest, odds = (json.loads((tmp_path / name).read_text())
                                for name in ("predictions.json", "nbest_predictions.json", "null_odds.json"))
    at, wanted, wanted_odds = 0, {}, {}
    for context, question in reference.questions(dataset):
        group = [w for w in made if w.id == question["id"]]
        pairs = [tuple(map(lambda a: a.astype(float).tolist(), p)) for p in logits[at:at + len(group)]]
        at += len(group)
        prediction, entries, null_odds = reference.answer(context, group, pairs, n_best, max_length, null, threshold)
        wanted[question["id"]] = prediction
        wanted_odds[question["id"]] = null_odds
        got = nbest[question["id"]]
        assert [(e["text"], e["start_logit"], e["end_logit"]) for e in got] == [(e[3], e[1], e[2]) for e in entries]
        assert [e["probability"] for e in got] == pytest.approx(reference.softmax([e[0] for e in entries]), rel=1e-9)
    assert predictions == wanted
    assert list(predictions) == list(wanted)
    assert odds == (wanted_odds if null else {})
    figures = reference.evaluate(dataset, wanted, null, wanted_odds if null else None, float("inf"))
    assert_figures(printed, figures)


def assert_figures(printed, wanted):
    got = dict(line.split() for line in printed.splitlines())
    for name, value in wanted.items():
        assert float(got[name]) == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("version_2", [False, True])
def test_scores(tmp_path, version_2, seed):
    rng = random.Random(seed)
    dataset = made_dataset(rng, version_2, articles=12)
    predictions, odds = {}, {}
    asked = [q for _, q in reference.questions(dataset)]
    rng.shuffle(asked)
    for question in asked:
        options = [a["text"] for a in question["answers"]] + ["", " ".join(rng.choices(WORDS, k=3)), "the", "!"]
        predictions[question["id"]] = rng.choice(options)
        odds[question["id"]] = rng.randrange(-6, 7) / 2  # ties on purpose
    paths = [write(tmp_path / "d.json", dataset), write(tmp_path / "p.json", predictions), write(tmp_path / "o.json", odds)]
    rules, threshold = ("2", 1.0) if version_2 else ("1", 1.0)
    printed = run("text_squad", "evaluate", paths[0], rules, threshold, paths[1], *([paths[2]] if version_2 else [])).decode()
    wanted = reference.evaluate(dataset, predictions, version_2, odds if version_2 else None, threshold)
    assert wanted["total"] == len(asked) > 50
    assert_figures(printed, wanted)


def assert_normalized(texts):
    got = run("text_squad", "normalize", stdin=pack(texts)).decode().split("\n")[:-1]
    different = [(t, reference.normalize(t), g) for t, g in zip(texts, got) if reference.normalize(t) != g]
    assert len(got) == len(texts)
    assert not different, f"{len(different)} differ, such as {different[:5]}"


def known(cp):
    """The tables are those of Unicode 14 (Python 3.11): characters that have existed for long are the same elsewhere."""
    if 0xD800 <= cp <= 0xDFFF:
        return False
    return unicodedata.unidata_version == "14.0.0" or unicodedata.ucd_3_2_0.category(chr(cp)) != "Cn"


def test_normalizing_every_code_point():
    for pattern in ("{}", "a{}the", "x {} an", "A\u03a3{}", "A{}\u03a3", "{}\u03a3b"):
        assert_normalized([pattern.format(chr(cp)) for cp in range(0x110000) if known(cp)])


def test_normalizing_random_text():
    rng = random.Random(3)
    pools = [string.printable, "a an the A THE aN _'.- \t", "\u03a3\u03c3\u0391\u0301\u00ad.\u2019 the", "\u0130I\u0307i\u0131 a"]
    texts = ["".join(rng.choice(rng.choice(pools)) for _ in range(rng.randrange(40))) for _ in range(40000)]
    assert_normalized(texts)
