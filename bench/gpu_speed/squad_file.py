"""SQuAD files, and others like them, that lie as JSON or as gzip."""
import gzip
import json
import random


def read_json(path):
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)


def read_rows(path):
    """(question, its paragraph, its article), as the file has them, of every question in the file's order."""
    return [(question, paragraph, article) for article in read_json(path)["data"] for paragraph in article["paragraphs"]
            for question in paragraph["qas"]]


def read_pairs(path):
    """(question, context) of every question, in the file's order."""
    return [(question["question"], paragraph["context"]) for question, paragraph, _ in read_rows(path)]


def write_rows(rows, to):
    """A file of some of them, each with a paragraph of its own."""
    articles = [{"title": article.get("title", ""), "paragraphs": [{"context": paragraph["context"], "qas": [question]}]}
                for question, paragraph, article in rows]
    to.write_text(json.dumps({"version": "1.1", "data": articles}))


def write_shuffled(path, to):
    """The file's questions in an order of their own, the same every time: as those of strangers come. In the file those of one paragraph
    stand together, and so do the articles of long ones."""
    rows = read_rows(path)
    random.Random(1).shuffle(rows)
    write_rows(rows, to)
