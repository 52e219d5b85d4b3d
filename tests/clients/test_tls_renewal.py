"""Certificates, keys and authorities that change while the server runs."""

import shutil
import signal
import socket

import pytest
from cases import case
from certificates import openssl, put
from secure import GET, Secure, context_of, is_refused
from serving import wait_until


@pytest.fixture
def renewed(start, repository, authority, tmp_path):
    """A server whose certificate lies where it can be replaced: running.folder / server.pem, server.key."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    put(authority.sign("first"), folder)
    running = start(repository, f"--tls-cert-file={folder}/server.pem", f"--tls-key-file={folder}/server.key")
    running.folder = folder
    return running


def subject_at(running, authority):
    with Secure(running.http, context_of(authority)) as connection:
        return connection.subject


@case("TL32", "TLS", "certificate and key that are replaced", "new connections get them; open ones go on; the log tells")
def test_renewal(renewed, authority):
    with Secure(renewed.http, context_of(authority)) as before:
        assert before.subject == "first"
        put(authority.sign("second"), renewed.folder)
        renewed.wait_for("new connections get the certificate of CN = second, valid until")
        assert subject_at(renewed, authority) == "second"
        assert before.get().status == 200
        with Secure(renewed.grpc, context_of(authority)) as connection:
            assert connection.subject == "second"


@case("TL33", "TLS", "files that are written in place", "the same")
def test_renewal_in_place(renewed, authority):
    for source, name in zip(authority.sign("second"), ("server.pem", "server.key")):
        (renewed.folder / name).write_text(open(source).read())
    wait_until(lambda: subject_at(renewed, authority) == "second")


@case("TL34", "TLS", "files behind a link to a folder, which is replaced, as Kubernetes does", "the same")
def test_renewal_by_link(start, repository, authority, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        put(authority.sign(name), tmp_path / name)
    mount = tmp_path / "mount"
    mount.mkdir()
    (mount / "..data").symlink_to("../first")
    for name in ("server.pem", "server.key"):
        (mount / name).symlink_to(f"..data/{name}")
    running = start(repository, f"--tls-cert-file={mount}/server.pem", f"--tls-key-file={mount}/server.key")
    assert subject_at(running, authority) == "first"
    (mount / "..next").symlink_to("../second")
    (mount / "..next").rename(mount / "..data")
    wait_until(lambda: subject_at(running, authority) == "second")


@case("TL35", "signal", "SIGHUP", "the files are read again, and the server goes on")
def test_hangup(renewed, authority):
    put(authority.sign("second"), renewed.folder)
    renewed.signal(signal.SIGHUP)
    wait_until(lambda: subject_at(renewed, authority) == "second")


@case("TL36", "TLS", "new files that are broken: no PEM, a key of another certificate, an encrypted key, one for everybody, none",
      "logged with the reason; the old ones stay; good files are taken later")
@pytest.mark.parametrize("broken, reason", [("text", "expected a certificate"), ("mismatch", "does not belong"), ("encrypted", "is encrypted"),
                                            ("mode", "mode 0644"), ("gone", "No such file")])
def test_broken_renewal(renewed, authority, broken, reason):
    key = renewed.folder / "server.key"
    if broken == "text":
        (renewed.folder / "server.pem").write_text("nothing")
    elif broken == "mismatch":
        shutil.copy(authority.sign("second")[1], key)
    elif broken == "encrypted":
        key.write_bytes(openssl("ec", "-in", key, "-aes128", "-passout", "pass:secret"))
    elif broken == "mode":
        key.chmod(0o644)
    else:
        key.unlink()
    renewed.wait_for(f"goes on with the certificate that it has: .*{reason}")
    assert subject_at(renewed, authority) == "first"
    put(authority.sign("third"), renewed.folder)
    wait_until(lambda: subject_at(renewed, authority) == "third")


@case("TL37", "TLS", "another authority for clients", "from then on its clients get in, and the old one's do not, not by old tickets either")
def test_new_client_authority(secured, authority, stranger, tmp_path):
    trusted = tmp_path / "clients.pem"
    shutil.copy(authority.file, trusted)
    running = secured(f"--tls-client-ca-file={trusted}")
    old, new = (context_of(authority, certificate=who.sign("client")) for who in (authority, stranger))
    raw = socket.create_connection(("127.0.0.1", running.http), timeout=60)
    with old.wrap_socket(raw, server_hostname="localhost") as connection:
        connection.sendall(GET)
        assert connection.recv(65536)
        ticket = connection.session
        connection.unwrap()
    shutil.copy(stranger.file, trusted)
    wait_until(lambda: not is_refused(running.http, new))
    assert is_refused(running.http, old)
    with pytest.raises(OSError):
        raw = socket.create_connection(("127.0.0.1", running.http), timeout=60)
        with old.wrap_socket(raw, server_hostname="localhost", session=ticket, suppress_ragged_eofs=False) as connection:
            connection.sendall(GET)
            assert not connection.recv(65536)
            raise ConnectionError("ended without an answer")
