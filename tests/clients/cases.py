"""The table of cases, tests/CASES.md: each row is the `@case` of one test. `python cases.py` prints the table."""

import ast
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
TABLE = FOLDER.parent / "CASES.md"
HEAD = """# Cases

What the server must answer when something is wrong or unusual, over both protocols. Each row is one test in `tests/clients`
(values of one parametrisation count once); after every module of tests the server must still be healthy and infer. The rows
are made from the `@case` marks of the tests: `python tests/clients/cases.py > tests/CASES.md`.

| id | protocol | what is sent | what must come back | test |
|---|---|---|---|---|
"""


def case(identity, protocol, sent, back):
    """Marks a test as a row of the table. The text is read from the source, so nothing needs to be kept here."""
    del identity, protocol, sent, back
    return lambda function: function


def rows():
    """All rows: (id, protocol, sent, back, test), in the order of files and tests."""
    found = []
    for path in sorted(FOLDER.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "case":
                    texts = [ast.literal_eval(argument) for argument in mark.args]
                    found.append((*texts, f"{path.name}::{node.name}"))
    return found


def table():
    return HEAD + "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows())


if __name__ == "__main__":
    sys.stdout.write(table())
