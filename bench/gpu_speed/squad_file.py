"""SQuAD files, and others like them, that lie as JSON or as gzip."""
import gzip
import json


def read_json(path):
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)


def read_pairs(path):
    """(question, context) of every question, in the file's order."""
    return [(question["question"], paragraph["context"]) for article in read_json(path)["data"] for paragraph in article["paragraphs"]
            for question in paragraph["qas"]]
