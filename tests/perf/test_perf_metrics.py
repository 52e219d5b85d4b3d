"""`inferd perf --collect-metrics`: what the server's metrics say of a point, from inferd and from a server with GPUs that is programmed."""

import csv
import http.server
import json
import threading

import perf_runs
import perf_tool
import pytest
from cases import case
from perf_tool import PROTOCOLS, QUICK

GPU_COLUMNS = ["Avg GPU Utilization", "Avg GPU Power Usage", "Max GPU Memory Usage", "Total GPU Memory"]
OWN_COLUMNS = ["Avg CPU Utilization", "Max Memory Usage", "Avg Pending Requests"]


class Metrics:
    """A page of metrics that is another with every question."""

    def __init__(self, pages, code=200):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = pages[min(len(asked), len(pages) - 1)].encode()
                asked.append(self.path)
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"127.0.0.1:{self.server.server_port}/some/metrics"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def metrics():
    started = []

    def begin(*pages, **options):
        started.append(Metrics(pages, **options))
        return started[-1]

    yield begin
    for running in started:
        running.server.shutdown()
        running.server.server_close()


def gpu(uuid, utilization, power, used, total=2**34):
    values = {"utilization": utilization, "power_usage": power, "memory_used_bytes": used, "memory_total_bytes": total}
    return "".join(f'# HELP nv_gpu_{name} x\n# TYPE nv_gpu_{name} gauge\nnv_gpu_{name}{{gpu_uuid="{uuid}"}} {value}\n' for name, value in values.items())


@case("PX20", "HTTP, gRPC", "inferd perf --collect-metrics on a server without a GPU, as perf_analyzer", "the same columns, empty; the machine's CPU and memory in --full-csv and --json")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_without_a_gpu(server, protocol, tmp_path):
    collect = ["--collect-metrics", "--metrics-url", f"127.0.0.1:{server.metrics}/metrics", "--metrics-interval", "100"]
    theirs, ours, full, everything = (tmp_path / name for name in ("t.csv", "o.csv", "f.csv", "all.json"))
    perf_runs.report(server, protocol, theirs, "five", "--verbose-csv", *collect)
    (row,) = perf_tool.rows(server, protocol, ours, "-m", "five", *QUICK, "--verbose-csv", *collect)
    assert ours.read_bytes().split(b"\n")[0] == theirs.read_bytes().split(b"\n")[0]
    assert list(row)[-4:] == GPU_COLUMNS and {row[name] for name in GPU_COLUMNS} == {""}
    assert {next(csv.DictReader(theirs.open()))[name] for name in GPU_COLUMNS} == {""}
    (row,) = perf_tool.rows(server, protocol, full, "-m", "five", *QUICK, "--full-csv", "--json", str(everything), *collect)
    assert list(row)[-3:] == OWN_COLUMNS
    assert 0 <= float(row["Avg CPU Utilization"]) <= 1 and float(row["Max Memory Usage"]) > 2**20 and row["Avg Pending Requests"] != ""
    (point,) = json.loads(everything.read_text())["points"]
    assert point["metrics"]["scrapes"] > 0 and point["metrics"]["gpus"] == [] and point["metrics"]["memory_used_bytes"] > 2**20


@case("PX21", "HTTP", "metrics of two GPUs that change", "means of utilization and power, maxima of memory, each with its UUID")
def test_gpus(server, metrics, tmp_path):
    watched = metrics(gpu("GPU-a", 0.5, 100, 1000) + gpu("GPU-b", 0, 50, 9), gpu("GPU-a", 0.25, 200, 3000) + gpu("GPU-b", 0, 50, 9))
    (row,) = perf_tool.rows(server, "http", tmp_path / "t.csv", "-m", "five", "-p", "500", "-s", "9999", "-r", "3", "--verbose-csv",
                            "--collect-metrics", "--metrics-url", watched.url, "--metrics-interval", "100")
    assert row["Avg GPU Utilization"] == "GPU-a:0.25;GPU-b:0;"  # the first page was a question before the load
    assert row["Avg GPU Power Usage"] == "GPU-a:200;GPU-b:50;"
    assert row["Max GPU Memory Usage"] == "GPU-a:3000;GPU-b:9;"
    assert row["Total GPU Memory"] == f"GPU-a:{2**34};GPU-b:{2**34};"
    assert len(watched.asked) > 3 and set(watched.asked) == {"/some/metrics"}


@case("PX24", "HTTP", "--metrics-url with http:// before it, and without a path", "the same page; /metrics")
def test_ways_to_say_the_url(server, metrics):
    for url, path in (("http://{}", "/some/metrics"), ("{}", "/some/metrics"), ("HTTP://{}", "/some/metrics")):
        watched = metrics(gpu("GPU-a", 0.5, 100, 1000))
        perf_tool.good(server, "http", "-m", "five", "--request-count", "9", "--collect-metrics", "--metrics-url", url.format(watched.url))
        assert set(watched.asked) == {path}
    watched = metrics(gpu("GPU-a", 0.5, 100, 1000))
    perf_tool.good(server, "http", "-m", "five", "--request-count", "9", "--collect-metrics", "--metrics-url", "http://" + watched.url.split("/")[0])
    assert set(watched.asked) == {"/metrics"}


@case("PX22", "HTTP", "metrics that cannot be had: nobody there, 404, a URL that is none; flags without --collect-metrics", "an error that says so, exit codes 99 and 3")
def test_metrics_that_cannot_be_had(server, metrics):
    def refused(url, code=99):
        return perf_tool.refused(server, "http", "-m", "five", "--collect-metrics", "--metrics-url", url, code=code)

    def names_the_flag(url, what):
        said = refused(url)
        assert f"--metrics-url {url}: " in said and what in said

    for scheme in ("", "http://"):
        names_the_flag(f"{scheme}127.0.0.1:1/metrics", "cannot connect")
        names_the_flag(scheme + metrics("no such page", code=404).url, "no such page")
        names_the_flag(f"{scheme}127.0.0.1/metrics", "HOST:PORT")
        names_the_flag(f"{scheme}127.0.0.1:1/a b", "HOST:PORT/PATH")
    names_the_flag("gopher://127.0.0.1:1/metrics", "HOST:PORT")
    assert "--collect-metrics" in perf_tool.refused(server, "http", "-m", "five", "--metrics-interval", "100", code=3)


@case("PX23", "HTTP", "a page that is no metrics", "no values, and the load is measured all the same")
def test_nonsense(server, metrics):
    ended = perf_tool.run(server, "http", "-m", "five", "--request-count", "9", "--collect-metrics", "--metrics-url",
                          metrics('nv_gpu_utilization{gpu_uuid="a 1\n}}{{ nan\n=').url)
    assert ended.returncode == 0 and "Server Prometheus Metrics" in ended.stdout and "Throughput" in ended.stdout
    assert "none of the page's metrics is known" in ended.stderr


@case("PF10", "HTTP", "metrics of GPUs whose UUIDs hold a comma, a colour of the terminal, a quote", "they are left out: neither tables nor the terminal get them")
def test_uuids_that_are_none(server, metrics, tmp_path):
    watched = metrics("".join(gpu(uuid, 0.5, 100, 1000) for uuid in ("a,b", "\x1b[31mred", 'q\\"', "a b", "G" * 64, "GPU-1")))
    asked = ["-m", "five", *QUICK, "--verbose-csv", "-f", str(tmp_path / "t.csv"), "--collect-metrics", "--metrics-url", watched.url, "--metrics-interval", "100"]
    text = perf_tool.good(server, "http", *asked)
    (row,) = csv.DictReader((tmp_path / "t.csv").open())
    assert row["Avg GPU Utilization"] == "GPU-1:0.5;" and "GPU-1" in text and "\x1b" not in text
