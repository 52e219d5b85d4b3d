"""A client of HTTP/2 that is driven frame by frame: it says what it is told, right or wrong, and checks with each frame that
comes what a server must keep to whatever happens: the windows, the size of frames, the order of frames on a stream."""

import json
import random
import struct
from typing import NamedTuple

import hpack
import pytest
from frames import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE, PRIORITY, PUSH_PROMISE,
                    RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, head)
from wire import Socket

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 1, 2, 3, 4, 5
WINDOW_MAX = 2**31 - 1
ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
          "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")

EMPTY = b"/api/health/live"  # its answer has no body, so it needs no window
INFER_JSON = b'{"inputs":[{"name":"IN","shape":[1,1],"datatype":"INT32","data":[7]}]}'


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


# ---- frames to send ----


def number(value):
    return struct.pack(">I", value)


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def get(stream=1, *more, path=b"/v2/health/live"):
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, head(b"GET", path, *more))


def post(stream=1, *more, model=b"id_int32"):
    """The head of an inference; DATA is to follow."""
    return frame(HEADERS, END_HEADERS, stream, head(b"POST", b"/v2/models/" + model + b"/infer", *more))


def infer(stream=1, model=b"id_int32"):
    return post(stream, model=model) + frame(DATA, END_STREAM, stream, INFER_JSON)


def binary_inference(size, seed=1):
    """Fields and body of an inference of so many bytes, whose answer is as large."""
    told = {"inputs": [{"name": "IN", "shape": [1, size], "datatype": "UINT8", "parameters": {"binary_data_size": size}}],
            "outputs": [{"name": "OUT", "parameters": {"binary_data": True}}]}
    text = json.dumps(told).encode()
    return [(b"inference-header-content-length", b"%d" % len(text))], text + random.Random(seed).randbytes(size)


def window_update(stream, size):
    return frame(WINDOW_UPDATE, 0, stream, number(size))


def reset(stream, code=8):
    return frame(RST_STREAM, 0, stream, number(code))


# ---- what may come of them ----


def stream_error(*codes):
    return {f"RST_STREAM {code}" for code in codes}


def connection_error(*codes):
    return {f"GOAWAY {code}" for code in codes}


def either(*codes):
    """A stream error, which a server may always treat as one of the connection (RFC 9113 section 5.4.1)."""
    return stream_error(*codes) | connection_error(*codes)


NOTHING = {"nothing"}
SERVED = {"answer 200"}
# RFC 9113 section 8.1.1: a stream error, before which the server may tell by an answer what is wrong.
MALFORMED = {"RST_STREAM PROTOCOL_ERROR", "answer 400"}


class Stream:
    """What has come on a stream."""

    def __init__(self, window):
        self.window = window  # that the server has left
        self.heads = []  # each a dict: those with 1xx, that of the answer
        self.trailers = None
        self.body = bytearray()
        self.data_frames = []  # their sizes
        self.ended = False
        self.reset = None

    @property
    def status(self):
        return next((fields[":status"] for fields in self.heads if fields[":status"] >= "200"), None)

    @property
    def fields(self):
        return {**self.heads[-1], **(self.trailers or {})}


class Raw(Socket):
    """The connection. `first` are the settings that are sent behind the preface; None sends nothing, not even that."""

    def __init__(self, port, first=(), acknowledge=True):
        super().__init__(port)
        self.acknowledge = acknowledge
        self.seen, self.streams, self.goaways = [], {}, []
        self.closed = False
        self.decoder = hpack.Decoder()
        self.window, self.initial_window, self.max_frame = 65535, 65535, 16384  # that the server has
        self.room, self.rooms, self.initial_room = 65535, {}, 65535  # that the client has
        self.server_settings, self.unacknowledged, self.pongs = {}, [], 0
        self.next_stream = 101  # of those that the client itself opens
        if first is not None:
            super().send(PREFACE)
            self.configure(*first)

    # ---- sending ----

    def send(self, data):
        """A server that has closed is noticed by reading."""
        try:
            super().send(data)
        except ConnectionError:
            pass

    def configure(self, *pairs):
        """Sends settings. What gives the server more counts at once, what takes from it when it acknowledges."""
        for key, value in pairs:
            if key == INITIAL_WINDOW_SIZE and value > self.initial_window:
                self._move_windows(value)
            if key == HEADER_TABLE_SIZE and value > self.decoder.max_allowed_table_size:
                self.decoder.max_allowed_table_size = value
        self.unacknowledged.append(pairs)
        self.send(settings(*pairs))

    def widen(self, stream, size):
        """Opens the window of a stream, or of the connection (0)."""
        if stream == 0:
            self.window += size
        else:
            self.on(stream).window += size
        self.send(window_update(stream, size))

    def on(self, stream):
        if stream not in self.streams:
            self.streams[stream] = Stream(self.initial_window)
        return self.streams[stream]

    def open(self, *more, method=b"GET", path=b"/v2/health/live", end=True):
        """Sends a well-formed head on a stream of its own; the stream."""
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        self.on(stream)
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, head(method, path, *more)))
        return stream

    def open_binary(self, size, seed=1, more=()):
        """Opens an inference of so many bytes; the stream, and the body that is to follow."""
        fields, body = binary_inference(size, seed)
        return self.open(*fields, *more, method=b"POST", path=b"/v2/models/id_uint8/infer", end=False), body

    def upload(self, stream, data, end=True, padding=None, piece=16384):
        """Sends DATA as the server's windows allow, waiting for them where needed. Padding counts (RFC 9113 section 6.1)."""
        extra = 0 if padding is None else padding + 1
        flags = 0 if padding is None else PADDED
        self.rooms.setdefault(stream, self.initial_room)
        out = bytearray()
        for at in range(0, len(data), piece):
            part = data[at : at + piece]
            cost = len(part) + extra
            if cost > min(self.room, self.rooms[stream]) or len(out) > 1 << 20:
                self.send(bytes(out))
                out.clear()
            while cost > min(self.room, self.rooms[stream]):
                assert self.receive(), "closed while data is sent"
            self.room -= cost
            self.rooms[stream] -= cost
            last = END_STREAM if end and at + piece >= len(data) else 0
            out += frame(DATA, flags | last, stream, (bytes([padding]) if extra else b"") + part + bytes(padding or 0))
        self.send(bytes(out))

    # ---- receiving ----

    def _take(self, size):
        data = bytearray()
        while len(data) < size:
            try:
                chunk = self.socket.recv(size - len(data))
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                assert not data, "closed in the middle of a frame"
                return None
            data += chunk
        return bytes(data)

    def _next(self):
        lead = self._take(9)
        if lead is None:
            self.closed = True
            return None
        size = int.from_bytes(lead[:3], "big")
        assert size <= self.max_frame, f"a frame of {size} bytes, {self.max_frame} are allowed"
        found = Frame(lead[3], lead[4], int.from_bytes(lead[5:], "big"), self._take(size) if size else b"")
        assert self.seen or (found.kind == SETTINGS and not found.flags & ACK), "SETTINGS must be first"
        self.seen.append(found)
        return found

    def receive(self):
        """The server's next frame, with all that follows from it; None when the server has closed."""
        found = self._next()
        if found is None:
            return None
        assert found.kind not in (PUSH_PROMISE, CONTINUATION, PRIORITY), found
        take = {DATA: self._data, HEADERS: self._headers, RST_STREAM: self._reset, SETTINGS: self._settings, PING: self._ping,
                GOAWAY: self._goaway, WINDOW_UPDATE: self._window_update}.get(found.kind)
        if take:
            take(found)
        return found

    def _data(self, found):
        stream = self.streams[found.stream]
        assert stream.heads and not stream.ended and stream.reset is None, found
        size = len(found.payload)
        assert size <= self.window and size <= max(0, stream.window), f"{size} bytes; windows {self.window}, {stream.window}"
        self.window -= size
        stream.window -= size
        body = found.payload
        if found.flags & PADDED:
            body = body[1 : size - body[0]]
        stream.body += body
        stream.data_frames.append(len(body))
        stream.ended = bool(found.flags & END_STREAM)

    def _headers(self, found):
        stream = self.on(found.stream)
        assert not stream.ended and stream.reset is None, found
        block, flags = found.payload, found.flags
        assert not flags & ~(END_STREAM | END_HEADERS), "padding and priorities of answers are not expected here"
        while not flags & END_HEADERS:
            more = self._next()
            assert (more.kind, more.stream) == (CONTINUATION, found.stream), more
            block, flags = block + more.payload, more.flags
        fields = dict(self.decoder.decode(block))
        assert all(name == name.lower() for name in fields), fields
        if ":status" in fields:
            assert stream.status is None, "a second head"
            assert fields[":status"] >= "200" or not found.flags & END_STREAM
            stream.heads.append(fields)
        else:
            assert stream.status and found.flags & END_STREAM, "trailers must end the stream"
            stream.trailers = fields
        stream.ended = bool(found.flags & END_STREAM)

    def _reset(self, found):
        assert len(found.payload) == 4 and found.stream != 0
        self.on(found.stream).reset = ERRORS[int.from_bytes(found.payload, "big")]

    def _settings(self, found):
        if found.flags & ACK:
            assert not found.payload and self.unacknowledged, "an acknowledgement for nothing"
            for key, value in self.unacknowledged.pop(0):
                self._apply(key, value)
            return
        for key, value in struct.iter_unpack(">HI", found.payload):
            self.server_settings[key] = value
            if key == INITIAL_WINDOW_SIZE:
                self.rooms = {stream: room + value - self.initial_room for stream, room in self.rooms.items()}
                self.initial_room = value
        if self.acknowledge:
            self.send(frame(SETTINGS, ACK, 0))

    def _apply(self, key, value):
        if key == INITIAL_WINDOW_SIZE:
            self._move_windows(value)
        elif key == HEADER_TABLE_SIZE:
            self.decoder.max_allowed_table_size = value
        elif key == MAX_FRAME_SIZE:
            self.max_frame = value

    def _move_windows(self, value):
        for stream in self.streams.values():
            stream.window += value - self.initial_window
        self.initial_window = value

    def _ping(self, found):
        assert len(found.payload) == 8 and found.stream == 0
        if found.flags & ACK:
            self.pongs += 1

    def _goaway(self, found):
        last, code = struct.unpack(">II", found.payload[:8])
        assert not self.goaways or last <= self.goaways[-1][0], "the last stream must not go up"
        self.goaways.append((last, ERRORS[code]))

    def _window_update(self, found):
        size = int.from_bytes(found.payload, "big")
        assert 0 < size <= WINDOW_MAX
        if found.stream == 0:
            self.room += size
            assert self.room <= WINDOW_MAX
        else:
            self.rooms[found.stream] = self.rooms.get(found.stream, self.initial_room) + size
            assert self.rooms[found.stream] <= WINDOW_MAX

    # ---- waiting ----

    def wait(self, condition):
        """Receives until it is so, or the server has closed; whether it is."""
        while not condition():
            if self.receive() is None:
                return bool(condition())
        return True

    def answer(self, stream):
        """Waits until the stream has ended; what came on it."""
        state = self.on(stream)
        assert self.wait(lambda: state.ended or state.reset), f"closed without an answer: {self.goaways}"
        return state

    def settle(self, data=b""):
        """Sends it, and waits until the server has taken it in and sent all that it sends by itself: the second PING is answered
        behind whatever went out with the answer to the first."""
        for sent in (data, b""):
            pongs = self.pongs
            self.send(sent + frame(PING, 0, 0, b"inorder?"))
            if not self.wait(lambda: self.pongs > pongs):
                return

    def alive(self, path=b"/v2/health/live"):
        """The connection goes on: another request is answered."""
        answer = self.answer(self.open(path=path))
        assert answer.status == "200" and answer.ended

    def read_to_close(self):
        while self.receive():
            pass
        return self.goaways

    def provoke(self, data, stream=1):
        """Sends it; what the server makes of it: "GOAWAY error" or "closed" when that ended the connection, "RST_STREAM error" or
        "answer status" of the stream, or "nothing". Anything but the first two must leave the connection in order."""
        self.next_stream = max(self.next_stream, (stream | 1) + 2)
        self.settle(data)
        if self.goaways and self.goaways[-1][1] != "NO_ERROR":
            self.read_to_close()
            outcome = f"GOAWAY {self.goaways[-1][1]}"
        elif self.closed:
            outcome = "closed"
        else:
            self.alive()
            state = self.on(stream)
            outcome = f"RST_STREAM {state.reset}" if state.reset else f"answer {state.status}" if state.status else "nothing"
        print("server:", outcome)
        return outcome


def provoke(port, data, stream=1):
    """The same on a connection of its own."""
    with Raw(port) as connection:
        return connection.provoke(data, stream)


def variants(table):
    """Runs a test for each row of a table, under its name: the frames and, where it tells, what may come of them."""
    first = next(iter(table.values()))
    names = ("data", "allowed")[: len(first)] if isinstance(first, tuple) else ("data",)
    rows = [pytest.param(*(row if isinstance(row, tuple) else (row,)), id=name) for name, row in table.items()]
    return pytest.mark.parametrize(names, rows)
