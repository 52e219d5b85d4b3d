"""TLS and clients that mean harm: handshakes that stand still, are huge, broken, cut off or no handshakes at all."""

import socket
import ssl
import struct
import threading

import pytest
from cases import case
from secure import BEGIN, GET, Secure, context_of, is_refused
from wire import Socket


@case("TL24", "TLS", "200 half-open handshakes beside good clients", "these are served")
def test_half_open(secured, authority):
    running = secured()
    half_open = [Socket(running.http) for _ in range(200)]
    for i, connection in enumerate(half_open):
        connection.send(BEGIN[: i % len(BEGIN) + 1])
    for _ in range(20):
        with Secure(running.http, context_of(authority)) as connection:
            assert connection.get().status == 200
    for connection in half_open:
        connection.socket.close()


@case("TL25", "TLS", "handshakes that stand still: no byte, one, half a ClientHello, no answer to the server's part", "closed after the time for the first bytes")
def test_standing_handshakes(secured):
    running = secured("--request-timeout-secs=1")
    hello = ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="h")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    whole = hello.read()
    connections = [Socket(running.http) for _ in range(4)]
    for connection, part in zip(connections, (b"", whole[:1], whole[:100], whole)):
        connection.send(part)
    for connection in connections:
        connection.read_to_end()
        connection.socket.close()


@case("TL26", "TLS", "a handshake byte by byte", "it succeeds")
def test_slow_handshake(secured, authority):
    running = secured()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context_of(authority).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with Socket(running.http) as connection:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    connection.send(bytes([byte]))
                incoming.write(connection.socket.recv(65536))
        client.write(GET)
        connection.send(outgoing.read())
        answer = b""
        while b"inferd" not in answer:
            incoming.write(connection.socket.recv(65536))
            try:
                answer += client.read(65536)
            except ssl.SSLWantReadError:
                pass
    assert answer.startswith(b"HTTP/1.1 200 ")


@case("TL27", "TLS", "a ClientHello that claims 16 MB, 128 KiB, 17 KiB; one that is long for real", "closed at its ninth byte, without waiting for more")
@pytest.mark.parametrize("claimed", [0xFFFFFF, 0x20000, 0x4400])
def test_huge_hello(secured, claimed):
    with Socket(secured().http) as connection:
        connection.send(b"\x16\x03\x01\x40\x00\x01" + struct.pack(">I", claimed)[1:])
        assert connection.read_to_end() == b""
    with Socket(secured().http) as connection:
        record = b"\x16\x03\x01\x40\x00"
        try:
            connection.send(record + b"\x01\x00\x3f\xfc" + bytes(0x3FFC) + (record + bytes(0x4000)) * 20)
        except ConnectionError:
            pass
        connection.read_to_end()


@case("TL28", "TLS", "garbage: other records, old versions, random bytes, a broken handshake", "closed; the server goes on")
@pytest.mark.parametrize("data", [
    b"\x00", b"\x80\x2e\x01\x03\x01\x00\x15", b"\x15\x03\x01\x00\x02\x02\x28", b"\x17\x03\x03\x00\x10" + bytes(16), b"\x16\x03\x01\x00\x00" * 100,
    b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", b"\x16\x03\x01\xff\xff" + bytes(100), b"\x16\x02\x00\x00\x05", b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
    b"\xff" * 1000, b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03" + bytes(39), b"\x14\x03\x03\x00\x01\x01" * 50,
])
def test_garbage(secured, authority, data):
    running = secured()
    with Socket(running.http) as connection:
        connection.send(data)
        assert b"HTTP" not in connection.read_to_end()
    assert not is_refused(running.http, context_of(authority))


@case("TL29", "TLS", "records that are cut short, changed or repeated behind a good handshake", "the connection is lost; nothing of them is answered")
@pytest.mark.parametrize("spoil", [lambda record: record[:-1] + bytes([record[-1] ^ 1]), lambda record: record * 2, lambda record: record[:-5],
                                   lambda record: b"\x17\x03\x03\x41\x00" + bytes(0x4100)])
def test_spoilt_records(secured, authority, spoil):
    running = secured()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context_of(authority).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with Socket(running.http) as connection:
        while True:
            try:
                client.do_handshake()
                connection.send(outgoing.read())
                break
            except ssl.SSLWantReadError:
                connection.send(outgoing.read())
                incoming.write(connection.socket.recv(65536))
        client.write(GET)
        connection.send(spoil(outgoing.read()))
        connection.close_sending()
        data = connection.read_to_end()
    incoming.write(data)
    try:
        answer = client.read(65536)
    except ssl.SSLError:
        answer = b""
    assert answer.count(b"HTTP/1.1 200") <= (spoil(b"xy") == b"xyxy")
    assert not is_refused(running.http, context_of(authority))


@case("TL30", "TLS", "clients that reset their connections at every stage of the handshake", "the server goes on")
def test_resets(secured, authority):
    running = secured()
    for size in (0, 1, 5, 9, 50, 200):
        connection = Socket(running.http)
        connection.send((BEGIN + bytes(196))[:size])
        connection.abort()
    for i in range(20):
        connection = Quitter(running.http)
        thread = threading.Thread(target=handshake_quietly, args=(connection, context_of(authority)))
        thread.start()
        thread.join(i / 1000)
        connection.reset()
        thread.join()
    assert not is_refused(running.http, context_of(authority))


class Quitter(Socket):
    """A connection that can be cut off while another thread shakes hands on it."""

    def __init__(self, port):
        super().__init__(port)
        self.other = self.socket.dup()

    def reset(self):
        try:
            self.other.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the handshake was quicker, and the connection is closed
        self.other.close()


def handshake_quietly(connection, context):
    try:
        context.wrap_socket(connection.socket, server_hostname="localhost").close()
    except OSError:
        pass


@case("TL31", "HTTP", "a TLS connection beyond --max-connections", "503 with Retry-After; health is told")
def test_crowded(secured, authority):
    running = secured("--max-connections=1")
    with Secure(running.http, context_of(authority)) as first, Secure(running.http, context_of(authority)) as second:
        assert first.get().status == 200
        assert second.get().status == 503
        assert second.get(b"/v2/health/live").status == 200
