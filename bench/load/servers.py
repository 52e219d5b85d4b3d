"""The two servers: start them on a core, ask their statistics, read what they cost."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "build" / "peers"
MODEL = "identity"
INPUT_REGION, OUTPUT_REGION = "bench-input", "bench-output"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process that is pinned to one core. Subclasses start it and know its ports."""

    def __init__(self, command, environment, core, log):
        self.command, self.environment, self.log = ["taskset", "-c", str(core), *command], environment, log
        self.start()

    def start(self):
        with open(self.log, "wb") as stream:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                                            env=self.environment, start_new_session=True)
        self.wait_until_ready()

    def has_died(self):
        return self.process.poll() is not None

    def wait_until_ready(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.find_ports()
                urllib.request.urlopen(f"http://{self.http}/v2/health/ready", timeout=2).close()
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
        raise SystemExit(f"bench: {self.name} did not become ready:\n" + Path(self.log).read_text())

    def find_ports(self):
        pass

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @contextlib.contextmanager
    def shared_memory(self, size):
        """Two regions of that many bytes, which the server knows by name meanwhile."""
        paths = [Path(f"/dev/shm/inferd-{name}-{os.getpid()}") for name in (INPUT_REGION, OUTPUT_REGION)]
        try:
            for path, region in zip(paths, (INPUT_REGION, OUTPUT_REGION)):
                path.write_bytes(bytes(size))
                self.post(f"/v2/systemsharedmemory/region/{region}/register", {"key": f"/{path.name}", "byte_size": size})
            yield
        finally:
            if not self.has_died():
                self.post("/v2/systemsharedmemory/unregister", {})
            for path in paths:
                path.unlink(missing_ok=True)

    def post(self, path, content):
        request = urllib.request.Request(f"http://{self.http}{path}", json.dumps(content).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    def cpu_seconds(self):
        """User and system time of all its threads so far."""
        return sum(self.user_and_system_seconds())

    def user_and_system_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) * TICK_S, int(fields[12]) * TICK_S

    def counts(self):
        """Inferences that succeeded, and that failed, by the server's own count."""
        with urllib.request.urlopen(f"http://{self.http}/v2/models/{MODEL}/stats", timeout=10) as answer:
            statistics = json.load(answer)["model_stats"][0]["inference_stats"]
        return int(statistics["success"]["count"]), int(statistics["fail"]["count"])


class Inferd(Server):
    name = "inferd"

    def __init__(self, repository, core, folder, program=ROOT / "build" / "inferd"):
        command = [str(program), "serve", f"--model-repository={repository}", "--allow-client-shm=true"]
        for port in ("http", "grpc", "metrics"):
            command += [f"--{port}-address=127.0.0.1", f"--{port}-port=0"]
        super().__init__(command, None, core, folder / "inferd.log")

    def find_ports(self):
        found = dict(re.findall(r'(HTTP|gRPC) listening on ([^\s"]+)', Path(self.log).read_text()))
        if len(found) < 2:
            raise OSError("not listening yet")
        self.http, self.grpc = found["HTTP"], found["gRPC"]


class Triton(Server):
    name = "Triton"

    def __init__(self, repository, core, folder):
        site = next(PEERS.glob("venv/lib/python3*/site-packages"))
        http, grpc = free_port(), free_port()
        self.http, self.grpc = f"127.0.0.1:{http}", f"127.0.0.1:{grpc}"
        command = [
            str(site / "pytriton/tritonserver/bin/tritonserver"), f"--model-repository={repository}",
            f"--backend-directory={PEERS}/backends", "--http-address=127.0.0.1", f"--http-port={http}",
            "--grpc-address=127.0.0.1", f"--grpc-port={grpc}", "--allow-metrics=false",
        ]
        environment = {**os.environ, "LD_LIBRARY_PATH": str(site / "nvidia_pytriton.libs")}
        super().__init__(command, environment, core, folder / "triton.log")


class Floor(Server):
    """bench/load/floor.c, which answers requests of wrk and h2load with as many bytes as the real servers do, and does nothing else."""

    name = "floor"

    def __init__(self, core, folder, answer_bytes):
        self.http = self.grpc = f"127.0.0.1:{free_port()}"
        command = [str(PEERS / "floor"), self.http.rsplit(":", 1)[1], str(answer_bytes)]
        super().__init__(command, None, core, folder / "floor.log")

    def shared_memory(self, size):
        return contextlib.nullcontext()

    def stop(self):
        self.process.kill()
        self.process.wait()
