"""Files of records (docs/record.md), read as any program would: a line of JSON each."""

import base64
import json


class Recording:
    """What a file of `serve --record` holds."""

    def __init__(self, path):
        lines = path.read_text().split("\n")
        assert lines.pop() == "", "the last line is whole"
        self.head, *self.records = [json.loads(line) for line in lines]
        assert self.head["inferd_record"] == 1
        self.end = self.records.pop() if self.records and "end" in self.records[-1] else None

    def by_arrival(self):
        return sorted(self.records, key=lambda record: record["at_ns"])


def data_of(tensor):
    """The bytes of a recorded input."""
    data = base64.b64decode(tensor["b64"], validate=True)
    assert len(data) == tensor["size"]
    return data


def without(record, *members):
    return {name: value for name, value in record.items() if name not in members}


def parameters(record):
    """The model's own, and those with a meaning, which records keep apart."""
    return record.get("parameters", {})
