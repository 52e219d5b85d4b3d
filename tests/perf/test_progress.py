"""How `inferd perf` shows that it works, on a terminal and elsewhere, and what Ctrl-C does."""

import json
import os
import pty
import re
import signal
import subprocess

import models
import perf_runs
import serving
from cases import case

LIVE = re.compile(r"\r\x1b\[K(concurrency [12]), window (\d+), [\d.]+ s: [\d.e+]+ infer/sec, p50 [\d.]+ ms, p99 [\d.]+ ms, (.*?\d+ failed.*?), (.*?generator \d+%)")
SLOW = ["-m", "five", "-p", "300", "-s", "9999", "-r", "3"]
FOREVER = ["-m", "five", "-p", "100000", "-v"]


def command(server, *options):
    return [serving.BINARY, "perf", "-u", server.http_url, *options]


def on_terminal(server, *options, columns=200, **environment):
    """What it writes to a terminal that is its stderr, and its stdout."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    subprocess.run(["stty", "cols", str(columns)], stdin=slave, check=True)
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    ended = subprocess.run(command(server, *options), stdout=subprocess.PIPE, stderr=slave, text=True, timeout=2 * serving.PATIENCE_S,
                           env={**inherited, "TERM": "xterm", **environment})
    seen = b""
    try:
        while chunk := os.read(master, 65536):
            seen += chunk
    except (BlockingIOError, OSError):
        pass
    os.close(slave)
    os.close(master)
    assert ended.returncode == 0, ended.stdout
    return seen.decode(), ended.stdout


@case("PX40", "terminal", "inferd perf with its stderr on a terminal", "one line that is drawn anew, and taken away before the next text")
def test_a_live_line(server):
    seen, stdout = on_terminal(server, *SLOW, "--concurrency-range", "1:2")
    drawn = LIVE.findall(seen)
    assert {label for label, _, _, _ in drawn} == {"concurrency 1", "concurrency 2"}
    assert len({number for _, number, _, _ in drawn}) > 1
    assert "\n" not in seen and seen.endswith("\r\x1b[K")
    assert "\r" not in stdout and "Throughput" in stdout


@case("PX41", "terminal", "failures on a terminal: with colours, with NO_COLOR, with TERM=dumb, on one of 30 columns", "red; no colour; whole lines; cut lines")
def test_colours(server):
    failing = ["-m", "flaky", "--shape", "IN:2", "-p", "300", "-s", "9999", "-r", "3"]
    assert re.search("\x1b\\[31m\\d+ failed\x1b\\[0m", on_terminal(server, *failing)[0])
    seen = on_terminal(server, *failing, NO_COLOR="1")[0]
    assert "\x1b[K" in seen and not re.search("\x1b\\[\\d+m", seen)
    seen = on_terminal(server, *failing, TERM="dumb")[0]
    assert "\x1b" not in seen and re.search(r"^concurrency 1, window \d", seen)
    seen = on_terminal(server, *failing, columns=30)[0]
    assert all(len(line) < 30 for line in seen.split("\r\x1b[K"))


@case("PX42", "pipe", "inferd perf with its stderr in a pipe, and with --progress never", "plain lines, at most one a second; nothing")
def test_plain_lines(server):
    ended = subprocess.run(command(server, *SLOW), capture_output=True, text=True, timeout=2 * serving.PATIENCE_S)
    assert re.fullmatch(r"(concurrency 1, window \d, [\d.]+ s: .* infer/sec, p50 .* ms, p99 .* ms, 0 failed, generator \d+%\n)+", ended.stderr)
    assert "\x1b" not in ended.stdout + ended.stderr
    ended = subprocess.run(command(server, *SLOW, "--progress", "never"), capture_output=True, text=True, timeout=2 * serving.PATIENCE_S)
    assert ended.stderr == "" and ended.returncode == 0


def begin(server, *options, **more):
    """It runs, and the load has begun."""
    before = serving_count(server)
    running = subprocess.Popen(command(server, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    serving.wait_until(lambda: serving_count(server) > before + 3 or running.poll() is not None)
    return running


def serving_count(server):
    return perf_runs.inferences(server, "five")


@case("PX43", "signal", "SIGINT in the first window", "what was measured so far is reported and written, the cut load too; exit code 2")
def test_first_interrupt(server, tmp_path):
    table, everything = tmp_path / "t.csv", tmp_path / "all.json"
    running = begin(server, *FOREVER, "-f", str(table), "--json", str(everything))
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=serving.PATIENCE_S)
    assert running.returncode == 2, stderr
    assert "interrupted: what is in flight is waited for" in stderr
    assert "Interrupted after" in stdout and "(not stable)" in stdout and stdout.count("  Pass [1]") == 1
    (point,) = json.loads(everything.read_text())["points"]
    assert point["interrupted"] and point["requests"] >= 3 and not point["stable"]
    assert len(table.read_text().splitlines()) == 2
    counted = sum(server_part["inferences"] for server_part in point["server"])
    assert counted >= point["requests"]


@case("PX44", "signal", "SIGINT with a range of loads", "no further load is begun")
def test_interrupt_ends_the_search(server, tmp_path):
    running = begin(server, *FOREVER, "--concurrency-range", "1:4")
    running.send_signal(signal.SIGINT)
    stdout, _ = running.communicate(timeout=serving.PATIENCE_S)
    assert stdout.count("Request concurrency:") == 1


@case("PX45", "signal", "SIGINT twice while a request takes ten minutes", "the first waits for it, the second does not; exit code 130, nothing was measured")
def test_second_interrupt(start, repository):
    models.add(repository, "stuck", models.BATCHED + models.pair("FP32", "16") + models.parameter("execute_delay_ms", "600000"))
    server = start(repository, "--exit-timeout-secs=0")
    running = subprocess.Popen(command(server, "-m", "stuck"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in running.stdout:
        if "Request concurrency" in line:
            break
    running.send_signal(signal.SIGINT)
    assert "interrupted" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=9) == 130  # without the second one it waits for 10 s
    assert "interrupted before any request was answered" in running.stderr.read()
    running.stdout.close()
    running.stderr.close()
    server.kill()


@case("PF06", "signal", "SIGINT twice in the second point, before anything of it was answered", "the first point is reported; exit code 2")
def test_interrupt_with_one_point(program):
    server = program([1, 1, 1, 600_000, 600_000, 600_000, 600_000])
    words = [serving.BINARY, "perf", "-u", server.urls["http"], "-m", "m", "--concurrency-range", "1:2", "--request-count", "3"]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in running.stdout:
        if "Request concurrency: 2" in line:
            break
    running.send_signal(signal.SIGINT)
    while "interrupted" not in running.stderr.readline():
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=serving.PATIENCE_S)
    assert running.returncode == 2, stderr
    assert "Concurrency: 1, throughput:" in stdout and "Concurrency: 2" not in stdout


@case("PF07", "signal", "SIGINT in the first window, with a -l that its latency is over", "exit code 2: cut short is not over the limit")
def test_interrupt_over_the_limit(server):
    running = begin(server, *FOREVER, "-l", "1")
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=serving.PATIENCE_S)
    assert running.returncode == 2, stderr
    assert "Interrupted after" in stdout
