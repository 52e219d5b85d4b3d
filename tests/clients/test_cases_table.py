"""tests/CASES.md is what the tests' marks say, and has enough rows."""

import importlib

import cases


def test_table_is_up_to_date():
    assert cases.TABLE.read_text() == cases.table(), "run: python tests/clients/cases.py > tests/CASES.md"


def test_every_row_has_its_test():
    for identity, *_, test in cases.rows():
        file_name, function = test.split("::")
        module = importlib.import_module(file_name.removesuffix(".py"))
        assert callable(getattr(module, function)), identity


def test_rows_are_distinct_and_many():
    rows = cases.rows()
    assert len({row[0] for row in rows}) == len(rows)
    assert len({row[-1] for row in rows}) == len(rows)
    assert len(rows) >= 100
