"""Traces as spans, sent to an OpenTelemetry collector."""

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cases import case
from collector import Collector, attributes, events
from serving import wait_until
from tracing import change, infer, settings, trace_metric
from wire import grpc_infer, infer_message

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def collector():
    running = Collector()
    yield running
    running.stop()


@pytest.fixture
def exporting(start_tracing, collector):
    """A server that sends spans soon."""
    return start_tracing("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={collector.url}",
                 "opentelemetry,bsp_schedule_delay=10")  # fmt: skip


@case("TR39", "HTTP", "an inference in opentelemetry mode", "three spans: InferRequest, the model, compute; each the parent of the next, with its points as events")
def test_three_spans(exporting, collector):
    infer(exporting, identity="r1")
    root, model, compute = collector.wait_for(3)
    assert (root.name, model.name, compute.name) == ("InferRequest", "m", "compute")
    assert root.parent_span_id == b"" and model.parent_span_id == root.span_id and compute.parent_span_id == model.span_id
    assert len({span.trace_id for span in (root, model, compute)}) == 1 and len({span.span_id for span in (root, model, compute)}) == 3
    assert len(root.trace_id) == 16 and any(root.trace_id) and len(root.span_id) == 8
    assert (root.kind, model.kind, compute.kind) == (2, 1, 1)
    assert events(root) == ["HTTP_RECV_START", "HTTP_RECV_END", "HTTP_SEND_START", "HTTP_SEND_END"]
    assert events(model) == ["REQUEST_START", "QUEUE_START", "INFER_RESPONSE_COMPLETE", "REQUEST_END"]
    assert events(compute) == ["COMPUTE_START", "COMPUTE_INPUT_END", "COMPUTE_OUTPUT_START", "COMPUTE_END"]
    assert attributes(model) == {
        "triton.model_name": "m", "triton.model_version": 1, "triton.trace_id": 1, "triton.trace_parent_id": 0, "triton.request_id": "r1",
    }  # fmt: skip
    for inner, outer in ((model, root), (compute, model)):
        assert outer.start_time_unix_nano <= inner.start_time_unix_nano <= inner.end_time_unix_nano <= outer.end_time_unix_nano
    assert all(span.start_time_unix_nano <= event.time_unix_nano <= span.end_time_unix_nano for span in (root, model, compute) for event in span.events)
    assert abs(root.start_time_unix_nano / 1e9 - time.time()) < 3600
    assert {span.status.code for span in (root, model, compute)} == {0}


@case("TR40", "HTTP", "what the collector is sent", "POST of the url's path, application/x-protobuf, scope and resource")
def test_request_to_the_collector(exporting, collector):
    infer(exporting)
    collector.wait_for(3)
    path, kind, message = collector.requests[0]
    assert (path, kind) == ("/v1/traces", "application/x-protobuf")
    assert collector.resource() == {"service.name": "inferd"}
    scope = message.resource_spans[0].scope_spans[0].scope
    assert scope.name == "inferd" and re.fullmatch(r"\d+\.\d+\.\d+", scope.version)


@case("TR41", "gRPC", "an inference in opentelemetry mode", "the same with gRPC's names")
def test_spans_of_grpc(exporting, collector):
    grpc_infer(exporting.grpc, infer_message("m", ("IN", "INT32", [1, 1], bytes(4))))
    root = collector.wait_for(3)[0]
    assert events(root) == ["GRPC_WAITREAD_START", "GRPC_WAITREAD_END", "GRPC_SEND_START", "GRPC_SEND_END"]


@case("TR42", "HTTP, gRPC", "a traceparent that is sampled, rate 0", "traced, in the client's trace, below its span")
def test_client_context(start_tracing, collector):
    server = start_tracing("level=TIMESTAMPS", "rate=0", "count=0", "mode=opentelemetry", f"opentelemetry,url={collector.url}",
                   "opentelemetry,bsp_schedule_delay=10")  # fmt: skip
    infer(server)
    infer(server, headers={"traceparent": PARENT})
    message = infer_message("m", ("IN", "INT32", [1, 1], bytes(4)))
    grpc_infer(server.grpc, message, metadata=[("traceparent", PARENT)])
    spans = collector.wait_for(6)
    assert len(spans) == 6
    assert {span.trace_id.hex() for span in spans} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    roots = [span for span in spans if span.name == "InferRequest"]
    assert {span.parent_span_id.hex() for span in roots} == {"00f067aa0ba902b7"}


@case("TR43", "HTTP", "a traceparent that is not sampled, rate 1", "not traced; without one, and with a broken one, traced as ever")
def test_client_that_does_not_sample(exporting, collector):
    infer(exporting, identity="no", headers={"traceparent": PARENT[:-2] + "00"})
    infer(exporting, identity="plain")
    infer(exporting, identity="broken", headers={"traceparent": "00-xyz"})
    spans = collector.wait_for(6)
    identities = [attributes(span).get("triton.request_id") for span in spans if span.name == "m"]
    assert identities == ["plain", "broken"]
    assert all(span.parent_span_id == b"" for span in spans if span.name == "InferRequest")


@case("TR44", "HTTP", "an inference that fails", "spans with an error status and the message")
def test_error_status(exporting, collector):
    infer(exporting, "bad", status=500)
    spans = collector.wait_for(2)
    root, model = spans[:2]
    assert (root.status.code, model.status.code) == (2, 2) and "fail_executions" in root.status.message


@case("TR45", "flag", "opentelemetry,resource=k=v, several, and one twice", "attributes of the resource; the last of equal ones")
def test_resources(start_tracing, collector):
    server = start_tracing("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={collector.url}", "opentelemetry,bsp_schedule_delay=10",
                   "opentelemetry,resource=service.name=a", "opentelemetry,resource=deployment=x=y", "opentelemetry,resource=service.name=bert")  # fmt: skip
    infer(server)
    collector.wait_for(3)
    assert collector.resource() == {"service.name": "bert", "deployment": "x=y"}


@case("TR46", "HTTP", "settings in opentelemetry mode", "no file and no frequency; url and bsp_*; level, rate and count can be changed, all sent back, TENSORS cannot be asked for")
def test_settings_in_opentelemetry_mode(exporting, collector):
    told = settings(exporting)
    assert told == {
        "trace_level": ["TIMESTAMPS"], "trace_rate": "1", "trace_count": "-1", "trace_mode": "opentelemetry", "url": collector.url,
        "bsp_max_queue_size": "2048", "bsp_schedule_delay": "10", "bsp_max_export_batch_size": "512",
    }  # fmt: skip
    assert change(exporting, {**told, "trace_rate": "2"}).json == {**told, "trace_rate": "2"}
    assert change(exporting, {"trace_mode": "triton"}).status == 501
    assert change(exporting, {"trace_level": ["TENSORS"]}).status == 400
    assert change(exporting, {"trace_level": ["OFF"]}).json["trace_level"] == ["OFF"]


@case("TR47", "HTTP", "bsp_max_export_batch_size 6 and a long delay, five requests", "portions of two traces at once; the rest when the server stops")
def test_batches(start_tracing, collector):
    server = start_tracing("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={collector.url}",
                   "opentelemetry,bsp_schedule_delay=3600000", "opentelemetry,bsp_max_export_batch_size=6")  # fmt: skip
    for i in range(5):
        infer(server, identity=str(i))
    collector.wait_for(12)
    server.stop()
    spans = collector.spans
    assert sorted(attributes(span)["triton.request_id"] for span in spans if span.name == "m") == ["0", "1", "2", "3", "4"]
    assert all(len(m.resource_spans[0].scope_spans[0].spans) <= 6 for _, _, m in collector.requests)


@case("TR48", "HTTP", "no collector there", "requests are answered as ever; the log tells once, metrics count; the server ends cleanly")
def test_dead_collector(start_tracing):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/traces"
        server = start_tracing("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={url}", "opentelemetry,bsp_schedule_delay=1")
        for _ in range(20):
            infer(server)
        wait_until(lambda: trace_metric(server, "failed") == 20)
        server.wait_for("traces are lost: no connection to the collector")
        server.stop()
    assert server.log.count("traces are lost") == 1


@case("TR49", "HTTP", "a collector that comes up later", "the log tells that traces are written again, and how many were lost")
def test_collector_comes_back(start_tracing, collector):
    collector.status = 503
    server = start_tracing("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={collector.url}", "opentelemetry,bsp_schedule_delay=1")
    infer(server)
    server.wait_for("traces are lost: .*answered: HTTP/1.0 503")
    collector.status = 200
    infer(server)
    server.wait_for("traces are written again; 1 were lost")
    assert trace_metric(server, "written") == 1


@case("TR50", "HTTP", "a collector that takes ages, a queue of 30 spans, hundreds of requests", "all are answered; what does not fit is dropped and counted; the end comes within seconds")
def test_slow_collector(start_tracing):
    slow = Collector(delay=120)
    server = start_tracing("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={slow.url}", "opentelemetry,bsp_schedule_delay=1",
                   "opentelemetry,bsp_max_queue_size=30", "opentelemetry,bsp_max_export_batch_size=3")  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: infer(server, identity=str(i)), range(300)))
    wait_until(lambda: trace_metric(server, "dropped") >= 280)
    server.stop()
    slow.stop()


@case("TR51", "HTTP", "hostile ids and names in spans", "valid UTF-8, as they were sent")
def test_hostile_ids_in_spans(exporting, collector):
    for i, identity in enumerate(['a"b', "a\nb\x00", "日本", "x" * 3000]):
        infer(exporting, identity=identity)
        spans = collector.wait_for(3 * (i + 1))
        assert attributes(spans[-2])["triton.request_id"] == identity[:512]


@case("TR52", "flag", "opentelemetry,url without a scheme and a path", "http and /v1/traces")
def test_url_without_scheme(start_tracing, collector):
    address = collector.url.removeprefix("http://").removesuffix("/v1/traces")
    server = start_tracing("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", f"opentelemetry,url={address}", "opentelemetry,bsp_schedule_delay=10")
    infer(server)
    collector.wait_for(3)
    assert collector.requests[0][0] == "/v1/traces"


@case("TR53", "flag", "a collector named by a host that does not exist", "the server serves, and ends")
def test_unknown_host(start_tracing):
    server = start_tracing("level=TIMESTAMPS", "rate=1", "mode=opentelemetry", "opentelemetry,url=http://no-such-host.invalid:4318", "opentelemetry,bsp_schedule_delay=1")
    infer(server)
    server.wait_for("traces are lost")
    infer(server)
