"""Servers that trace, and what their files and metrics tell."""

import json

import models
from prometheus_client.parser import text_string_to_metric_families
from serving import wait_until
from wire import get, infer_input, post_infer, request

GOOD = {"inputs": [infer_input([1, 2])]}


def starter(start, repository):
    """Gives what starts a server with a few models; its arguments are --trace-config's."""
    models.add(repository, "m", models.BATCHED + models.pair("INT32", "-1"))
    models.add(repository, "n", models.BATCHED + models.pair("INT32", "-1"))
    models.add(repository, "bad", models.BATCHED + models.pair("INT32", "-1") + models.parameter("fail_executions", "every_n:1"))

    def begin(*settings, wait=True):
        return start(repository, *[f"--trace-config={setting}" for setting in settings], wait=wait)

    return begin


def infer(server, model="m", identity=None, headers=None, status=200):
    body = {**GOOD, "id": identity} if identity is not None else GOOD
    answer = post_infer(server.http, model, body, headers)
    assert answer.status == status, answer.body


def settings(server, model=None):
    answer = get(server.http, f"/v2/models/{model}/trace/setting" if model else "/v2/trace/setting")
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    return answer.json


def change(server, body, model=None):
    where = f"/v2/models/{model}/trace/setting" if model else "/v2/trace/setting"
    return request(server.http, "POST", where, body if isinstance(body, bytes) else json.dumps(body))


def records(path):
    """What the file holds between two appends; a moment in the middle of one is passed over."""
    found = []

    def read():
        try:
            found[:] = [json.loads(path.read_text())]
        except (ValueError, FileNotFoundError):
            return False
        return True

    wait_until(read)
    return found[0]


class Traces:
    """The traces of a file, by id."""

    def __init__(self, path):
        self.heads, self.stamps, self.tensors = {}, {}, {}
        for record in records(path):
            if "model_name" in record:
                self.heads[record["id"]] = record
            for stamp in record.get("timestamps", []):
                self.stamps.setdefault(record["id"], []).append((stamp["name"], stamp["ns"]))
            if "activity" in record:
                self.tensors.setdefault(record["id"], []).append((record["activity"], record["tensor"]))

    def points(self, identity):
        return [name for name, _ in self.stamps[identity]]


def wait_for_traces(path, count):
    """Waits until the file holds so many traces."""
    wait_until(lambda: len(Traces(path).heads) >= count)
    return Traces(path)


def trace_metric(server, outcome):
    text = get(server.metrics, "/metrics").body.decode()
    (family,) = [f for f in text_string_to_metric_families(text) if f.name == "inferd_traces"]
    (sample,) = [s for s in family.samples if s.labels == {"outcome": outcome}]
    return sample.value
