"""The table of cases, tests/CASES.md: each row is the `@case` of one test. `python cases.py` prints the table."""

import ast
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
TABLE = FOLDER.parent / "CASES.md"
PATTERNS = ("clients/test_*.py", "clients/protocol/test_*.py", "perf/test_*.py", "trtis_v1/test_*.py", "abuse/test_*.py")

# What a case's protocol may stand for, where that is more than one of tritonclient's four clients.
CLIENTS = {
    "four clients": ("http", "grpc", "http.aio", "grpc.aio"),
    "HTTP clients": ("http", "http.aio"),
    "gRPC clients": ("grpc", "grpc.aio"),
    "sync clients": ("http", "grpc"),
}
ALL_CLIENTS = CLIENTS["four clients"]

HEAD = """# Cases

What the server must answer, to whom, over which protocol. Each row is one test in `tests/clients`, or in the folder that it names
(values of one parametrisation count once; a row of TRTIS v1 holds over each of the protocols that it names); after every module of tests the server must still be healthy and infer. "Four clients" are those of tritonclient:
`http`, `grpc`, `http.aio`, `grpc.aio`; such a row is a case for each of them. The rows are made from the marks of the tests:
`python tests/clients/cases.py > tests/CASES.md`.

"""


def case(identity, protocol, sent, back, does=None, fails=None):
    """Marks a test as a row of the table. `does` and `fails` name the methods of tritonclient that it shows to answer, or
    to refuse. The text is read from the source; only the clients of a test are kept here."""
    del identity, sent, back, does, fails

    def mark(function):
        function.clients = clients(protocol)
        return function

    return mark


def clients(protocol):
    """Which of tritonclient's clients a case is for; none where it is driven otherwise."""
    return CLIENTS.get(protocol, (protocol,) if protocol in ALL_CLIENTS else ())


def triton_differs(reason, only=None, run=True):
    """Marks a test that the real Triton 2.51 must fail, and why; `only` with some of the clients, named as a protocol of a case.
    `run=False`: the attempt alone would do harm there."""

    def mark(function):
        function.triton_differs = (reason, clients(only), run)
        return function

    return mark


class Row:
    """One test with its marks."""

    def __init__(self, path, function):
        self.function = function.name
        self.module = path.stem
        self.here = path.is_relative_to(FOLDER)
        self.test = f"{path.relative_to(FOLDER if self.here else FOLDER.parent)}::{function.name}"
        self.difference = None
        self.identity = None
        for mark in function.decorator_list:
            name = getattr(getattr(mark, "func", None), "id", "")
            if name == "case":
                self.identity, self.protocol, self.sent, self.back = (ast.literal_eval(text) for text in mark.args)
                more = {keyword.arg: ast.literal_eval(keyword.value) for keyword in mark.keywords}
                self.does, self.fails = more.get("does"), more.get("fails")
            elif name == "triton_differs":
                only = [ast.literal_eval(keyword.value) for keyword in mark.keywords if keyword.arg == "only"]
                self.difference = ast.literal_eval(mark.args[0]) + "".join(f" ({clients} only)" for clients in only)

    @property
    def cells(self):
        return (self.identity, self.protocol, self.sent, self.back, self.test)


def rows():
    """All rows, in the order of files and tests."""
    files = [path for pattern in PATTERNS for path in sorted(FOLDER.parent.glob(pattern))]
    tests = (Row(path, node) for path in files for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef))
    return [row for row in tests if row.identity]


def count(all_rows):
    """Distinct cases: call, client and outcome."""
    return sum(max(1, len(clients(row.protocol))) for row in all_rows)


def methods(all_rows):
    """(client, method) -> the ids of the cases that show it to answer, and of those that show it to refuse."""
    found = {}
    for row in all_rows:
        for client in clients(row.protocol):
            for outcome, named in enumerate((row.does, row.fails)):
                for method in (named or "").split():
                    found.setdefault((client, method), ([], []))[outcome].append(row.identity)
    return found


def table(title, head, lines):
    cell = lambda text: str(text).replace("|", "\\|")
    return (
        f"{title}\n| {' | '.join(head)} |\n|{'---|' * len(head)}\n"
        + "".join("| " + " | ".join(map(cell, line)) + " |\n" for line in lines)
        + "\n"
    )


def method_lines(all_rows):
    """The methods of tritonclient; clients that share their cases share a line."""
    found = methods(all_rows)
    for method in sorted({method for _, method in found}):
        shared = {}
        for client in ALL_CLIENTS:
            if (client, method) in found:
                shared.setdefault(tuple(", ".join(ids) for ids in found[client, method]), []).append(client)
        for (answers, refuses), names in shared.items():
            yield (f"`{method}`", ", ".join(names), answers, refuses)


def document():
    found = rows()
    differences = [(row.identity, row.difference) for row in found if row.difference]
    return (
        HEAD
        + table(
            f"## The cases\n{len(found)} rows, {count(found)} cases.\n",
            ("id", "protocol", "what is sent", "what must come back", "test"),
            (row.cells for row in found),
        )
        + table(
            "## Methods of tritonclient\nWhich cases show that a call of each method is answered, and refused.\n",
            ("method", "clients", "answered", "refused"),
            method_lines(found),
        )
        + table(
            "## Where Triton differs\nThe cases in `tests/clients/protocol` also run against the real Triton 2.51. These it must "
            "fail, on purpose:\n",
            ("case", "why"),
            differences,
        )
    ).rstrip("\n") + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
