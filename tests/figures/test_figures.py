"""inferd figures: pictures of real runs hold exactly what the CSV holds, and nobody's labels lie on each other's."""

import json
import math
import random
import re
import xml.etree.ElementTree as ET

import pytest
from browser import needs_browser, open_page
from pictures import DATA, PARTS, data, draw, elements, marks, run, table, texts, write_csv

IDENTITY = DATA / "identity-delay-10.csv"
OLD = DATA / "perf-client-2019.csv"
FILES = sorted(DATA.glob("*.csv"))


def numbers_of(element):
    """Every coordinate of an element."""
    found = [element.get(name) for name in ("x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "width", "height") if element.get(name)]
    return [float(value) for value in found + re.findall(r"-?[\d.]+(?:e-?\d+)?", element.get("d", ""))]


def check_drawn(picture):
    """No mark is empty, and all lie within the picture."""
    left, top, width, height = map(float, picture.get("viewBox").split())
    assert left == top == 0
    for rect in elements(picture, "rect"):
        assert float(rect.get("width")) > 0 and float(rect.get("height")) > 0
        assert float(rect.get("x")) >= 0 and float(rect.get("x")) + float(rect.get("width")) <= width + 0.01
        assert float(rect.get("y")) >= 0 and float(rect.get("y")) + float(rect.get("height")) <= height + 0.01
    for circle in elements(picture, "circle"):
        assert float(circle.get("r")) > 0
        assert 0 <= float(circle.get("cx")) <= width and 0 <= float(circle.get("cy")) <= height
    for element in picture.iter():
        assert all(math.isfinite(value) and -1 <= value <= max(width, height) + 1 for value in numbers_of(element))
    for text in texts(picture):
        assert text and text.strip() and "nan" not in text.split() and "inf" not in text.split()
    assert picture.get("role") == "img" and picture.get("aria-label")


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_bars_are_the_table(tmp_path, file):
    picture = draw(tmp_path, file)["breakdown"]
    check_drawn(picture)
    rows = table(file)
    columns = [name for name in rows[0] if name in (*PARTS, "Server Compute")]
    expected = {(row["Concurrency"], name): row[name] for row in rows for name in columns if row[name] > 0}
    bars = marks(picture, "part")
    assert {(data(bar, "load"), bar.get("data-part")): data(bar, "us") for bar in bars} == expected
    assert len(bars) == len(expected)
    line = [(data(dot, "load"), data(dot, "throughput")) for dot in marks(picture, "throughput")]
    assert line == [(row["Concurrency"], row["Inferences/Second"]) for row in rows]


def test_a_table_without_percentiles(tmp_path):
    """perf_client before release 1.4, and its throughput in whole numbers."""
    rows = [{name: int(value) for name, value in row.items() if not name.endswith("latency")} for row in table(OLD)]
    pictures = draw(tmp_path, write_csv(tmp_path / "old.csv", rows))
    assert set(pictures) == {"breakdown", "summary", "rate"}
    bars = marks(pictures["breakdown"], "part")
    assert {(data(bar, "load"), data(bar, "us")) for bar in bars if bar.get("data-part") == "Server Compute"} == {
        (row["Concurrency"], row["Server Compute"]) for row in rows}


def test_a_server_without_statistics(tmp_path):
    """The client's own parts are not where the latency goes, nor do they add up to it: the median stands in, and the axis says so."""
    rows = [{name: row[name] for name in row if not name.startswith(("Server", "Network", "Avg"))} for row in table(IDENTITY)]
    pictures = draw(tmp_path, write_csv(tmp_path / "none.csv", rows))
    assert "breakdown" not in pictures
    assert {(data(dot, "load"), data(dot, "latency-us")) for dot in marks(pictures["summary"], "latency-us")} == {
        (row["Concurrency"], row["p50 latency"]) for row in rows}
    assert "Average batch latency (ms), or p50 where a file does not tell it" in texts(pictures["summary"])


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_heights_are_in_proportion(tmp_path, file):
    """Segments stand on each other, and are as high as their times on one scale."""
    picture = draw(tmp_path, file)["breakdown"]
    bars = marks(picture, "part")
    base = max(float(bar.get("y")) + float(bar.get("height")) for bar in bars)
    tallest = max(bars, key=lambda bar: data(bar, "us"))
    scale = float(tallest.get("height")) / data(tallest, "us")
    by_load = {}
    for bar in bars:
        by_load.setdefault(data(bar, "load"), []).append(bar)
    for stack in by_load.values():
        level = base
        for bar in stack:
            bottom = float(bar.get("y")) + float(bar.get("height"))
            assert bottom == pytest.approx(level, abs=0.05)
            assert float(bar.get("height")) == pytest.approx(data(bar, "us") * scale, abs=0.05)
            level = float(bar.get("y"))


def test_summary_is_the_table(tmp_path):
    picture = draw(tmp_path, IDENTITY, OLD)["summary"]
    check_drawn(picture)
    groups = [group for group in picture.iter() if group.get("class") == "series"]
    assert [group.get("data-run") for group in groups] == [IDENTITY.stem, OLD.stem]
    for group, file in zip(groups, (IDENTITY, OLD)):
        rows = table(file)
        latencies = [row["Avg latency"] if "Avg latency" in row else sum(row[name] for name in row if name in (*PARTS, "Server Compute"))
                     for row in rows]
        points = marks(group, "latency-us")
        assert [(data(p, "load"), data(p, "throughput")) for p in points] == [(r["Concurrency"], r["Inferences/Second"]) for r in rows]
        assert [data(p, "latency-us") for p in points] == pytest.approx(latencies)
    assert IDENTITY.stem in texts(picture) and OLD.stem in texts(picture)


def test_percentiles_and_rates_are_the_table(tmp_path):
    pictures = draw(tmp_path, IDENTITY)
    rows = {row["Concurrency"]: row for row in table(IDENTITY)}
    for name, loads in (("rate", 20), ("percentiles", 6)):
        check_drawn(pictures[name])
        points = marks(pictures[name], "rank")
        assert len(points) == 4 * loads
        for point in points:
            assert data(point, "latency-us") == rows[data(point, "load")][f"p{data(point, 'rank'):g} latency"]


def test_one_picture_a_run_and_one_of_all(tmp_path):
    pictures = draw(tmp_path, IDENTITY, OLD, "--label", "Delay 10 ms", "--label", "2019")
    assert set(pictures) == {"breakdown", "breakdown-delay-10-ms", "breakdown-2019", "summary", "rate", "percentiles"}
    panels = [group.get("data-run") for group in pictures["breakdown"].iter() if group.get("class") == "breakdown"]
    assert panels == ["Delay 10 ms", "2019"]
    # Small multiples share their scale: the same latency is equally high in both panels.
    ratios = {round(float(bar.get("height")) / data(bar, "us"), 4) for bar in marks(pictures["breakdown"], "part") if float(bar.get("height")) > 20}
    assert max(ratios) - min(ratios) < 1e-3


def test_labels_that_make_the_same_name(tmp_path):
    pictures = draw(tmp_path, IDENTITY, OLD, "--label", "a b", "--label", "A/B", "--figure", "breakdown")
    assert set(pictures) == {"breakdown", "breakdown-a-b-1", "breakdown-a-b-2"}


@pytest.mark.parametrize("labels, names", [
    (["x", "x1", "x"], ["x-1", "x1", "x-3"]),
    (["x", "x-1", "x"], ["x-1-1", "x-1", "x-3"]),  # what one label makes by itself is its own
    (["x", "x", "x-2"], ["x-1", "x-2-2", "x-2"]),
    (["?", "!", "1"], ["1-1", "2", "1"]),
])
def test_no_picture_takes_the_place_of_another(tmp_path, labels, names):
    words = [word for label in labels for word in ("--label", label)]
    pictures = draw(tmp_path, *[IDENTITY] * len(labels), *words, "--figure", "breakdown")
    assert set(pictures) == {"breakdown", *(f"breakdown-{name}" for name in names)}
    for label, name in zip(labels, names):
        assert [group.get("data-run") for group in pictures[f"breakdown-{name}"].iter() if group.get("class") == "breakdown"] == [label]


def test_every_row_of_panels_has_both_axes(tmp_path):
    """Three panels are two rows; the last row is not full."""
    picture = draw(tmp_path, IDENTITY, IDENTITY, OLD)["breakdown"]
    highest = [texts(picture).count(text) for text in ("20", "1600")]  # of the latency (also a load's label) and the throughput
    assert highest[1] == 2 and highest[0] >= 2


@pytest.mark.parametrize("first", ["Concurrency", "Request Rate"])
def test_runs_of_other_loads_together(tmp_path, first):
    rows = table(OLD)
    rates = write_csv(tmp_path / "rates.csv", [{"Request Rate": row["Concurrency"] * 10, **{k: v for k, v in row.items() if k != "Concurrency"}}
                                               for row in rows])
    pictures = draw(tmp_path, *((OLD, rates) if first == "Concurrency" else (rates, OLD)))
    assert "Concurrency (requests in flight), or request rate (requests/s)" in texts(pictures["breakdown"])
    assert "Percentile of requests; each line is one concurrency or request rate" in texts(pictures["percentiles"])


def test_a_hundred_files(tmp_path):
    """In a list; the command line takes 64."""
    for i in range(100):
        (tmp_path / f"run-{i}.csv").write_text(OLD.read_text())
    files = sorted(tmp_path.glob("run-*.csv"))
    assert "given more than 64 arguments" in run(*files, "--output-dir", tmp_path / "out", code=2).stderr
    names = write_csv(tmp_path / "list.csv", [{"file": file.name} for file in files])
    pictures = draw(tmp_path, "--runs", names)
    assert len(pictures) == 104
    for kind in ("breakdown", "summary", "rate", "percentiles"):
        check_drawn(pictures[kind])
    looks = {(group[0].get("class"), group[0].tag, group[0].get("r")) for group in pictures["summary"].iter() if group.get("class") == "series"}
    assert len(looks) >= 16


def test_hostile_names_of_files(tmp_path):
    name = tmp_path / "a b'c\"<i>&.csv"
    name.write_text(OLD.read_text())
    out = tmp_path / "o'u\"t <b>"
    run(name, "--output-dir", out, "--report", "--png", "never")
    for path in out.glob("*.svg"):
        assert not elements(ET.parse(path).getroot(), "i")
    page = (out / "report.html").read_text()
    assert "<i>" not in page and "a b&#39;c&quot;&lt;i&gt;&amp;" in page


def test_folders_that_cannot_be(tmp_path):
    (tmp_path / "plain").write_text("")
    assert "is not a folder" in run(OLD, "--output-dir", tmp_path / "plain", code=1).stderr
    assert "cannot make the folder" in run(OLD, "--output-dir", tmp_path / "plain/x", code=1).stderr
    (tmp_path / "out/summary.svg").mkdir(parents=True)
    assert "summary.svg exists and is not a regular file" in run(OLD, "--output-dir", tmp_path / "out", "--png", "never", code=1).stderr
    assert not list((tmp_path / "out").glob("*.tmp*"))


def profile(path, experiments):
    """What perf_analyzer --profile-export-file writes: {load: latencies in ns}."""
    path.write_text(json.dumps({"experiments": [
        {"experiment": {"mode": "concurrency", "value": load}, "window_boundaries": [],
         "requests": [{"timestamp": 1000, "response_timestamps": [1000 + ns]} for ns in latencies]}
        for load, latencies in experiments.items()], "version": "1", "service_kind": "triton", "endpoint": ""}))
    return path


def test_distribution_of_a_profile(tmp_path):
    source = random.Random(1)
    latencies = {load: [int(source.lognormvariate(15 + load / 8, 0.3)) for _ in range(500)] for load in (1, 4, 8)}
    picture = draw(tmp_path, profile(tmp_path / "profile.json", latencies))["distribution"]
    assert "profile" in texts(picture)  # not its folder
    check_drawn(picture)
    for mark in marks(picture, "rank"):
        ordered = sorted(latencies[data(mark, "load")])
        position = math.ceil(data(mark, "rank") / 100 * len(ordered)) - 1
        assert data(mark, "latency-us") == pytest.approx(ordered[position] / 1000)
    assert len(marks(picture, "rank")) == 3 * 4


@pytest.mark.parametrize("name", ["profile.json", "profile.export", "profile.csv"])
def test_a_profile_is_known_by_what_is_in_it(tmp_path, name):
    file = profile(tmp_path / name, {1: [1000, 2000]})
    file.write_text(f"\n \t{file.read_text()}")
    pictures = draw(tmp_path, file, IDENTITY, "--label", "the profile", "--label", "the table")
    assert set(pictures) == {"distribution", "breakdown", "summary", "rate", "percentiles"}
    assert "the profile" in texts(pictures["distribution"]) and "the table" in texts(pictures["breakdown"])


def test_a_table_whose_name_ends_like_that_of_a_profile(tmp_path):
    file = tmp_path / "table.json"
    file.write_text(IDENTITY.read_text())
    assert "breakdown" in draw(tmp_path, file)


def test_the_kinds_are_of_profiles_too(tmp_path):
    file = profile(tmp_path / "profile.json", {1: [1000, 2000]})
    assert set(draw(tmp_path / "a", file, IDENTITY, "--figure", "rate")) == {"rate"}
    assert set(draw(tmp_path / "b", file, IDENTITY, "--figure", "distribution", "--figure", "rate")) == {"distribution", "rate"}
    assert "nothing that the wanted figures show" in run(file, "--output-dir", tmp_path / "c", "--figure", "rate", code=1).stderr


def test_a_report_of_profiles_alone_is_refused(tmp_path):
    file = profile(tmp_path / "profile.json", {1: [1000, 2000]})
    done = run(file, "--output-dir", tmp_path / "out", "--report", code=1)
    assert "--report compares what tables (CSV) say, and no FILE is one" in done.stderr
    assert not (tmp_path / "out").exists()
    run(file, IDENTITY, "--output-dir", tmp_path / "out", "--report", "--png", "never")
    assert (tmp_path / "out/report.html").exists()


def test_hostile_labels_stay_text(tmp_path):
    label = 'a<script>alert("1")</script>&\x01\u202e'
    pictures = draw(tmp_path, IDENTITY, "--label", label, "--title", "<&>\"'", "--caption", "]]><!--")
    for picture in pictures.values():
        assert not elements(picture, "script")
        assert picture.get("aria-label").startswith("<&>\"'")
    assert any("<script>" in text for text in texts(pictures["summary"]))


@pytest.mark.parametrize("content, message", [
    ("", "line 1: expected a header line, got an empty file"),
    ("Concurrency,Inferences/Second\n1\n", "line 2: expected 2 cells as in the header, got 1"),
    ("Concurrency,Inferences/Second\n1,-4\n", 'line 2, column "Inferences/Second": expected a number from 0 to 1e+15, got "-4"'),
    ("Concurrency,Inferences/Second\n1,nan\n", 'line 2, column "Inferences/Second": expected a number from 0 to 1e+15, got "nan"'),
    ("Concurrency,Inferences/Second\n1,2e15\n", 'line 2, column "Inferences/Second": expected a number from 0 to 1e+15, got "2e15"'),
    ("\n\n", "line 1: expected a header line, got an empty file"),
    ("Concurrency,Inferences/Second\n", "line 2: expected a measured point, the file has none"),
    ("a,b\n1,2\n", "line 1: expected the columns"),
    ("Concurrency,Inferences/Second,Client Send,Client Recv\n1,9,2,3\n", "line 1: expected latencies"),
])
def test_what_is_wrong_in_a_file_is_told(tmp_path, content, message):
    file = tmp_path / "bad.csv"
    file.write_text(content)
    done = run(file, "--output-dir", tmp_path / "out", code=1)
    assert f"{file}: {message}" in done.stderr
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


@pytest.mark.parametrize("arguments, message", [
    ([], "a FILE or --runs LIST is needed"),
    ([IDENTITY], "--output-dir DIR is needed"),
    ([IDENTITY, "--output-dir", "x", "--figure", "pie"], "expected breakdown, summary, rate, percentiles or distribution"),
    ([IDENTITY, "--output-dir", "x", "--label", "a", "--label", "b"], "given 2 times for 1 files"),
    ([IDENTITY, "--output-dir", "x", "--latency-limit", "5"], "goes with --report"),
    ([IDENTITY, "--output-dir", "x", "--latency-limit-of", "p95"], "--latency-limit-of says what --latency-limit bounds"),
    ([IDENTITY, "--output-dir", "x", "--report", "--latency-limit-of", "p99"], "--latency-limit-of says what --latency-limit bounds"),
    ([IDENTITY, "--output-dir", "x", "--theme", "blue"], "auto|light|dark"),
])
def test_wrong_usage(arguments, message):
    assert message in run(*arguments, code=2).stderr


# ---- how it looks ----

def synthetic(path, count, latency_us, throughput, noise=0.2, seed=3):
    """Made-up numbers, for the layout alone."""
    source = random.Random(seed)
    rows = []
    for load in range(1, count + 1):
        parts = {name: round(latency_us * share * load * source.uniform(1 - noise, 1 + noise), 3)
                 for name, share in zip(PARTS, (0.01, 0.1, 0.3, 0.05, 0.45, 0.05, 0.04))}
        total = sum(parts.values())
        rows.append({"Concurrency": load, "Inferences/Second": throughput * (1 - math.exp(-load / 4)), **parts,
                     **{f"p{rank} latency": round(total * factor, 3) for rank, factor in ((50, 0.9), (90, 1.2), (95, 1.3), (99, 1.9))}})
    return write_csv(path, rows)


LOOKS = {
    "one point": dict(count=1, latency_us=8000, throughput=119),
    "two points": dict(count=2, latency_us=100, throughput=3),
    "many points": dict(count=200, latency_us=500, throughput=900),
    "tiny": dict(count=12, latency_us=0.002, throughput=0.0004),
    "huge": dict(count=12, latency_us=4e9, throughput=7.3e12),
}


@pytest.mark.parametrize("look", LOOKS)
def test_any_size_is_drawn_within_the_picture(tmp_path, look):
    for picture in draw(tmp_path, synthetic(tmp_path / "run.csv", **LOOKS[look])).values():
        check_drawn(picture)


def test_labels_below_are_at_equal_distances(tmp_path):
    """Where not all have room, every so many-th is left."""
    files = [synthetic(tmp_path / f"run-{i}.csv", 20, 2000, 0.00025) for i in range(3)]
    by_height = {}
    for text in elements(draw(tmp_path, *files, "--figure", "rate")["rate"], "text"):
        if re.fullmatch(r"[0-9.]+", text.text):
            by_height.setdefault(text.get("y"), []).append(float(text.text))
    below = [values for values in by_height.values() if len(values) > 2]
    assert below
    for values in below:
        panel = values[:values.index(0, 1)] if 0 in values[1:] else values  # the first of the row
        assert len(panel) > 1 and len({round(b - a, 9) for a, b in zip(panel, panel[1:])}) == 1, panel


LONG = "dynamic batching with a queue delay of ten milliseconds and preferred batches of four and eight questions each"


@needs_browser
@pytest.mark.parametrize("runs", [1, 2, 3, 5, 8, 12])
def test_no_text_lies_on_another(tmp_path, runs):
    """In a real browser, for few and many runs, with long labels, title and caption."""
    files = [synthetic(tmp_path / f"run-{i}.csv", 20, 400 * (1 + i / 3), 500 + 100 * (i % 5), seed=i) for i in range(runs)]
    labels = [word for i in range(runs) for word in ("--label", f"setting {i}" if i % 2 else f"{i} {LONG}")]
    for name, picture in draw_text(tmp_path, *files, *labels, "--title", LONG, "--caption", f"{LONG}; {LONG}").items():
        page = open_page(tmp_path, picture)
        assert not page.overlaps(), name
        assert not page.outside(), name


@needs_browser
@pytest.mark.parametrize("look", LOOKS)
def test_no_text_lies_on_another_at_any_size(tmp_path, look):
    for name, picture in draw_text(tmp_path, synthetic(tmp_path / "run.csv", **LOOKS[look])).items():
        page = open_page(tmp_path, picture)
        assert not page.overlaps() and not page.outside(), name


@needs_browser
def test_light_and_dark(tmp_path):
    picture = draw_text(tmp_path, IDENTITY, "--figure", "breakdown")["breakdown"]
    assert open_page(tmp_path, picture).surface == "rgb(255, 255, 255)"
    assert open_page(tmp_path, picture, dark=True).surface == "rgb(21, 24, 29)"
    fixed = draw_text(tmp_path, IDENTITY, "--figure", "breakdown", "--theme", "light")["breakdown"]
    assert open_page(tmp_path, fixed, dark=True).surface == "rgb(255, 255, 255)"


def draw_text(tmp_path, *arguments):
    run(*arguments, "--output-dir", tmp_path / "out", "--png", "never")
    return {path.stem: path.read_text() for path in (tmp_path / "out").glob("*.svg")}


def test_png_where_the_converter_is(tmp_path, monkeypatch):
    tools = tmp_path / "bin"
    tools.mkdir()
    converter = tools / "rsvg-convert"
    # Stands for the real one: says how it was called, and leaves what was asked for.
    converter.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$(dirname "$0")/words"\ncp "$5" "$3"\n')
    converter.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    out = tmp_path / "it's; $(touch x)"
    run(IDENTITY, "--output-dir", out, "--figure", "summary")
    assert (tools / "words").read_text().splitlines() == [
        "--zoom=2", "--output", f"{out}/summary.png", "--", f"{out}/summary.svg"]
    assert (out / "summary.png").exists()
    converter.write_text("#!/bin/sh\nexit 3\n")
    assert "rsvg-convert failed with exit code 3" in run(IDENTITY, "--output-dir", out, code=1).stderr
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run(IDENTITY, "--output-dir", out, "--figure", "summary")
    assert "rsvg-convert is not installed: no PNG is written" in done.stderr
    assert "not installed" in run(IDENTITY, "--output-dir", out, "--png", "always", code=1).stderr


# ---- colours ----

def test_points_that_the_generator_limited(tmp_path):
    """Hollow in every figure, and the caption says what that means; without any it says nothing."""
    rows = [{**row, "p99.9 latency": 9 * row["p99 latency"], "Generator Limited": int(row["Concurrency"] in (4, 8))} for row in table(IDENTITY)]
    pictures = draw(tmp_path, write_csv(tmp_path / "limited.csv", rows))
    for name, picture in pictures.items():
        check_drawn(picture)
        limited = marks(picture, "limited")
        assert {data(mark, "load") for mark in limited} <= {4, 8} and len(limited) > 0, name
        hollow = [element for element in picture.iter() if "hollow" in element.get("class", "").split()]
        assert hollow == limited
        assert all("limited by the generator" in mark[0].text for mark in limited)
        assert any("Hollow marks: the load generator was the bottleneck" in text for text in texts(picture)), name
    assert set(pictures) == {"breakdown", "summary", "rate", "percentiles"}
    for picture in draw(tmp_path, IDENTITY).values():
        assert not any("Hollow" in text for text in texts(picture)) and marks(picture, "limited") == []


@pytest.mark.parametrize("column, value, attribute, tooltip, caption", [
    ("Stable", 0, "unstable", "unstable", "too few or too different"),
    ("Failed Requests", 7, "failed", "requests failed", "requests failed"),
])
def test_points_in_doubt(tmp_path, column, value, attribute, tooltip, caption):
    good = 1 if column == "Stable" else 0
    rows = [{**row, column: value if row["Concurrency"] == 8 else good} for row in table(IDENTITY)]
    for name, picture in draw(tmp_path, write_csv(tmp_path / "doubt.csv", rows)).items():
        marked = marks(picture, attribute)
        if name != "percentiles":  # which shows some of the loads
            assert {data(mark, "load") for mark in marked} == {8}, name
        assert [e for e in picture.iter() if "hollow" in e.get("class", "").split()] == marked
        assert all(f"({tooltip})" in mark[0].text for mark in marked)
        assert any("Hollow marks: " in text and caption in text for text in texts(picture)), name


def test_profiles_that_the_generator_limited(tmp_path):
    def experiment(load, **more):
        requests = [{"timestamp": 0, "response_timestamps": [1000 * (i + load)]} for i in range(100)]
        return {"experiment": {"mode": "concurrency", "value": load, **more}, "requests": requests}

    file = tmp_path / "p.json"
    file.write_text(json.dumps({"experiments": [experiment(1), experiment(2, generator_limited=True)]}))
    picture = draw(tmp_path, file)["distribution"]
    assert {data(mark, "load") for mark in marks(picture, "limited")} == {2}
    assert any("Hollow marks" in text for text in texts(picture))


def linear(channel):
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def simulate(colour, matrix):
    """How a colour looks with a kind of colour blindness (Machado, Oliveira and Fernandes 2009, severity 1), in CIELAB."""
    rgb = [linear(int(colour[i:i + 2], 16) / 255) for i in (1, 3, 5)]
    if matrix:
        rgb = [min(1, max(0, sum(m * c for m, c in zip(row, rgb)))) for row in matrix]
    xyz = [sum(m * c for m, c in zip(row, rgb)) for row in
           ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))]
    f = [t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (xyz[0] / 0.9505, xyz[1], xyz[2] / 1.089)]
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


SIGHTS = {
    "normal": None,
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
# What lies side by side: segments of a bar in their order, series in the order in which they are given out.
NEIGHBOURS = {
    "parts": ["part-client-send", "part-network", "part-server-queue", "part-compute-input", "part-compute-infer",
              "part-compute-output", "part-client-recv"],
    "old parts": ["part-server-queue", "part-compute", "part-client-recv"],
    "series": ["s0", "s1", "s2", "s3", "s4"],
    "ramp": ["r0", "r1", "r2", "r3", "r4", "r5"],
}


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("group", NEIGHBOURS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_told_apart(tmp_path, sight, group, theme):
    """Neighbours differ by at least 10 in CIELAB (2.3 is just noticeable), whoever looks."""
    css = draw_text(tmp_path, IDENTITY, "--figure", "breakdown", "--theme", theme)["breakdown"]
    colours = [re.search(rf"^\.{name}{{(?:fill|stroke):(#\w+)}}", css, re.M).group(1) for name in NEIGHBOURS[group]]
    for a, b in zip(colours, colours[1:]):
        assert math.dist(simulate(a, SIGHTS[sight]), simulate(b, SIGHTS[sight])) >= 10, (a, b)
