"""The real clients over TLS: tritonclient's four, kserve's, perf_analyzer, curl. Triton has TLS on its gRPC port alone."""

import ssl
import subprocess

import grpc
import models
import numpy as np
import peers
import perf_runs
import pytest
from cases import case, triton_differs
from certificates import Authority
from triton_client import Client, integers, same
from tritonclient.utils import InferenceServerException

REFUSED = (InferenceServerException, OSError, ssl.SSLError)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """An authority that the server has nothing to do with."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


def start(tmp_path_factory, authority, mutual):
    folder = tmp_path_factory.mktemp("tls") / "models"
    folder.mkdir()
    models.add(folder, "id_int32", models.BATCHED + models.pair("INT32", "-1"))
    certificate, key = authority.sign("server")
    flags = ["--grpc-use-ssl=true", f"--grpc-server-cert={certificate}", f"--grpc-server-key={key}"]
    if mutual:
        flags += ["--grpc-use-ssl-mutual=true", f"--grpc-root-cert={authority.file}"]
    if not peers.TRITON:
        flags = [f"--tls-cert-file={certificate}", f"--tls-key-file={key}"]
        flags += [f"--tls-client-ca-file={authority.file}"] if mutual else []
    return peers.start(folder, *flags)


@pytest.fixture(scope="module")
def secure(tmp_path_factory, authority):
    """A server that speaks TLS."""
    running = start(tmp_path_factory, authority, False)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def mutual(tmp_path_factory, authority):
    """A server that wants to see its clients' certificates."""
    running = start(tmp_path_factory, authority, True)
    yield running
    running.stop()


def tls(form, trusted, certificate=None, key=None):
    """The options of a client that trusts an authority, and shows a certificate if it has one."""
    if form == "http":
        own = {"certfile": certificate, "keyfile": key} if certificate else {}
        return {"ssl": True, "ssl_options": {"ca_certs": trusted.file, **own}}
    if form.startswith("grpc"):
        return {"ssl": True, "root_certificates": trusted.file, "certificate_chain": certificate, "private_key": key}
    context = ssl.create_default_context(cafile=trusted.file)
    if certificate:
        context.load_cert_chain(certificate, key)
    return {"ssl": True, "ssl_context": context}


def check(client):
    assert client.is_server_live() is True
    assert same(client.infer_array("id_int32", integers(1, 2)), integers(1, 2))


@case("CK01", "four clients", "TLS, with the server's authority trusted", "answered")
@triton_differs("no TLS on the HTTP port", only="HTTP clients")
def test_tls(secure, authority, connect, form):
    client = connect(secure, **tls(form, authority))
    check(client)
    values = np.arange(1 << 20, dtype=np.int32).reshape(1, -1)
    assert same(client.infer_array("id_int32", values), values)
    with client.refused("NOT_FOUND", "nothing"):
        client.infer_array("nothing", integers(1))


@case("CK02", "four clients", "TLS, with another authority trusted", "the client refuses the server")
def test_untrusted_server(secure, stranger, connect, form):
    with pytest.raises(REFUSED):
        connect(secure, **tls(form, stranger)).get_model_metadata("id_int32")


@case("CK03", "four clients", "no TLS, to a port that speaks it", "an error, no answer")
@triton_differs("no TLS on the HTTP port", only="HTTP clients")
def test_plain_client(secure, connect):
    with pytest.raises(REFUSED):
        connect(secure).get_model_metadata("id_int32")


@case("CK04", "four clients", "TLS, to a port that does not speak it", "an error, no answer")
def test_plain_server(peer, authority, connect, form):
    with pytest.raises(REFUSED):
        connect(peer, **tls(form, authority)).get_model_metadata("id_int32")


@case("CK05", "four clients", "TLS with a certificate of the client's, to a server that wants one", "answered")
@triton_differs("no TLS on the HTTP port", only="HTTP clients")
def test_client_certificate(mutual, authority, connect, form):
    check(connect(mutual, **tls(form, authority, *authority.sign("client"))))


@case("CK06", "four clients", "TLS without a certificate, or with a stranger's, to a server that wants one", "an error, no answer")
@pytest.mark.parametrize("shown", ["none", "stranger's"])
def test_no_client_certificate(mutual, authority, stranger, connect, form, shown):
    own = stranger.sign("client") if shown != "none" else ()
    with pytest.raises(REFUSED):
        connect(mutual, **tls(form, authority, *own)).get_model_metadata("id_int32")


@case("CK07", "http", "TLS with insecure=True, to a name that the certificate does not have", "answered; refused without it")
@triton_differs("no TLS on the HTTP port")
def test_insecure(secure, authority, form, runner):
    url = f"127.1:{secure.http}"  # another spelling of 127.0.0.1
    with Client(form, url, runner, insecure=True, **tls(form, authority)) as client:
        check(client)
    with Client(form, url, runner, **tls(form, authority)) as client, pytest.raises(REFUSED):
        client.is_server_live()


@case("CK08", "gRPC clients", "TLS by grpcio's own credentials (creds)", "answered")
def test_credentials(secure, authority, connect):
    with open(authority.file, "rb") as file:
        check(connect(secure, creds=grpc.ssl_channel_credentials(file.read())))


@case("CK09", "grpc", "a stream over TLS", "answered")
def test_stream(secure, authority, connect, form):
    client = connect(secure, **tls(form, authority))
    outcomes = []
    client.start_stream(lambda result, error: outcomes.append((result, error)))
    for i in range(10):
        client.async_stream_infer("id_int32", [client.tensor(integers(i))])
    client.stop_stream()
    assert [int(result.as_numpy("OUT")[0, 0]) for result, error in outcomes] == list(range(10))


# ---- others ----


@case("CK10", "gRPC", "kserve over TLS", "answered")
def test_kserve_grpc(secure, authority, kserve_process):
    check_kserve(kserve_process, "grpc", secure, authority)


@case("CK11", "HTTP/1.1, HTTP/2", "kserve over TLS, with http2=True too, where ALPN chooses it", "answered")
@triton_differs("no TLS on the HTTP port")
@pytest.mark.parametrize("protocol", ["http", "http2"])
def test_kserve_http(secure, authority, kserve_process, protocol):
    check_kserve(kserve_process, protocol, secure, authority)


def check_kserve(process, protocol, server, authority):
    arrays = {"IN": ("INT32", integers(1, 2))}
    assert process("call", protocol, server, "is_server_ready", authority=authority.file) is True
    assert same(process("infer", protocol, server, "id_int32", arrays, authority=authority.file)[1]["OUT"], integers(1, 2))


@case("CK12", "HTTP/1.1, HTTP/2", "curl over TLS, HTTP/1.1 and HTTP/2 by ALPN", "200 over that version; its error with another authority")
@triton_differs("no TLS on the HTTP port")
@pytest.mark.parametrize("option, version", [("--http1.1", "1.1"), ("--http2", "2")])
def test_curl(secure, authority, stranger, option, version):
    command = ["curl", "--silent", option, "--output", "/dev/null", "--write-out", "%{http_code} %{http_version}"]
    url = f"https://127.0.0.1:{secure.http}/v2"
    ended = subprocess.run([*command, "--cacert", authority.file, url], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, f"200 {version}")
    assert subprocess.run([*command, "--cacert", stranger.file, url], capture_output=True, timeout=60).returncode == 60


@case("PA23", "gRPC", "perf_analyzer over TLS, with a certificate of its own", "a sane row")
@pytest.mark.repeat
def test_perf_analyzer_grpc(mutual, authority, tmp_path):
    certificate, key = authority.sign("client")
    options = ["--ssl-grpc-use-ssl", f"--ssl-grpc-root-certifications-file={authority.file}",
               f"--ssl-grpc-certificate-chain-file={certificate}", f"--ssl-grpc-private-key-file={key}"]
    perf_runs.report(mutual, "grpc", tmp_path / "report.csv", "id_int32", "--shape=IN:2", *options)


@case("PA24", "HTTP", "perf_analyzer over TLS, with a certificate of its own", "a sane row")
@triton_differs("no TLS on the HTTP port")
@pytest.mark.repeat
def test_perf_analyzer_http(mutual, authority, tmp_path):
    certificate, key = authority.sign("client")
    options = [f"--ssl-https-ca-certificates-file={authority.file}", f"--ssl-https-client-certificate-file={certificate}",
               f"--ssl-https-private-key-file={key}", "-u", f"https://{mutual.http_url}"]
    perf_runs.report(mutual, "http", tmp_path / "report.csv", "id_int32", "--shape=IN:2", *options)
