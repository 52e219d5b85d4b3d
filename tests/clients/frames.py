"""HTTP/2 frames by hand, for what no client library would send."""

import struct

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, ENHANCE_YOUR_CALM = 0, 1, 3, 6, 11


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def field(name, value):
    """Without indexing and without Huffman code (RFC 7541 section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


GET_LIVE = field(b":method", b"GET") + field(b":scheme", b"http") + field(b":authority", b"h") + field(b":path", b"/v2/health/live")
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)


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
