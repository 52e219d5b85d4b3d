"""tests/CASES.md is what the tests' marks say, and has enough rows."""

import importlib
import sys

import cases


def test_table_is_up_to_date():
    assert cases.TABLE.read_text() == cases.document(), "run: python tests/clients/cases.py > tests/CASES.md"


def test_every_row_has_its_test():
    sys.path.append(str(cases.FOLDER / "protocol"))
    for row in cases.rows():  # other folders have a Python environment of their own
        assert not row.here or callable(getattr(importlib.import_module(row.module), row.function)), row.identity


def test_the_client_of_2020_has_many_cases():
    assert sum(len(row.protocol.split(",")) for row in cases.rows() if row.test.startswith("trtis_v1/")) >= 80


def test_rows_are_distinct_and_many():
    rows = cases.rows()
    assert len({row.identity for row in rows}) == len(rows)
    assert len({row.test for row in rows}) == len(rows)
    assert cases.count(rows) >= 250
