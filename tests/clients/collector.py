"""A collector of OpenTelemetry spans: OTLP over HTTP, read with OpenTelemetry's own messages."""

import http.server
import threading
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from serving import wait_until


class Collector:
    """Takes what is sent to it; `status` is what it answers, `delay` how many seconds it takes."""

    def __init__(self, status=200, delay=0):
        self.requests = []  # (path, content type, message)
        self.status, self.delay = status, delay
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, self.headers["Content-Type"], ExportTraceServiceRequest.FromString(body)))
                time.sleep(outer.delay)
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    @property
    def spans(self):
        """All spans so far, in the order in which they came."""
        return [
            span
            for _, _, message in list(self.requests)
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def wait_for(self, count):
        wait_until(lambda: len(self.spans) >= count)
        return self.spans

    def resource(self):
        """The attributes of the resource that the spans are about."""
        return attributes(self.requests[-1][2].resource_spans[0].resource)


def attributes(thing):
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in thing.attributes}


def events(span):
    return [event.name for event in span.events]
