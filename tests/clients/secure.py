"""Connections over TLS, by Python's ssl and by the openssl command."""

import ssl
import subprocess

from wire import Socket

GET = b"GET /v2 HTTP/1.1\r\nHost: h\r\n\r\n"
BEGIN = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4"  # of a ClientHello of 196 bytes


def context_of(authority, protocols=(), certificate=None):
    context = ssl.create_default_context(cafile=authority.file)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if certificate:
        context.load_cert_chain(*certificate)
    return context


class Secure(Socket):
    """A connection over TLS; a truncated one raises."""

    def __init__(self, port, context):
        super().__init__(port)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost", suppress_ragged_eofs=False)

    @property
    def subject(self):
        return dict(pair[0] for pair in self.socket.getpeercert()["subject"])["commonName"]

    def get(self, path=b"/v2"):
        self.send(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % path)
        return self.read_response()


def s_client(port, *words, given=b""):
    """What openssl's client says, without regard to how it ends."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *map(str, words)]
    ended = subprocess.run(command, input=given, capture_output=True, timeout=60)
    return (ended.stdout + ended.stderr).decode(errors="replace")


def is_refused(port, context):
    """Whether the server lets a client not even ask; it may find out only behind its own part of the handshake."""
    try:
        with Secure(port, context) as connection:
            connection.get()
    except (OSError, ConnectionError):
        return True
    return False
