"""`inferd perf` with requests on a schedule: rates, intervals, and where latency counts from."""

import re

import models
import perf_tool
import pytest
from cases import case
from perf_tool import PROTOCOLS, QUICK


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("distribution", ["constant", "poisson"])
def test_rate(server, protocol, distribution, tmp_path):
    (row,) = perf_tool.rows(server, protocol, tmp_path / "t.csv", "-m", "id_fp32", "--shape", "IN:4", "--request-rate-range", "100",
                            "--request-distribution", distribution, "-p", "1000", "-s", "9999", "-r", "3")
    assert row["Request Rate"] == "100"
    assert 60 < float(row["Inferences/Second"]) < 140


def test_a_rate_that_the_server_cannot_serve(server, tmp_path):
    """400 a second where 200 can be served: the queue grows, and latency counts all of the wait."""
    ended = perf_tool.run(server, "grpc", "-m", "five", "--request-rate-range", "400", "-p", "500", "-s", "10", "-r", "4")
    assert ended.returncode == 2
    average, sent = (int(re.search(pattern, ended.stdout).group(1)) for pattern in
                     (r"Avg latency: (\d+) usec \(", r"Avg latency from the real send: (\d+) usec"))
    assert average > 100_000 and sent > 100_000


def test_intervals(server, tmp_path):
    file = tmp_path / "gaps"
    file.write_text("5000\n15000\n")
    text = perf_tool.good(server, "http", "-m", "id_fp32", "--shape", "IN:4", "--request-intervals", str(file), *QUICK)
    assert "Request Rate: 100 inference requests per seconds" in text
    file.write_text("x\n")
    assert "gaps:1: expected a whole number" in perf_tool.refused(server, "http", "-m", "id_fp32", "--shape", "IN:4",
                                                           "--request-intervals", str(file))


@case("PF11", "HTTP, gRPC", "inferd perf with a request every 2 s, to a server that ends idle connections after 1 s", "each is answered: none goes out on a connection that has ended")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_pauses_longer_than_idle_connections_live(start, repository, protocol):
    models.add(repository, "id_fp32", models.BATCHED + models.pair("FP32", "-1"))
    server = start(repository, "--idle-timeout-secs=1")
    text = perf_tool.good(server, protocol, "-m", "id_fp32", "--shape", "IN:4", "--request-rate-range", "0.5", "--request-count", "4")
    assert "Request count: 4\n" in text and "Failed" not in text
