"""Flags of Triton's that say who the server is and what it opens: --id, --allow-*; and those that are refused by name."""

import os
import re

import models
import pytest
from cases import case
from certificates import put
from models import BATCHED, pair, parameter
from repository import infer
from secure import Secure, context_of
from serving import run
from tritonclient.grpc import service_pb2 as pb
from wire import get, grpc_call, grpc_error, infer_message

MODEL = BATCHED + pair("INT32", "-1")


@pytest.fixture
def filled(repository):
    models.add(repository, "m", MODEL)
    return repository


def over_grpc(port):
    message = infer_message("m", ("IN", "INT32", [1, 1], (7).to_bytes(4, "little")))
    return pb.ModelInferResponse.FromString(grpc_call(port, "ModelInfer", message)).raw_output_contents[0]


def listening(server):
    """Ports of the process that take connections, of IPv4."""
    inodes = set()
    for name in os.listdir(f"/proc/{server.process.pid}/fd"):
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{server.process.pid}/fd/{name}"))
        except OSError:  # closed meanwhile
            continue
        if found:
            inodes.add(found.group(1))
    rows = [line.split() for line in open(f"/proc/{server.process.pid}/net/tcp").readlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[9] in inodes}


# ---- the name of the server ----


@case("SF01", "both, TRTIS v1", "--id", "the name in the metadata over HTTP and gRPC, server_id in TRTIS v1")
def test_id(start, repository):
    server = start(repository, '--id=front "a" ü')
    assert get(server.http, "/v2").json["name"] == 'front "a" ü'
    assert pb.ServerMetadataResponse.FromString(grpc_call(server.grpc, "ServerMetadata", b"")).name == 'front "a" ü'
    status = get(server.http, "/api/status")
    assert b'id: "front \\"a\\" \\303\\274"' in status.body
    assert 'server_id: "front \\"a\\" \\303\\274"' in status.headers["nv-status"]


@case("SF02", "both, TRTIS v1", "no --id", "inferd; in TRTIS v1 inference:0, as there")
def test_default_id(start, repository):
    server = start(repository)
    assert get(server.http, "/v2").json["name"] == "inferd"
    assert b'id: "inference:0"' in get(server.http, "/api/status").body


@case("SF03", "command line", "an --id that is empty, has control characters or is not UTF-8", "exit 2")
@pytest.mark.parametrize("name", [b"", b"a\nb", b"a\x7f", b"\xff"])
def test_bad_id(name):
    done = run("serve", "--model-repository=/tmp", b"--id=" + name)
    assert done.returncode == 2
    assert "--id: expected a name in UTF-8" in done.stderr


# ---- what is opened ----


@case("SF04", "gRPC", "--allow-http=false", "no HTTP port, gRPC is served, plain HTTP is not on its port either")
def test_no_http(start, filled):
    server = start(filled, "--allow-http=false")
    assert listening(server) == {server.grpc, server.metrics}
    assert "HTTP listening" not in server.log
    assert over_grpc(server.grpc) == (7).to_bytes(4, "little")
    for path in ("/v2", "/v2/health/ready", "/metrics"):
        assert get(server.grpc, path).status == 404
    assert get(server.grpc, "/api/status").status == 400  # as every unknown path of TRTIS v1
    assert b"nv_inference_count" in get(server.metrics, "/metrics").body
    server.stop()


@case("SF05", "HTTP", "--allow-grpc=false", "no gRPC port, HTTP is served; a call over the HTTP port is UNIMPLEMENTED")
def test_no_grpc(start, filled):
    server = start(filled, "--allow-grpc=false")
    assert listening(server) == {server.http, server.metrics}
    assert infer(server, "m", 7) == (200, [7])
    assert grpc_error(server.http, "ServerLive", b"")[0].name == "UNIMPLEMENTED"
    server.stop()


@case("SF06", "HTTP", "--allow-metrics=false", "no metrics port, and no /metrics on the others")
def test_no_metrics(start, filled):
    server = start(filled, "--allow-metrics=false")
    assert listening(server) == {server.http, server.grpc}
    assert infer(server, "m", 7) == (200, [7])
    for port in (server.http, server.grpc):
        assert get(port, "/metrics").status == 404
    server.stop()


@case("SF07", "HTTP", "--allow-cpu-metrics=false", "/metrics without nv_cpu_*")
def test_no_cpu_metrics(start, filled):
    server = start(filled, "--allow-cpu-metrics=false")
    text = get(server.metrics, "/metrics").body
    assert b"nv_inference_count" in text and b"nv_cpu_" not in text


@case("SF08", "command line", "--allow-* with 0, 1, true, and alone; in the environment", "as any bool flag")
def test_spellings(start, filled):
    server = start(filled, "--allow-http=1", "--allow-grpc=true", "--allow-metrics", environment={"INFERD_ALLOW_CPU_METRICS": "0"})
    assert listening(server) == {server.http, server.grpc, server.metrics}
    assert b"nv_cpu_" not in get(server.metrics, "/metrics").body


@case("SF09", "command line", "neither HTTP nor gRPC; TLS for a port that is not opened", "exit 2 with the flags")
@pytest.mark.parametrize("flags, told", [
    (["--allow-http=false", "--allow-grpc=0"], "--allow-http=false and --allow-grpc=false"),
    (["--allow-metrics=false", "--tls-metrics", "--tls-cert-file=c", "--tls-key-file=k"], "--tls-metrics: expected --allow-metrics"),
    (["--allow-grpc=false", "--grpc-use-ssl", "--grpc-server-cert=c", "--grpc-server-key=k"], "--grpc-use-ssl: expected --allow-grpc"),
    (["--allow-http=false", "--tls-cert-file=c", "--tls-key-file=k", "--grpc-use-ssl", "--grpc-server-cert=c",
      "--grpc-server-key=k"], "--tls-cert-file: expected --allow-http"),
])
def test_conflicts(flags, told):
    done = run("serve", "--model-repository=/tmp", *flags)
    assert done.returncode == 2
    assert told in done.stderr


@case("SF10", "TLS", "--allow-http=false with a certificate for all ports, or gRPC's own and one for metrics", "both speak TLS, and take new certificates")
@pytest.mark.parametrize("own", [False, True])
def test_tls_without_http(start, repository, authority, tmp_path, own):
    put(authority.sign("server"), tmp_path)
    other, other_key = authority.sign("other")
    flags = [f"--tls-cert-file={tmp_path}/server.pem", f"--tls-key-file={tmp_path}/server.key", "--tls-metrics"]
    if own:
        flags += ["--grpc-use-ssl", f"--grpc-server-cert={other}", f"--grpc-server-key={other_key}"]
    server = start(repository, "--allow-http=false", *flags)
    for port, name in ((server.grpc, "other" if own else "server"), (server.metrics, "server")):
        with Secure(port, context_of(authority)) as connection:
            assert connection.subject == name
    assert "without TLS" not in server.log
    assert ("TLS on the metrics port: certificate of" in server.log) == own
    put(authority.sign("next"), tmp_path)
    server.wait_for(f"TLS on the {'metrics' if own else 'gRPC'} port: new connections get the certificate of")
    with Secure(server.metrics, context_of(authority)) as connection:
        assert connection.subject == "next"
    server.stop()


@case("SF11", "both", "--model-load-thread-count", "so many models are loaded at once at start")
def test_load_threads(start, repository):
    for i in range(6):
        models.add(repository, f"m{i}", MODEL + parameter("load_delay_ms", "700"))
    server = start(repository, "--model-load-thread-count=3")
    at_once = [0]
    for begun in re.findall(r"load(ing|ed) 'm\d' version 1", server.log):
        at_once.append(at_once[-1] + (1 if begun == "ing" else -1))
    assert max(at_once) == 3 and len(at_once) == 13 and at_once[-1] == 0


@case("SF12", "command line", "flags of Triton for what is not here", "exit 2 with the reason, or what to use")
@pytest.mark.parametrize("flag, told", [
    ("--rate-limit=execution_count", "there is no rate limiter"),
    ("--grpc-infer-thread-count=4", "use --http-thread-count"),
    ("--pinned-memory-pool-byte-size=0", "there is no such pool"),
    ("--disable-auto-complete-config", "a config is completed"),
    ("--cache-config=local,size=1", "there is no cache"),
    ("--repository-poll-secs=5", "--model-control-mode=explicit"),
])
def test_refused_flags(flag, told):
    done = run("serve", "--model-repository=/tmp", flag)
    assert done.returncode == 2
    assert flag.split("=")[0] + " is not taken: " in done.stderr and told in done.stderr
