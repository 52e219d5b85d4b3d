"""`inferd perf --trace-level` and its like: the server traces while it is measured, and its settings are put back."""

import http.server
import json
import signal
import subprocess
import threading
import urllib.request

import models
import perf_runs
import perf_tool
import programmed_server
import pytest
import serving
from cases import case
from perf_tool import PROTOCOLS

HUNG_S = 25  # less than one question is waited for without Ctrl-C
COUNTED = ["-m", "id_int32", "--shape", "IN:2", "--request-count", "20"]


@pytest.fixture
def traced(start, repository, tmp_path):
    models.add(repository, "id_int32", models.BATCHED + models.pair("INT32", "-1"))
    file = tmp_path / "trace.json"
    server = start(repository, f"--trace-config=triton,file={file}", "--trace-config=rate=7")
    server.trace_file = file
    return server


def settings(server):
    with urllib.request.urlopen(f"http://{server.http_url}/v2/trace/setting", timeout=60) as answer:
        return json.load(answer)


@case("PX60", "HTTP, gRPC", "inferd perf --trace-level TIMESTAMPS --trace-level TENSORS --trace-rate 2 --trace-count 5",
      "five traces with tensors of every other inference; afterwards the settings are as they were")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_traces(traced, protocol):
    before = settings(traced)
    assert before["trace_level"] == ["OFF"] and before["trace_rate"] == "7"
    perf_tool.good(traced, protocol, *COUNTED, "--trace-level", "TIMESTAMPS", "--trace-level", "TENSORS", "--trace-rate", "2",
                   "--trace-count", "5", "--log-frequency", "0")
    assert settings(traced) == before
    traced.stop()
    written = json.loads(traced.trace_file.read_text())
    assert len([entry for entry in written if entry.get("model_name") == "id_int32"]) == 5
    assert any("tensor" in entry for entry in written) and any("timestamps" in entry for entry in written)


@case("PX61", "HTTP, gRPC", "a rate alone; a level that there is not", "only that is changed; refused, nothing is changed, nothing is sent")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_some_and_wrong(traced, protocol):
    before = settings(traced)
    perf_tool.good(traced, protocol, *COUNTED, "--trace-rate", "3")
    assert settings(traced) == before
    said = perf_tool.refused(traced, protocol, *COUNTED, "--trace-level", "EVERYTHING")
    assert "EVERYTHING" in said and settings(traced) == before
    perf_tool.refused(traced, protocol, *COUNTED, "--trace-rate", "0", code=3)


@case("PX62", "HTTP, gRPC", "the same on a run that fails", "the settings are put back all the same")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_that_fails(traced, repository, protocol):
    before = settings(traced)
    perf_tool.refused(traced, protocol, "-m", "id_int32", "--shape", "IN:2", "--request-count", "20", "--input-data", "/nowhere", "--trace-rate", "3")
    perf_tool.refused(traced, protocol, *COUNTED, "-f", "/nowhere/t.csv", "--trace-rate", "3")
    assert settings(traced) == before


class Tracing:
    """A server that traces, with the model of programmed_server; each change of its settings is kept in `changes`, and `on_change` is
    called with their count before it is answered: False loses the answer."""

    def __init__(self, on_change):
        changes = self.changes = []
        descriptions = {"/v2": programmed_server.SERVER_METADATA, "/v2/models/m": programmed_server.MODEL_METADATA}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer({"trace_rate": "7"} if self.path.endswith("/trace/setting") else descriptions.get(self.path, {}))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path.endswith("/infer"):
                    self.answer(programmed_server.ANSWER, bytes(4))
                    return
                changes.append(json.loads(body or "{}"))
                if on_change(len(changes)):
                    self.answer({"trace_rate": "7"})
                else:
                    self.close_connection = True

            def answer(self, said, data=b""):
                text = json.dumps(said).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text) + len(data)))
                self.send_header("Inference-Header-Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text + data)

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def perf(self, *options):
        return subprocess.Popen([serving.BINARY, "perf", "-m", "m", "-u", self.url, "--request-count", "3", "--trace-rate", "3", *options],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def tracing():
    started = []

    def begin(on_change):
        started.append(Tracing(on_change))
        return started[-1]

    yield begin
    for running in started:
        running.server.shutdown()
        running.server.server_close()


@case("PF13", "signal", "SIGINT while the trace settings are put back", "they are, and the run ends as it would have")
def test_interrupted_while_it_puts_back(tracing):
    asked, go_on = threading.Event(), threading.Event()

    def on_change(count):
        if count == 2:
            asked.set()
            go_on.wait(serving.PATIENCE_S)
        return True

    server = tracing(on_change)
    running = server.perf()
    assert asked.wait(serving.PATIENCE_S)
    running.send_signal(signal.SIGINT)
    go_on.set()
    stdout, stderr = running.communicate(timeout=serving.PATIENCE_S)
    assert running.returncode == 0 and "Request count: 3" in stdout, stderr
    assert server.changes == [{"trace_rate": "3"}, {"trace_rate": "7"}]


@case("PF14", "signal", "SIGINT while the metrics are asked for, before the trace settings are changed", "the program ends as any other; nothing was changed")
def test_interrupted_before_the_load(tracing):
    asked, go_on = threading.Event(), threading.Event()

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.set()
            go_on.wait(serving.PATIENCE_S)

        def log_message(self, *words):
            pass

    metrics = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=metrics.serve_forever, daemon=True).start()
    server = tracing(lambda count: True)
    running = server.perf("--collect-metrics", "--metrics-url", f"127.0.0.1:{metrics.server_port}")
    assert asked.wait(serving.PATIENCE_S)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=serving.PATIENCE_S)
    assert running.returncode == -signal.SIGINT and server.changes == []
    go_on.set()
    metrics.shutdown()
    metrics.server_close()


@case("PF16", "signal", "SIGINT while the change of the trace settings is not answered", "it is not waited for; they are put back; exit code 130")
def test_interrupted_while_it_changes(tracing):
    asked, go_on = threading.Event(), threading.Event()

    def on_change(count):
        if count == 1:
            asked.set()
            go_on.wait(serving.PATIENCE_S)
        return count > 1  # there is nobody left to answer the first

    server = tracing(on_change)
    running = server.perf()
    assert asked.wait(serving.PATIENCE_S)
    running.send_signal(signal.SIGINT)
    stderr = running.communicate(timeout=HUNG_S)[1]
    assert running.returncode == 130 and "not waited for any longer" in stderr
    assert server.changes == [{"trace_rate": "3"}, {"trace_rate": "7"}]
    go_on.set()


@case("PF17", "signal", "SIGINT twice while the server hangs, with shared memory and trace settings to give back", "each is tried, for two seconds in all; exit code 2 or 130")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_interrupted_while_the_server_hangs(start, repository, tmp_path, protocol):
    models.add(repository, "id_int32", models.BATCHED + models.pair("INT32", "-1"))
    server = start(repository, "--allow-client-shm", f"--trace-config=triton,file={tmp_path / 'trace.json'}")
    counted = ["-m", "id_int32", "--shape", "IN:2", "-p", "100000"]
    running = subprocess.Popen(perf_tool.command(server, protocol, *counted, "--trace-rate", "3", "--shared-memory", "system"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    serving.wait_until(lambda: perf_runs.inferences(server, "id_int32") > 3 or running.poll() is not None)
    server.process.send_signal(signal.SIGSTOP)  # the kernel still takes connections for it, and nobody answers
    try:
        running.send_signal(signal.SIGINT)
        while "interrupted" not in running.stderr.readline():
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        stderr = running.communicate(timeout=HUNG_S)[1]
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert running.returncode in (2, 130), stderr
    assert stderr.count("not waited for any longer") == 3, stderr


@case("PF15", "HTTP", "the answer to the change of the trace settings is lost", "they are put back all the same; exit code 99")
def test_a_lost_answer(tracing):
    server = tracing(lambda count: count > 1)
    running = server.perf()
    stderr = running.communicate(timeout=serving.PATIENCE_S)[1]
    assert running.returncode == 99, stderr
    assert server.changes == [{"trace_rate": "3"}, {"trace_rate": "7"}]
