"""tests/CASES.md is what the tests' marks say, and has enough rows."""

import importlib
import sys

import cases


def test_table_is_up_to_date():
    assert cases.TABLE.read_text() == cases.document(), "run: python tests/clients/cases.py > tests/CASES.md"


def test_every_row_has_its_test():
    sys.path.append(str(cases.FOLDER / "protocol"))
    for row in cases.rows():
        assert callable(getattr(importlib.import_module(row.module), row.function)), row.identity


def test_rows_are_distinct_and_many():
    rows = cases.rows()
    assert len({row.identity for row in rows}) == len(rows)
    assert len({row.test for row in rows}) == len(rows)
    assert cases.count(rows) >= 250
