"""inferd figures --report: the recipe's sections, the numbers in them, and the page in a browser."""

import html
import re

import pytest
from browser import needs_browser, open_page
from pictures import DATA, PARTS, run, write_csv

HEADER = ["Concurrency", "Inferences/Second", *PARTS, "p50 latency", "p90 latency", "p95 latency", "p99 latency"]
LIST_HEADER = ["file", "label", "sweep", "model", "max_seq_length", "precision", "max_batch_size", "batch_size", "delay_ms", "instances",
               "protocol"]


def row(load, throughput, queue_us, infer_us):
    """A point whose p99 is twice its average."""
    average = 100 + queue_us + infer_us
    return dict(zip(HEADER, [load, throughput, 10, 60, queue_us, 5, infer_us, 15, 10, average, average, average, 2 * average]))


def make_list(tmp_path, runs):
    """runs: (sweep, label, server batch, client batch, delay, instances, rows)"""
    entries = []
    for i, (sweep, label, server_batch, batch, delay, instances, rows) in enumerate(runs):
        write_csv(tmp_path / f"run-{i}.csv", rows, HEADER)
        entries.append(dict(zip(LIST_HEADER, [f"run-{i}.csv", label, sweep, "BERT base", 128, "fp32", server_batch, batch, delay, instances, "gRPC"])))
    return write_csv(tmp_path / "runs.csv", entries, LIST_HEADER)


RECIPE = [
    ("static", "static batch 1", 1, 1, 0, 1, [row(8, 100, 60000, 8000), row(64, 120, 500000, 8400)]),
    ("static", "static batch 8", 8, 8, 0, 1, [row(1, 400, 0, 14000), row(8, 517, 100000, 15500)]),
    ("dynamic", "delay 10 ms", 8, 1, 10, 1, [row(1, 50, 10000, 9000), row(2, 90, 10500, 9000), row(8, 480, 900, 15000), row(9, 470, 3000, 15000)]),
    ("dynamic", "no dynamic batching", 8, 1, 0, 1, [row(1, 110, 0, 8400), row(8, 119, 60000, 8400)]),
    ("instances", "4 instances", 1, 1, 0, 4, [row(4, 117, 10, 33000)]),
    ("instances", "1 instance", 1, 1, 0, 1, [row(1, 110, 0, 8400), row(4, 119, 25000, 8400)]),
]


def write_report(tmp_path, *arguments, runs=RECIPE):
    environment = tmp_path / "environment.csv"
    environment.write_text('name,value\nmachine,"V100, <1> & ""one"""\nkernel,6.1\n')
    run("--runs", make_list(tmp_path, runs), "--environment", environment, "--output-dir", tmp_path / "out", "--report",
        "--png", "never", *arguments)
    return (tmp_path / "out/report.html").read_text()


def sections(page):
    return {name: body for name, body in re.findall(r'<section id="([\w-]+)">(.*?)</section>', page, re.S)}


def text_of(fragment):
    return html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", "", fragment, flags=re.S)))


def rows_of(fragment):
    return [[html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line)]
            for line in re.findall(r"<tr>(.*?)</tr>", fragment)]


def test_the_recipes_sections(tmp_path):
    found = sections(write_report(tmp_path, "--latency-limit", "50"))
    assert list(found) == ["recommendation", "batch-size", "batching", "instances", "summary", "tables", "environment"]
    for name in ("batch-size", "batching", "instances"):
        assert found[name].count("<svg") == 2
    assert found["summary"].count("<svg") == 3


def test_batch_sizes_are_compared_at_equal_outstanding_questions(tmp_path):
    body = sections(write_report(tmp_path))["batch-size"]
    table = rows_of(body)
    assert table[1:] == [
        ["8", "1", "8", "100", "68.1", "8.02", "1.00", "1.00"], ["8", "8", "1", "400", "14.1", "14.0", "4.00", "1.75"],
        ["64", "1", "64", "120", "508", "8.42", "1.00", "1.00"], ["64", "8", "8", "517", "116", "15.5", "4.31", "1.84"],
    ]
    assert "is 120 inferences/s with a client batch of 1 and 517 with 8" in text_of(body)


def test_dynamic_is_compared_with_static_batching(tmp_path):
    body = sections(write_report(tmp_path))["batching"]
    assert '"delay 10 ms" reaches 480 inferences/s at concurrency 8, 92.8 % of the 517 that static batches of 8' in text_of(body)
    assert rows_of(body)[1] == ["delay 10 ms", "480", "8", "16.0", "8"]
    assert rows_of(body)[2][-1] == "none"


def test_the_base_without_batching_is_no_batching_technique(tmp_path):
    fast = [("dynamic", "no dynamic batching", 8, 1, 0, 1, [row(1, 9000, 0, 84)]), *RECIPE]
    assert '"delay 10 ms" reaches 480' in text_of(sections(write_report(tmp_path, runs=fast))["batching"])


def test_instances_are_compared(tmp_path):
    assert "is 119 inferences/s with 1 and 117 with 4, 0.983 times" in text_of(sections(write_report(tmp_path))["instances"])


@pytest.mark.parametrize("limit, of, expected", [
    ("50", "p99", ["single questions: delay 10 ms (BERT base, 128 tokens, fp32, server batches to 8, dynamic batching delay 10 ms, "
                   "1 instance, client batch 1, gRPC), at concurrency 8: 480 inferences/s with a p99 latency of 32.0 ms (limit 50 ms)"]),
    ("300", "p99", ["send single questions: delay 10 ms", "can send batches: static batch 8 (", "at concurrency 8: 517 inferences/s"]),
    ("20", "average", ["send single questions: delay 10 ms", "at concurrency 8: 480", "average latency of 16.0 ms"]),
    ("1", "p99", ["no measured setting keeps a p99 latency of 1 ms"]),
])
def test_the_recommendation_is_computed(tmp_path, limit, of, expected):
    body = text_of(sections(write_report(tmp_path, "--latency-limit", limit, "--latency-limit-of", of))["recommendation"])
    for words in expected:
        assert words in body


def test_all_numbers_and_the_environment_are_there(tmp_path):
    found = sections(write_report(tmp_path))
    assert found["tables"].count("<details>") == len(RECIPE)
    first = rows_of(found["tables"].split("</details>")[0])
    assert first[0][:3] == ["Concurrency", "Inferences/s", "Average (ms)"] and first[0][-1] == "p99"
    assert first[1][:3] == ["8", "100", "68.1"] and len(first) == 3
    assert rows_of(found["environment"])[1:] == [["machine", 'V100, <1> & "one"'], ["kernel", "6.1"]]


def test_a_summary_for_each_model(tmp_path):
    base = make_list(tmp_path, RECIPE[:2])
    other = tmp_path / "large"
    other.mkdir()
    large = make_list(other, RECIPE[:2])
    large.write_text(large.read_text().replace("BERT base,128", "BERT large,384"))
    run("--runs", base, "--runs", large, "--output-dir", tmp_path / "out", "--report", "--png", "never")
    body = sections((tmp_path / "out/report.html").read_text())["summary"]
    assert body.count("Throughput against average batch latency</text>") == 2
    assert "BERT base, 128 tokens" in body and "BERT large, 384 tokens" in body


def test_models_are_not_compared_with_each_other(tmp_path):
    """A base and a large model in one report: each has its own recommendation, comparisons and pictures."""
    base = make_list(tmp_path, RECIPE)
    other = tmp_path / "large"
    other.mkdir()
    slow = [(*entry[:-1], [{**point, "Inferences/Second": point["Inferences/Second"] / 10} for point in entry[-1]]) for entry in RECIPE]
    large = make_list(other, slow)
    large.write_text(large.read_text().replace("BERT base,128", "BERT large,384"))
    run("--runs", base, "--runs", large, "--output-dir", tmp_path / "out", "--report", "--latency-limit", "50", "--png", "never")
    found = sections((tmp_path / "out/report.html").read_text())
    for name in ("recommendation", "batch-size", "batching", "instances", "summary", "tables"):
        assert re.findall(r'<h3 class="model">(.*?)</h3>', found[name]) == ["BERT base, 128 tokens, fp32", "BERT large, 384 tokens, fp32"], name
    first, second = found["recommendation"].split("BERT large, 384 tokens, fp32</h3>")
    assert "480 inferences/s" in text_of(first) and "48.0 inferences/s" in text_of(second)
    first, second = (text_of(part) for part in found["batch-size"].split("BERT large, 384 tokens, fp32</h3>"))
    assert "120 inferences/s with a client batch of 1 and 517 with 8" in first
    assert "12.0 inferences/s with a client batch of 1 and 51.7 with 8" in second
    assert found["summary"].count("<svg") == 6


def test_doubtful_points_are_not_recommended_unsaid(tmp_path):
    """The best point is out of the question when requests failed, and comes with a warning when it was not stable."""
    for column, value, expected in (("Failed Requests", 1, "470 inferences/s"), ("Generator Limited", 1, "470 inferences/s"),
                                    ("Stable", 0, "480 inferences/s")):
        runs = [("dynamic", "delay 10 ms", 8, 1, 10, 1, [{**row(8, 480, 900, 15000), column: value}, {**row(9, 470, 3000, 15000), column: 1 - value}])]
        if column != "Stable":
            runs[0][-1][1][column] = 0
        header = [*HEADER, column]
        write_csv(tmp_path / "run.csv", runs[0][-1], header)
        names = write_csv(tmp_path / "runs.csv", [{"file": "run.csv", "label": "delay 10 ms", "batch_size": 1}])
        run("--runs", names, "--output-dir", tmp_path / "out", "--report", "--latency-limit", "100", "--png", "never")
        found = sections((tmp_path / "out/report.html").read_text())
        body = text_of(found["recommendation"])
        assert expected in body
        assert ("too few or too different to be sure" in body) == (column == "Stable")
        assert rows_of(found["tables"])[0][-1] == "Doubt"


def test_files_alone_have_a_report_too(tmp_path):
    run(DATA / "identity-delay-10.csv", "--output-dir", tmp_path / "out", "--report", "--png", "never")
    assert list(sections((tmp_path / "out/report.html").read_text())) == ["runs", "summary", "tables"]


def test_the_queue_of_a_real_run_dips_at_multiples_of_the_preferred_size(tmp_path):
    """Preferred sizes 4 and 8: what the report finds in the measured file."""
    list_file = write_csv(tmp_path / "runs.csv", [{"file": DATA / "identity-delay-10.csv", "sweep": "dynamic", "batch_size": 1}])
    run("--runs", list_file, "--output-dir", tmp_path / "out", "--report", "--png", "never")
    dips = rows_of(sections((tmp_path / "out/report.html").read_text())["batching"])[1][-1].split(", ")
    assert len(dips) >= 3 and all(int(dip) % 4 == 0 for dip in dips)


@pytest.mark.parametrize("content, message", [
    ("a\nx\n", 'line 1: expected a column "file", the first is "a"'),
    ("file\nnowhere.csv\n", "nowhere.csv"),
    ("file,instances\n{csv},many\n", 'line 2, column "instances": expected a number from 0 to 1e+15, got "many"'),
    ('file,label\n"",x\n', "line 2: expected a file"),
])
def test_mistakes_in_a_list_are_told(tmp_path, content, message):
    list_file = tmp_path / "runs.csv"
    list_file.write_text(content.format(csv=DATA / "identity-delay-10.csv"))
    assert message in run("--runs", list_file, "--output-dir", tmp_path / "out", code=1).stderr


@needs_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_opens_in_a_browser(tmp_path, dark):
    page = open_page(tmp_path, write_report(tmp_path, "--latency-limit", "50", "--title", "BERT <base>"), dark=dark)
    assert page.console == []
    assert not page.overlaps() and not page.outside()
    assert page.surface == ("rgb(21, 24, 29)" if dark else "rgb(255, 255, 255)")


@needs_browser
def test_the_page_fits_a_phone(tmp_path):
    page = open_page(tmp_path, write_report(tmp_path, "--latency-limit", "50"), width=500)
    assert page.width <= 500


def test_the_page_needs_no_other_file(tmp_path):
    page = write_report(tmp_path)
    assert "<script" not in page and "@import" not in page and "url(" not in page
    assert {link for link in re.findall(r'(?:src|href)="([^"#]+)', page)} == {"data:,"}
