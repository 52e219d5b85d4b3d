"""`inferd perf` and `inferd squad` over TLS: whom they trust, what they show of themselves, and what they say when it does not work."""

import subprocess

import models
import perf_tool
import pytest
import serving
from cases import case
from certificates import Authority, openssl
from perf_tool import PROTOCOLS

COUNTED = ["-m", "id_int32", "--request-count", "40", "--concurrency-range", "4"]
ELSEWHERE = ["--http-address=127.0.0.2", "--grpc-address=127.0.0.2"]  # an address that the certificate does not have
# What perf_analyzer calls the same thing.
FLAGS = {"http": {"ca": "--ssl-https-ca-certificates-file", "certificate": "--ssl-https-client-certificate-file", "key": "--ssl-https-private-key-file"},
         "grpc": {"ca": "--ssl-grpc-root-certifications-file", "certificate": "--ssl-grpc-certificate-chain-file", "key": "--ssl-grpc-private-key-file"}}


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "authority")


@pytest.fixture
def secured(start, repository, authority):
    """Starts servers that speak TLS: secured(*flags)."""
    models.add(repository, "id_int32", models.BATCHED + models.pair("INT32", "-1"))
    certificate, key = authority.sign("server")
    return lambda *flags: start(repository, f"--tls-cert-file={certificate}", f"--tls-key-file={key}", *flags)


def perf(running, protocol, *options, host="localhost", count=16, **files):
    """The finished process; files: ca, certificate, key."""
    url = f"https://{host}:{running.http}" if protocol == "http" else f"{host}:{running.grpc}"
    flags = [word for name, file in files.items() for word in (FLAGS[protocol][name], str(file))]
    if protocol == "grpc":
        flags.append("--ssl-grpc-use-ssl")
    command = [serving.BINARY, "perf", "-i", protocol, "-u", url, *COUNTED, "--shape", f"IN:{count}", *flags, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=2 * serving.PATIENCE_S)


def expect_good(ended):
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Request count: 40\n" in ended.stdout and "Failed" not in ended.stdout


def expect_bad(ended, words, code=99):
    assert ended.returncode == code and words in ended.stderr, ended.stdout + ended.stderr


@case("PX01", "TLS", "inferd perf over HTTP/1.1 and gRPC, by name and by address", "all requests are answered, the server's part is shown; large tensors too")
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_over_tls(secured, authority, protocol, host):
    running = secured()
    ended = perf(running, protocol, host=host, ca=authority.file)
    expect_good(ended)
    assert "Inference count: 40\n" in ended.stdout
    expect_good(perf(running, protocol, host=host, count=1_000_000, ca=authority.file))


@case("PX02", "TLS", "a server of an unknown authority, for another name, and one whose certificate has expired", "refused, with the reason")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_is_not_trusted(secured, start, repository, authority, tmp_path, protocol):
    running = secured()
    expect_bad(perf(running, protocol), "certificate")
    expect_bad(perf(running, protocol, ca=Authority(tmp_path, "stranger").file), "certificate")
    elsewhere = secured(*ELSEWHERE)
    expect_bad(perf(elsewhere, protocol, host="127.0.0.2", ca=authority.file), "the server's certificate is not for this host")
    certificate, key = authority.sign_expired("expired")
    expired = start(repository, f"--tls-cert-file={certificate}", f"--tls-key-file={key}")
    expect_bad(perf(expired, protocol, ca=authority.file), "expired")


@case("PX03", "TLS", "--ssl-https-verify-peer 0, --ssl-https-verify-host 0", "each lifts its own check, and only that")
def test_checks_lifted(secured, authority):
    running, elsewhere = secured(), secured(*ELSEWHERE)
    expect_good(perf(running, "http", "--ssl-https-verify-peer", "0"))
    expect_bad(perf(elsewhere, "http", "--ssl-https-verify-peer", "0", host="127.0.0.2"), "not for this host")
    expect_good(perf(elsewhere, "http", "--ssl-https-verify-host", "0", host="127.0.0.2", ca=authority.file))
    expect_bad(perf(running, "http", "--ssl-https-verify-host", "0"), "certificate")


@case("PX04", "TLS", "a server that asks for a certificate", "with it: answers; without: the server's alert is told")
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_own_certificate(secured, authority, protocol, version):
    running = secured(f"--tls-client-ca-file={authority.file}", *(["--tls-min-version=1.3"] if version == "1.3" else []))
    certificate, key = authority.sign("client")
    expect_good(perf(running, protocol, ca=authority.file, certificate=certificate, key=key))
    expect_bad(perf(running, protocol, ca=authority.file), "certificate required")


@case("PX05", "TLS", "certificate and key in DER form, as --ssl-https-client-certificate-type and --ssl-https-private-key-type say", "answers")
def test_der(secured, authority, tmp_path):
    running = secured(f"--tls-client-ca-file={authority.file}")
    certificate, key = authority.sign("client")
    openssl("x509", "-in", certificate, "-outform", "DER", "-out", tmp_path / "c.der")
    openssl("pkey", "-in", key, "-outform", "DER", "-out", tmp_path / "k.der")
    (tmp_path / "k.der").chmod(0o600)
    der = {"ca": authority.file, "certificate": tmp_path / "c.der", "key": tmp_path / "k.der"}
    expect_good(perf(running, "http", "--ssl-https-client-certificate-type", "DER", "--ssl-https-private-key-type", "DER", **der))
    expect_bad(perf(running, "http", **der), "expected a certificate in PEM form")


@case("PX06", "TLS", "TLS to a plain port, and plain requests to a TLS port", "an error that says so, at once")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_wrong_port(server, secured, authority, protocol):
    expect_bad(perf(server, protocol, ca=authority.file), "does not speak TLS")
    said = perf_tool.refused(secured(), protocol, *COUNTED)
    assert {"http": "this port speaks TLS", "grpc": "the server answers in HTTP/1.1"}[protocol] in said
    assert "still loading" not in said  # nor waits for it


@case("PX07", "flag", "TLS flags that contradict one another or would be ignored", "exit code 3")
@pytest.mark.parametrize("words", ["--ssl-https-verify-peer 0", "-u http://h:1 --ssl-https-ca-certificates-file f", "--ssl-grpc-use-ssl",
                                   "-i grpc --ssl-grpc-root-certifications-file f", "-i grpc --ssl-https-verify-peer 0 --ssl-grpc-use-ssl",
                                   "-i grpc -u http://h:1 --ssl-grpc-use-ssl", "-u https://h:1 --ssl-https-private-key-file f",
                                   "--ssl-https-client-certificate-type DER", "--ssl-https-private-key-type DER",
                                   "-u https://h:1 --ssl-https-private-key-type DER", "--ssl-https-verify-peer 0 --metrics-url https://h:1",
                                   "--ssl-https-verify-peer 0 --collect-metrics --metrics-url http://h:1",
                                   "-i grpc --ssl-https-private-key-file f --collect-metrics --metrics-url https://h:1"])
def test_contradictions(words):
    expect_bad(subprocess.run([serving.BINARY, "perf", "-m", "m", *words.split()], capture_output=True, text=True, timeout=60), "", code=3)


@case("PX08", "TLS", "inferd squad with --url https://, and --tls-* files", "reaches the model; is refused without its authority")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_squad(secured, authority, tmp_path, protocol):
    running = secured(f"--tls-client-ca-file={authority.file}")
    certificate, key = authority.sign("client")
    data = tmp_path / "d.json"
    data.write_text('{"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": "A b.", "qas": [{"id": "1", "question": "A?", "answers": []}]}]}]}')
    url = f"https://localhost:{running.http if protocol == 'http' else running.grpc}"

    def squad(*options):
        command = [serving.BINARY, "squad", "--data", str(data), "--url", url, "--protocol", protocol, "--model", "id_int32", *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    reached = squad("--tls-ca-file", authority.file, "--tls-cert-file", certificate, "--tls-key-file", key)
    assert "input_ids" in reached.stderr, reached.stderr  # it saw the model, which is none for questions
    assert "certificate" in squad().stderr


@case("PF08", "TLS", "metrics over TLS beside inferences over a plain connection, the scheme in capitals", "--ssl-https-* are for the metrics; without them the certificate is not trusted")
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
def test_metrics_over_tls(server, secured, authority, protocol, scheme):
    watched = secured("--tls-metrics")
    asked = ["-m", "id_int32", "--shape", "IN:2", "--request-count", "20", "--collect-metrics", "--metrics-url", f"{scheme}://localhost:{watched.metrics}/metrics"]
    perf_tool.good(server, protocol, *asked, FLAGS["http"]["ca"], str(authority.file))
    perf_tool.good(server, protocol, *asked, "--ssl-https-verify-peer", "0")
    assert "certificate" in perf_tool.refused(server, protocol, *asked)


@case("PF09", "TLS", "gRPC and metrics, both over TLS, with --ssl-grpc-* alone", "they are for the metrics, too")
def test_one_authority_for_both(secured, authority):
    running = secured("--tls-metrics")
    expect_good(perf(running, "grpc", "--collect-metrics", "--metrics-url", f"https://localhost:{running.metrics}/metrics", ca=authority.file))
