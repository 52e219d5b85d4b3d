"""TLS for those who mean well: protocols, versions, ports, certificates of clients, orderly ends, and what the flags say.
protocol/test_client_tls.py has the client libraries."""

import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess

import grpc
import models
import pytest
from cases import case
from certificates import openssl, put
from frames import HELLO, frames
from models import BATCHED, pair
from secure import BEGIN, GET, Secure, context_of, is_refused, s_client
from serving import run
from tritonclient.grpc import service_pb2 as pb
from wire import SERVICE, Socket, get, good_inference, grpc_channel, infer_input, infer_message


# ---- protocols ----


@case("TL01", "TLS", "ALPN with h2, http/1.1, both, or none", "the server's preference, h2 first; what was agreed on works")
@pytest.mark.parametrize("offered, chosen", [(["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"),
                                             (["h3", "h2"], "h2"), ([], None)])
def test_alpn(secured, authority, offered, chosen):
    running = secured()
    for port in (running.http, running.grpc):
        with Secure(port, context_of(authority, offered)) as connection:
            assert connection.socket.selected_alpn_protocol() == chosen
            if chosen != "h2":
                assert connection.get().status == 200
            else:
                connection.send(HELLO)
                assert frames(connection.socket.recv(65536))[0][0] == 4  # SETTINGS


@case("TL02", "TLS", "another protocol than ALPN has agreed on, either way", "closed without an answer")
@pytest.mark.parametrize("agreed, spoken", [("h2", GET), ("http/1.1", HELLO)])
def test_alpn_mismatch(secured, authority, agreed, spoken):
    with Secure(secured().http, context_of(authority, [agreed])) as connection:
        connection.send(spoken)
        assert connection.read_to_end() == b""


@case("TL03", "TLS", "no ALPN, and HTTP/1.1 or HTTP/2", "told apart by the first bytes")
def test_no_alpn(secured, authority):
    running = secured()
    with Secure(running.http, context_of(authority)) as connection:
        assert connection.get().status == 200
    with Secure(running.http, context_of(authority)) as connection:
        connection.send(HELLO[:7])
        connection.send(HELLO[7:])
        assert frames(connection.socket.recv(65536))[0][0] == 4


@case("TL04", "TLS", "ALPN with nothing that the server speaks", "alert no_application_protocol")
def test_nothing_in_common(secured, authority):
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        Secure(secured().http, context_of(authority, ["spdy/1"]))


@case("TL05", "TLS", "versions 1.0 to 1.3", "1.2 and 1.3 are spoken")
@pytest.mark.parametrize("flag, spoken", [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_versions(secured, authority, flag, spoken):
    text = s_client(secured().http, flag, "-CAfile", authority.file, "-cipher", "ALL:@SECLEVEL=0" if not spoken else "DEFAULT")
    assert ("Verify return code: 0 (ok)" in text and "Cipher is (NONE)" not in text) == spoken


@case("TL06", "TLS", "--tls-min-version=1.3 and a client of 1.2", "alert protocol_version")
def test_min_version(secured, authority):
    running = secured("--tls-min-version=1.3")
    assert "alert protocol version" in s_client(running.http, "-tls1_2")
    assert "Verify return code: 0 (ok)" in s_client(running.http, "-CAfile", authority.file)


@case("TL07", "TLS 1.2", "ciphers without forward secrecy, or without authenticated encryption", "alert handshake_failure")
@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "NULL-SHA256:@SECLEVEL=0",
                                    "PSK-AES128-GCM-SHA256"])
def test_weak_ciphers(secured, cipher):
    text = s_client(secured().http, "-tls1_2", "-cipher", cipher)
    assert "handshake failure" in text or "no ciphers available" in text


@case("TL08", "TLS", "HTTP/1.1, HTTP/2 and gRPC on either port", "the same answers as without TLS")
def test_all_on_both_ports(secured, authority):
    running = secured()
    credentials = grpc.ssl_channel_credentials(open(authority.file, "rb").read())
    message = infer_message("id_int32", ("IN", "INT32", [1, 1], struct.pack("<i", 7))).SerializeToString()
    for port in (running.http, running.grpc):
        with Secure(port, context_of(authority)) as connection:
            assert connection.get().json["name"] == "inferd"
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
            answer = channel.unary_unary(SERVICE + "ModelInfer")(message, timeout=60)
        assert pb.ModelInferResponse.FromString(answer).raw_output_contents == [struct.pack("<i", 7)]


@case("TL09", "HTTP", "20 MB there and back", "the same bytes")
def test_large_bodies(secured, authority):
    values = os.urandom(20_000_000)
    head = json.dumps({"inputs": [{"name": "IN", "shape": [1, len(values) // 4], "datatype": "INT32",
                                   "parameters": {"binary_data_size": len(values)}}], "parameters": {"binary_data_output": True}}).encode()
    with Secure(secured().http, context_of(authority)) as connection:
        connection.send(b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nInference-Header-Content-Length: %d\r\nContent-Length: %d\r\n\r\n"
                        % (len(head), len(head) + len(values)))
        connection.send(head + values)
        answer = connection.read_response()
    assert answer.status == 200
    assert answer.body.endswith(values)


@case("TL10", "HTTP/1.1", "pipelined requests, in one record and a byte a record", "an answer for each, in order")
def test_pipelined_records(secured, authority):
    running = secured()
    for pieces in ([GET * 50], [bytes([byte]) for byte in GET * 3]):
        with Secure(running.http, context_of(authority)) as connection:
            for piece in pieces:
                connection.send(piece)
            count, data = b"".join(pieces).count(b"GET"), b""
            while data.count(b"HTTP/1.1 200 OK") < count:
                data += connection.socket.recv(65536)


@case("TL11", "HTTP/2", "h2load over TLS: 2,000 requests, 4 connections, 10 streams each", "all of them succeed")
def test_h2load(secured, tmp_path):
    body = tmp_path / "body"
    body.write_text(json.dumps({"inputs": [infer_input([1, 2])]}))
    url = f"https://127.0.0.1:{secured().http}/v2/models/id_int32/infer"
    ended = subprocess.run(["h2load", "-n2000", "-c4", "-m10", "-d", str(body), url], capture_output=True, text=True, timeout=120)
    assert re.search(r"requests: 2000 total, .* 2000 succeeded, 0 failed", ended.stdout), ended.stdout


# ---- other ports, other words ----


@case("TL12", "HTTP", "HTTP/1.1 without TLS to a port that speaks it", "400 in plain text with a JSON error, then the end")
def test_text_to_tls(secured):
    running = secured()
    for port in (running.http, running.grpc):
        with Socket(port) as connection:
            connection.send(GET)
            answer = connection.read_response()
            assert connection.read_to_end() == b""
        assert answer.status == 400
        assert "TLS" in json.loads(answer.body)["error"]


@case("TL13", "HTTP/2, gRPC", "HTTP/2 without TLS to a port that speaks it", "no call is answered; gRPC clients say UNAVAILABLE")
def test_prior_knowledge_to_tls(secured):
    running = secured()
    with Socket(running.http) as connection:
        connection.send(HELLO)
        assert connection.read_to_end().startswith(b"HTTP/1.1 400 ")
    with grpc_channel(running.grpc) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(SERVICE + "ServerLive")(b"", timeout=5)
    assert error.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


@case("TL14", "TLS", "a TLS handshake to a port without it", "the client's error; the server goes on")
def test_tls_to_text(server, authority):
    for port in (server.http, server.grpc, server.metrics):
        with pytest.raises(OSError):
            Secure(port, context_of(authority))
    good_inference(server.http)


@case("TL15", "HTTP", "the metrics port where TLS is on, without and with --tls-metrics", "plain; TLS")
def test_metrics_port(secured, authority):
    assert get(secured().metrics, "/metrics").status == 200
    running = secured("--tls-metrics")
    with Secure(running.metrics, context_of(authority)) as connection:
        assert connection.get(b"/metrics").status == 200
    with Socket(running.metrics) as connection:
        connection.send(GET)
        assert connection.read_response().status == 400


@case("TL16", "HTTP, gRPC", "Triton's flags for the gRPC port alone", "TLS there, none on the HTTP port, and a warning")
def test_grpc_alone(start, repository, authority):
    certificate, key = authority.sign("grpc")
    running = start(repository, "--grpc-use-ssl=1", f"--grpc-server-cert={certificate}", f"--grpc-server-key={key}")
    assert get(running.http, "/v2").status == 200
    with Secure(running.grpc, context_of(authority)) as connection:
        assert connection.subject == "grpc"
        assert connection.get().status == 200
    assert "the HTTP port serves the same calls without TLS" in running.log


@case("TL17", "HTTP, gRPC", "a certificate for both ports and another for gRPC, whose clients need one", "each port has its own rules")
def test_two_certificates(secured, authority):
    certificate, key = authority.sign("grpc")
    running = secured("--grpc-use-ssl-mutual", f"--grpc-server-cert={certificate}", f"--grpc-server-key={key}", f"--grpc-root-cert={authority.file}")
    with Secure(running.http, context_of(authority)) as connection:
        assert connection.subject == "server"
        assert connection.get().status == 200
    assert is_refused(running.grpc, context_of(authority))
    with Secure(running.grpc, context_of(authority, certificate=authority.sign("client"))) as connection:
        assert connection.subject == "grpc"
        assert connection.get().status == 200


@case("TL18", "TLS", "clients without a certificate, with a stranger's, an expired one, one that is good", "only the last gets in; alerts say why")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_client_certificates(secured, authority, stranger, version):
    running = secured(f"--tls-client-ca-file={authority.file}")
    refusals = {"none": [], "unknown ca": stranger.sign("client"), "certificate expired": authority.sign_expired("late")}
    for words, files in refusals.items():
        own = ["-cert", files[0], "-key", files[1]] if files else []
        text = s_client(running.http, version, *own, "-ign_eof", given=GET)
        assert "HTTP/1.1 200" not in text
        assert words == "none" and ("certificate required" in text or "handshake failure" in text) or f"alert {words}" in text, text
    for name in ("client", "another"):
        with Secure(running.http, context_of(authority, certificate=authority.sign(name))) as connection:
            assert connection.get().status == 200


@case("TL19", "TLS", "a session that is resumed, with and without certificates of clients", "it is, and the request is answered")
@pytest.mark.parametrize("mutual", [False, True])
def test_resumption(secured, authority, mutual):
    running = secured(*([f"--tls-client-ca-file={authority.file}"] if mutual else []))
    context = context_of(authority, certificate=authority.sign("client") if mutual else None)
    session = None
    for i in range(2):
        raw = socket.create_connection(("127.0.0.1", running.http), timeout=60)
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as connection:
            connection.sendall(GET)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
            assert connection.session_reused == bool(i)
            session = connection.session
            connection.unwrap()


@case("TL20", "TLS", "early data, renegotiation, compression", "none of them")
def test_no_extras(secured, authority, tmp_path):
    running = secured()
    session, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(GET)
    text = s_client(running.http, "-CAfile", authority.file, "-sess_out", session, "-ign_eof", given=GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert "Max Early Data: 0" in text
    text = s_client(running.http, "-CAfile", authority.file, "-sess_in", session, "-early_data", early)
    assert "Early data was accepted" not in text
    text = s_client(running.http, "-tls1_2", "-CAfile", authority.file, given=b"R\n")
    assert "Compression: NONE" in text
    assert "no renegotiation" in text
    assert not is_refused(running.http, context_of(authority))


# ---- ends ----


@case("TL21", "HTTP/1.1", "a request with Connection: close", "the answer, and TLS's own end behind it")
def test_end_in_order(secured, authority):
    with Secure(secured().http, context_of(authority)) as connection:
        connection.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answer = b""
        while data := connection.socket.recv(65536):  # a truncated end raises
            answer += data
    assert answer.startswith(b"HTTP/1.1 200 ")


@case("TL22", "HTTP/1.1", "a client that ends TCP but not TLS in the middle of a request, and behind one", "lost; others are served")
def test_truncated_request(secured, authority):
    running = secured()
    for beginning in (GET[:-3], b"POST /v2/models/id_int32/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{", GET):
        with Secure(running.http, context_of(authority)) as connection:
            connection.send(beginning)
            socket.socket.shutdown(connection.socket, socket.SHUT_WR)  # below TLS
            with pytest.raises(OSError):
                while connection.socket.recv(65536):
                    pass
                raise ConnectionError("ended in order")
    assert not is_refused(running.http, context_of(authority))


@case("TL23", "both", "SIGTERM with a TLS connection idle, one in its handshake, one with a request under way", "answered; the ends are in order; exit code 0")
def test_drain(secured, authority, repository):
    models.add(repository, "slow", BATCHED + pair("INT32", "-1") + models.parameter("execute_delay_ms", "300"))
    running = secured()
    body = json.dumps({"inputs": [infer_input([1])]}).encode()
    context = context_of(authority)
    with Secure(running.http, context) as idle, Secure(running.http, context) as busy, Socket(running.http) as begun:
        assert idle.get().status == 200
        begun.send(BEGIN)
        busy.send(b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        running.signal()
        assert busy.read_response().status == 200
        assert idle.socket.recv(100) == b""
        assert begun.read_to_end() == b""
        assert busy.socket.recv(100) == b""
    assert running.wait() == 0


# ---- the command line ----


@case("TL38", "command line", "flags of TLS without those that belong to them", "exit code 2 with what is missing")
@pytest.mark.parametrize("flags, words", [
    (["--tls-cert-file=c"], "--tls-cert-file: expected --tls-key-file with it"),
    (["--tls-key-file=k"], "--tls-key-file: expected --tls-cert-file with it"),
    (["--tls-client-ca-file=a"], "--tls-client-ca-file: expected --tls-cert-file with it"),
    (["--tls-metrics"], "--tls-metrics: expected --tls-cert-file with it"),
    (["--grpc-use-ssl"], "--grpc-use-ssl: expected --grpc-server-cert and --grpc-server-key"),
    (["--grpc-server-cert=c", "--grpc-server-key=k"], "--grpc-server-cert: expected --grpc-use-ssl with it"),
    (["--grpc-use-ssl", "--grpc-server-cert=c"], "--grpc-server-cert: expected --grpc-server-key with it"),
    (["--grpc-use-ssl", "--grpc-server-cert=c", "--grpc-server-key=k", "--grpc-root-cert=r"], "--grpc-root-cert: expected --grpc-use-ssl-mutual with it"),
    (["--grpc-use-ssl-mutual", "--grpc-server-cert=c", "--grpc-server-key=k"], "--grpc-use-ssl-mutual: expected --grpc-root-cert"),
    (["--tls-min-version=1.1"], "--tls-min-version: expected one of 1.2|1.3"),
])
def test_incomplete_flags(tmp_path, flags, words):
    ended = run("serve", f"--model-repository={tmp_path}", *flags)
    assert ended.returncode == 2
    assert words in ended.stderr


@case("TL39", "command line", "files that cannot be used: none, no PEM, a key of another certificate, encrypted, for everybody; no authority",
      "exit code 1; the file and the reason")
@pytest.mark.parametrize("broken, reason", [("gone", "No such file"), ("text", "expected a private key"), ("mismatch", "does not belong"),
                                            ("encrypted", "is encrypted: expected one without a passphrase"), ("mode", "mode 0644"),
                                            ("authority", "expected certificates in PEM form")])
def test_unusable_files(tmp_path, authority, broken, reason):
    put(authority.sign("server"), tmp_path)
    key, flags = tmp_path / "server.key", []
    if broken == "gone":
        key.unlink()
    elif broken == "text":
        key.write_text("nothing")
    elif broken == "mismatch":
        shutil.copy(authority.sign("second")[1], key)
    elif broken == "encrypted":
        key.write_bytes(openssl("ec", "-in", key, "-aes128", "-passout", "pass:secret"))
    elif broken == "mode":
        key.chmod(0o644)
    else:
        (tmp_path / "ca.pem").write_text("nothing")
        flags = [f"--tls-client-ca-file={tmp_path}/ca.pem"]
    ports = ["--http-port=0", "--grpc-port=0", "--metrics-port=0"]
    ended = run("serve", f"--model-repository={tmp_path}", *ports, f"--tls-cert-file={tmp_path}/server.pem", f"--tls-key-file={key}", *flags)
    assert ended.returncode == 1
    assert reason in ended.stderr and str(tmp_path) in ended.stderr


@case("TL40", "HTTP", "a token over TLS on both ports", "it is taken, and the log has no warning of tokens in clear")
def test_tokens_over_tls(secured, authority, tmp_path):
    token = "a-token-of-a-test-0123456789"
    (tmp_path / "tokens").write_text(token + "\n")
    (tmp_path / "tokens").chmod(0o600)
    running = secured(f"--restrict=all:{tmp_path}/tokens")
    with Secure(running.http, context_of(authority)) as connection:
        assert connection.get().status == 401
        connection.send(GET.replace(b"\r\n\r\n", f"\r\nAuthorization: Bearer {token}\r\n\r\n".encode()))
        assert connection.read_response().status == 200
    assert "in clear" not in running.log
