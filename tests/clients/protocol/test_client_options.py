"""tritonclient: what its users set on the client itself: plug-ins, verbosity, keep-alive, channels and connections."""

import pytest
import tritonclient.grpc
from cases import case
from triton_client import Client, integers, same
from tritonclient.grpc.auth import BasicAuth
from tritonclient.utils import InferenceServerException


def check(client):
    """An inference and a call, both answered."""
    assert same(client.infer_array("id_int32", integers(1)), integers(1))
    assert client.is_model_ready("plain") is True


class Counting:
    """A plug-in that counts the requests it sees and adds a header to each."""

    def __init__(self):
        self.seen = 0

    def __call__(self, request):
        self.seen += 1
        request.headers["seen"] = str(self.seen)


@case("CO01", "four clients", "register_plugin: a plug-in that adds a header", "called for every request, which is answered; plugin() gives it back", does="register_plugin")
def test_plugin(client):
    plugin = Counting()
    client.register_plugin(plugin)
    assert client.plugin() is plugin
    check(client)
    assert plugin.seen == 2
    client.unregister_plugin()
    check(client)
    assert plugin.seen == 2


@case("CO02", "four clients", "plugin, without one and with one", "None; it", does="plugin")
def test_no_plugin(client):
    assert client.plugin() is None
    client.register_plugin(Counting())
    with pytest.raises(InferenceServerException):
        client.register_plugin(Counting())


@case("CO03", "four clients", "unregister_plugin, without one and with one", "the client's error; none is left", does="unregister_plugin")
def test_unregister(client):
    with pytest.raises(InferenceServerException):
        client.unregister_plugin()
    client.register_plugin(Counting())
    client.unregister_plugin()
    assert client.plugin() is None


@case("CO04", "four clients", "the BasicAuth plug-in, at a server without passwords", "answered")
def test_basic_auth(client):
    client.register_plugin(BasicAuth("user", "password"))
    check(client)


@case("CO05", "four clients", "verbose=True", "answered; the traffic is printed")
def test_verbose(peer, connect, capsys):
    check(connect(peer, verbose=True))
    assert "id_int32" in capsys.readouterr().out


@case("CO06", "four clients", "close, and a new client", "answered: a connection's end disturbs nobody", does="close")
def test_close(peer, connect):
    for _ in range(3):
        client = connect(peer)
        check(client)
        client.close()
    check(connect(peer))


@case("CO07", "gRPC clients", "keepalive_options that ping often, also without calls", "answered; the connection stays")
def test_keepalive(peer, connect):
    options = tritonclient.grpc.KeepAliveOptions(
        keepalive_time_ms=1000, keepalive_timeout_ms=20000, keepalive_permit_without_calls=True, http2_max_pings_without_data=0
    )
    check(connect(peer, keepalive_options=options))


@case("CO08", "gRPC clients", "channel_args: a small limit for answers", "RESOURCE_EXHAUSTED by the client; the next call is answered")
def test_small_channel(peer, connect):
    client = connect(peer, channel_args=[("grpc.max_receive_message_length", 1000)])
    with client.refused("RESOURCE_EXHAUSTED"):
        client.infer_array("id_int32", integers(*range(1000)))
    check(client)


@case("CO09", "http", "concurrency, connection_timeout, network_timeout", "answered")
def test_connection_options(peer, connect):
    check(connect(peer, concurrency=4, connection_timeout=30.0, network_timeout=30.0))


@case("CO10", "http.aio", "conn_limit, conn_timeout", "answered")
def test_aio_connection_options(peer, connect):
    check(connect(peer, conn_limit=1, conn_timeout=30.0))


@case("CO11", "HTTP clients", "a base path in the url that the server does not have", "NOT_FOUND")
def test_base_path(peer, form, runner):
    with Client(form, peer.http_url + "/elsewhere", runner) as client:
        with client.refused("NOT_FOUND"):
            client.get_server_metadata()


@case("CO12", "four clients", "one client used for 300 calls", "all answered")
def test_many_calls(client):
    tensor = client.tensor(integers(1, 2, 3))
    for _ in range(300):
        assert client.infer("id_int32", [tensor]).as_numpy("OUT")[0, 2] == 3
