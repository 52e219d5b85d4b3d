"""tests/CASES.md is what the tests' marks say, has enough rows, and misses no method of tritonclient."""

import importlib
import inspect
import sys

import cases
import pytest

# Methods that no server can refuse, since they talk to none, or only end things.
NEVER_REFUSED = {"close", "plugin", "register_plugin", "unregister_plugin", "generate_request_body", "parse_response_body", "stop_stream"}
# Methods that this server always refuses: it has no GPU support.
NEVER_ANSWERED = {"register_cuda_shared_memory"}


def methods(client):
    module = importlib.import_module(f"tritonclient.{client}")
    members = inspect.getmembers(module.InferenceServerClient, inspect.isfunction)
    return [name for name, _ in members if not name.startswith("_")]


def test_table_is_up_to_date():
    assert cases.TABLE.read_text() == cases.document(), "run: python tests/clients/cases.py > tests/CASES.md"


def test_every_row_has_its_test():
    sys.path.insert(0, str(cases.FOLDER / "protocol"))
    for row in cases.rows():  # other folders have a Python environment of their own
        assert not row.here or callable(getattr(importlib.import_module(row.module), row.function)), row.identity


def test_the_client_of_2020_has_many_cases():
    assert sum(len(row.protocol.split(",")) for row in cases.rows() if row.test.startswith("trtis_v1/")) >= 80


def test_rows_are_distinct_and_many():
    rows = cases.rows()
    assert len({row.identity for row in rows}) == len(rows)
    assert len({row.test for row in rows}) == len(rows)
    assert cases.count(rows) >= 250


@pytest.mark.parametrize("client", cases.ALL_CLIENTS)
def test_every_method_has_its_cases(client):
    covered = cases.methods(cases.rows())
    for method in methods(client):
        answered, refused = covered.get((client, method), ([], []))
        assert answered or method in NEVER_ANSWERED, f"no case shows that {method} of {client} is answered"
        assert refused or method in NEVER_REFUSED, f"no case shows that {method} of {client} is refused"


@pytest.mark.parametrize("client", cases.ALL_CLIENTS)
def test_every_named_method_exists(client):
    named = {method for name, method in cases.methods(cases.rows()) if name == client}
    assert named <= set(methods(client))
