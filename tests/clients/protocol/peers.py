"""The server that the tests of this folder talk to: inferd, or the real Triton when INFERD_PEER=triton says so.

Triton is what bench/peers/setup installs. It gets the same models, as triton_identity.py runs them, and the same flags."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import serving

PEER = os.environ.get("INFERD_PEER", "inferd")
TRITON = PEER == "triton"
BACKEND = "python" if TRITON else "identity"
PEERS = serving.ROOT / "build" / "peers"
# Triton 2.51 has no flag for it: there clients may always register shared memory.
ALLOW_SHM = [] if TRITON else ["--allow-client-shm=true"]
MODEL_PY = Path(__file__).with_name("triton_identity.py")


def start(repository, *flags):
    """Starts the server on a repository of identity models, and waits until they are loaded."""
    if not TRITON:
        return serving.Server(repository, *flags)
    for model in repository.iterdir():
        translate(model)
    return Triton(repository, *flags)


def translate(model):
    """Makes an identity model one of Triton's Python backend."""
    config = model / "config.pbtxt"
    config.write_text(config.read_text().replace('backend: "identity"', 'backend: "python"'))
    for version in model.iterdir():
        if version.is_dir():
            shutil.copy(MODEL_PY, version / "model.py")


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Triton:
    """A running tritonserver, with what the tests use of serving.Server."""

    def __init__(self, repository, *flags):
        site = next((PEERS / "venv" / "lib").glob("python3*")) / "site-packages"
        self.http, self.grpc, self.metrics = free_ports(3)
        self.log_path = repository.with_name(repository.name + ".triton.log")
        command = [
            site / "pytriton/tritonserver/bin/tritonserver",
            f"--model-repository={repository}",
            f"--backend-directory={PEERS / 'backends'}",
            "--exit-on-error=false",
            "--exit-timeout-secs=5",
            *(f"--{name}-address=127.0.0.1" for name in ("http", "grpc", "metrics")),
            *(f"--{name}-port={getattr(self, name)}" for name in ("http", "grpc", "metrics")),
            *flags,
        ]
        paths = {"LD_LIBRARY_PATH": str(site / "nvidia_pytriton.libs"), "PATH": f"{PEERS / 'venv/bin'}:{os.environ['PATH']}"}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **paths})
        serving.wait_until(self.is_live)

    def is_live(self):
        assert self.process.poll() is None, "tritonserver ended:\n" + self.log_path.read_text()
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=5)
        try:
            connection.request("GET", "/v2/health/live")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    http_url = serving.Server.http_url
    grpc_url = serving.Server.grpc_url

    @property
    def log(self):
        return self.log_path.read_text()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(serving.PATIENCE_S)
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
