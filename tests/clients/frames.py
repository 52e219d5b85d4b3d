"""HTTP/2 frames by hand, for what no client library would send."""

import struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS, PADDED, PRIORITIZED = 4, 8, 0x20
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, REFUSED_STREAM, ENHANCE_YOUR_CALM = 0, 1, 2, 3, 6, 7, 11


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def field(name, value):
    """Without indexing and without Huffman code (RFC 7541 section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def head(method, path, *more):
    """The fields of a request."""
    return b"".join(field(*pair) for pair in [(b":method", method), (b":scheme", b"http"), (b":authority", b"h"), (b":path", path), *more])


GET_LIVE = head(b"GET", b"/v2/health/live")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HELLO = PREFACE + frame(SETTINGS, 0, 0)


def frames(data):
    """(type, payload) of every whole frame."""
    found, at = [], 0
    while at + 9 <= len(data):
        size = int.from_bytes(data[at : at + 3], "big")
        found.append((data[at + 3], data[at + 9 : at + 9 + size]))
        at += 9 + size
    return found


def goaway_errors(data):
    """The error codes of the GOAWAY frames in what a server sent."""
    return [int.from_bytes(payload[4:8], "big") for kind, payload in frames(data) if kind == GOAWAY]
