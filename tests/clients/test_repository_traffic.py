"""Loads and unloads beside inferences, beside each other, and at the end of the server: nothing is lost, nothing waits."""

import concurrent.futures
import os
import threading

import grpc
import pytest
import repository as rp
from cases import case
from models import parameter
from repository import Failure, config_json, infer, rows_of
from serving import threads_of, wait_until
from tritonclient.grpc import service_pb2 as pb
from wire import SERVICE, Socket, get, grpc_call, grpc_channel, grpc_error, infer_message

EXPLICIT = "--model-control-mode=explicit"
POST = b"POST /v2/repository/models/%s/%s HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"


def slow_load(milliseconds):
    return parameter("load_delay_ms", str(milliseconds))


def slow_inference(milliseconds):
    return parameter("execute_delay_ms", str(milliseconds))


@pytest.fixture(params=[rp.Http, rp.Grpc], ids=["http", "grpc"])
def protocol(request):
    return request.param


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(128) as executor:
        yield executor


def wait_for_state(calls, model, state):
    wait_until(lambda: any(row[1] == state for row in rows_of(calls, model)))


def wait_for_queue(server, length):
    """Waits until so many inferences wait in the queue of model m: one more is being run."""
    line = f'nv_inference_pending_request_count{{model="m",version="1"}} {length}\n'
    wait_until(lambda: line in get(server.metrics, "/metrics").body.decode())


class Traffic:
    """Clients that infer without pause, over both protocols; what they are told other than a good answer."""

    def __init__(self, server, model, clients=2):
        self.server, self.model = server, model
        self.stopping = threading.Event()
        self.answered, self.failures = [0] * (2 * clients), []
        self.threads = [threading.Thread(target=self.run, args=(i, over)) for i, over in enumerate([self.over_http, self.over_grpc] * clients)]
        for thread in self.threads:
            thread.start()

    def run(self, i, over):
        while not self.stopping.is_set():
            try:
                over(i)
                self.answered[i] += 1
            except Exception as error:  # whatever it is, the test tells it
                self.failures.append(error)

    def over_http(self, i):
        status, back = infer(self.server, self.model, i)
        if status != 200:
            raise Failure(status, back)
        assert back == [i]

    def over_grpc(self, i):
        message = infer_message(self.model, ("IN", "INT32", [1, 1], i.to_bytes(4, "little")))
        answer = pb.ModelInferResponse.FromString(grpc_call(self.server.grpc, "ModelInfer", message))
        assert answer.raw_output_contents[0] == i.to_bytes(4, "little")

    def more(self):
        """Waits until every client has had more answers."""
        before = list(self.answered)
        wait_until(lambda: self.failures or all(now > then for now, then in zip(self.answered, before)))

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


# ---- beside inferences ----


@case("RT01", "HTTP, gRPC", "thirty loads of a model while four clients infer with it", "every inference is answered well")
def test_reloads_under_traffic(start, repository):
    rp.add(repository, "m", "dynamic_batching { max_queue_delay_microseconds: 500 } instance_group { count: 2 }" + slow_inference(2))
    running = start(repository, EXPLICIT, "--load-model=m")
    traffic = Traffic(running, "m")
    for i in range(30):
        (rp.Http, rp.Grpc)[i % 2](running).load("m", config=config_json(dynamic_batching={}) if i % 3 == 0 else None)
        traffic.more()
    traffic.stop()
    assert traffic.failures == []
    assert running.log.count("loaded 'm' version 1") == 31


@case("RT02", "HTTP, gRPC", "loads that fail of a model while clients infer with it", "every inference is answered well")
def test_failing_reloads_under_traffic(start, repository):
    rp.add(repository, "m")
    running = start(repository, EXPLICIT, "--load-model=m")
    traffic = Traffic(running, "m", clients=1)
    for _ in range(10):
        for config in (config_json(parameters={"fail_load": {"string_value": "no"}}), "{", config_json(version_policy={"specific": {"versions": [1, 2]}})):
            with pytest.raises(Failure):
                rp.Grpc(running).load("m", config=config)
        traffic.more()
    traffic.stop()
    assert traffic.failures == []


@case("RT03", "HTTP, gRPC", "a load of a model while one inference runs and others wait in its queue", "the old version answers all of them, the new one those that follow; then the load is answered")
def test_reload_with_a_queue(start, repository, pool, protocol):
    rp.add(repository, "m", slow_inference(400))
    running = start(repository, EXPLICIT, "--load-model=m")
    (repository / "m" / "2").mkdir()
    inferences = [pool.submit(infer, running, "m", i) for i in range(3)]
    wait_for_queue(running, 2)
    load = pool.submit(protocol(running).load, "m")
    wait_for_state(rp.Http(running), "m", "READY")
    wait_until(lambda: rows_of(rp.Http(running), "m") == [("2", "READY", "")])
    assert not load.done()
    assert [inference.result() for inference in inferences] == [(200, [i]) for i in range(3)]
    load.result()


@case("RT04", "HTTP, gRPC", "an unload while one inference runs and others wait in the queue", "they are answered well, further ones 503; the index tells UNLOADING; then the unload is answered")
def test_unload_with_a_queue(start, repository, pool, protocol):
    rp.add(repository, "m", slow_inference(400))
    running = start(repository, EXPLICIT, "--load-model=m")
    inferences = [pool.submit(infer, running, "m", i) for i in range(3)]
    wait_for_queue(running, 2)
    unload = pool.submit(protocol(running).unload, "m")
    wait_for_state(protocol(running), "m", "UNLOADING")
    assert infer(running, "m", 9) == (503, "Request for unknown model: 'm' version 1 is not at ready state: it is being unloaded")
    assert get(running.http, "/v2/health/ready").status == 200
    assert not unload.done()
    assert [inference.result() for inference in inferences] == [(200, [i]) for i in range(3)]
    unload.result()
    assert rows_of(protocol(running), "m") == [("1", "UNAVAILABLE", "unloaded")]


@case("RT05", "HTTP, gRPC", "loads and unloads of a model from several clients while others infer with it", "every call is answered; inferences well, or with 503")
def test_race_of_loads_and_unloads(start, repository, pool):
    rp.add(repository, "m")
    running = start(repository, EXPLICIT, "--load-model=m")
    traffic = Traffic(running, "m", clients=1)

    def control(i):
        calls = (rp.Http, rp.Grpc)[i % 2](running)
        for _ in range(10):
            calls.load("m")
            calls.unload("m")

    for done in [pool.submit(control, i) for i in range(6)]:
        done.result()
    rp.Http(running).load("m")
    traffic.more()
    traffic.stop()
    for failure in traffic.failures:
        assert isinstance(failure, (Failure, grpc.RpcError)) and "is not at ready state" in str(failure), failure
    assert infer(running, "m", 1) == (200, [1])
    assert rows_of(rp.Http(running), "m") == [("1", "READY", "")]


# ---- beside each other ----


@case("RT10", "HTTP, gRPC", "a load that takes long, on a server with one thread for connections", "LOADING in the index; inferences and health are answered meanwhile; inferences of it 503")
def test_a_load_holds_nothing_up(start, repository, pool, protocol):
    rp.add(repository, "m")
    rp.add(repository, "long", slow_load(4000))
    running = start(repository, EXPLICIT, "--load-model=m", "--http-thread-count=1")
    load = pool.submit(protocol(running).load, "long")
    running.wait_for("loading 'long' version 1")  # LOADING is seen before the versions are known
    assert rows_of(protocol(running), "long") == [("1", "LOADING", "")]
    assert infer(running, "m", 4) == (200, [4])
    assert infer(running, "long", 4) == (503, "Request for unknown model: 'long' version 1 is not at ready state: it is being loaded")
    assert get(running.http, "/v2/health/live").status == 200
    assert get(running.http, "/v2/health/ready").status == 400  # strict: a model that is wanted is not there yet
    assert not load.done()
    load.result()
    assert get(running.http, "/v2/health/ready").status == 200


@case("RT11", "HTTP, gRPC", "a load that takes long of a loaded model", "the old version goes on, and the server stays ready")
def test_a_reload_holds_nothing_up(start, repository, pool, protocol):
    rp.add(repository, "m", slow_load(700))
    running = start(repository, EXPLICIT, "--load-model=m")
    load = pool.submit(protocol(running).load, "m")
    while not load.done():
        assert infer(running, "m", 4) == (200, [4])
        assert get(running.http, "/v2/health/ready").status == 200
        assert rows_of(protocol(running), "m") == [("1", "READY", "")]
    load.result()


@case("RT12", "HTTP, gRPC", "a load of one model while another is being loaded", "it does not wait; a load of the same model does")
def test_loads_side_by_side(start, repository, pool, protocol):
    rp.add(repository, "m")
    rp.add(repository, "long", slow_load(4000))
    running = start(repository, EXPLICIT)
    calls = protocol(running)
    first = pool.submit(calls.load, "long")
    wait_for_state(calls, "long", "LOADING")
    second = pool.submit(calls.unload, "long")
    calls.load("m")
    calls.unload("m")
    assert not first.done() and not second.done()
    first.result()
    second.result()
    assert rows_of(calls, "long") == [("1", "UNAVAILABLE", "unloaded")]


@case("RT13", "HTTP, gRPC", "more loads at once than may run and wait", "503, UNAVAILABLE: too many; the others are done, and index and load work again")
def test_too_many_loads(start, repository, pool, protocol):
    rp.add(repository, "m")
    rp.add(repository, "long", slow_load(8000))
    running = start(repository, EXPLICIT)
    calls = protocol(running)
    first = pool.submit(calls.load, "long")
    wait_for_state(calls, "long", "LOADING")
    outcomes = []
    for done in [pool.submit(calls.unload, "long") for _ in range(90)]:
        try:
            done.result()
            outcomes.append("done")
        except Failure as failure:
            assert (failure.status, "too many calls wait" in failure.text) == (503, True)
            outcomes.append("refused")
    first.result()
    assert {"done", "refused"} == set(outcomes) and outcomes.count("done") >= 64
    calls.load("m")
    assert ("m", "1", "READY", "") in calls.index()


# ---- clients that leave ----


@case("RT20", "HTTP", "a client that closes its connection while its load runs", "the model is loaded all the same")
def test_client_leaves_during_a_load(start, repository):
    rp.add(repository, "long", slow_load(500))
    running = start(repository, EXPLICIT)
    with Socket(running.http) as client:
        client.send(POST % (b"long", b"load"))
        running.wait_for("loading 'long' version 1")
        client.abort()
    wait_for_state(rp.Http(running), "long", "READY")


@case("RT21", "HTTP", "clients that close their connections while their loads wait for a thread", "those loads never begin")
def test_clients_leave_before_their_loads(start, repository):
    for i in range(8):
        rp.add(repository, f"long{i}", slow_load(4000))
    rp.add(repository, "never")
    running = start(repository, EXPLICIT, "--http-thread-count=1")
    occupants = [Socket(running.http) for _ in range(8)]
    for i, occupant in enumerate(occupants):
        occupant.send(POST % (b"long%d" % i, b"load"))
    with Socket(running.http) as client:
        client.send(POST % (b"never", b"load"))
        assert get(running.http, "/v2/health/live").status == 200  # the one loop has read what came before
        client.abort()
    assert [occupant.read_response("POST").status for occupant in occupants] == [200] * 8
    for occupant in occupants:
        occupant.socket.close()
    assert rows_of(rp.Http(running), "never") == [("", "", "")]


@case("RT22", "gRPC", "a deadline that passes while a load runs", "DEADLINE_EXCEEDED; the model is loaded all the same")
def test_deadline_during_a_load(start, repository):
    rp.add(repository, "long", slow_load(8000))
    running = start(repository, EXPLICIT)  # the deadline leaves time for the call to arrive, however busy the machine is
    code, _ = grpc_error(running.grpc, "RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="long"), timeout=5)
    assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_for_state(rp.Grpc(running), "long", "READY")


@case("RT23", "gRPC", "a load that its client cancels", "the model is loaded all the same")
def test_cancelled_load(start, repository):
    rp.add(repository, "long", slow_load(500))
    running = start(repository, EXPLICIT)
    with grpc_channel(running.grpc) as channel:
        call = channel.unary_unary(SERVICE + "RepositoryModelLoad").future(pb.RepositoryModelLoadRequest(model_name="long").SerializeToString())
        running.wait_for("loading 'long' version 1")
        call.cancel()
    wait_for_state(rp.Grpc(running), "long", "READY")


# ---- the end of the server ----


@case("RT30", "HTTP, gRPC", "SIGTERM while a load runs and others wait for it", "the first is finished, the others are refused with 503; exit code 0")
def test_end_during_a_load(start, repository, pool, protocol):
    rp.add(repository, "long", slow_load(4000))
    running = start(repository, EXPLICIT, "--http-thread-count=1")
    calls = protocol(running)
    first = pool.submit(calls.load, "long")
    running.wait_for("loading 'long' version 1")
    with Socket(running.http) as client:
        client.send(POST % (b"long", b"load"))
        assert get(running.http, "/v2/health/live").status == 200  # the one loop has read what came before
        running.signal()
        first.result()
        answer = client.read_response("POST")
    assert (answer.status, "the server is stopping" in answer.error) == (503, True)
    assert running.wait() == 0


@case("RT31", "HTTP, gRPC", "SIGTERM while an unload waits for inferences", "all are answered well; exit code 0")
def test_end_during_an_unload(start, repository, pool, protocol):
    rp.add(repository, "m", slow_inference(500))
    running = start(repository, EXPLICIT, "--load-model=m")
    inferences = [pool.submit(infer, running, "m", i) for i in range(2)]
    wait_for_queue(running, 1)
    unload = pool.submit(protocol(running).unload, "m")
    wait_until(lambda: unload.done() or rows_of(rp.Http(running), "m")[0][1] == "UNLOADING")
    running.signal()
    assert [inference.result() for inference in inferences] == [(200, [i]) for i in range(2)]
    unload.result()
    assert running.wait() == 0


@case("RT32", "HTTP, gRPC", "SIGTERM while a load runs that takes longer than --exit-timeout-secs", "exit code 1, and what it waited for in the log")
def test_end_during_an_endless_load(start, repository, pool, protocol):
    rp.add(repository, "long", slow_load(600_000))
    running = start(repository, EXPLICIT, "--exit-timeout-secs=1")
    pool.submit(protocol(running).load, "long")
    running.wait_for("loading 'long' version 1")
    running.signal()
    assert running.wait() == 1
    assert "exit timeout of 1 s has passed" in running.log


@case("RT33", "HTTP", "SIGTERM after the client of a load that runs has gone", "the load is waited for; exit code 0")
def test_end_after_the_client_of_a_load_left(start, repository):
    rp.add(repository, "long", slow_load(800))
    running = start(repository, EXPLICIT)
    with Socket(running.http) as client:
        client.send(POST % (b"long", b"load"))
        running.wait_for("loading 'long' version 1")  # LOADING tells that it is going to be, and a stopping server begins none
        client.abort()
    running.stop()
    assert "loaded 'long' version 1" in running.log


@case("RT34", "command line", "SIGTERM while models are loaded at start", "the rest is not loaded any more; exit code 0")
def test_end_during_the_start(start, repository):
    for i in range(20):
        rp.add(repository, f"m{i}", slow_load(500))
    running = start(repository, wait=False)
    running.wait_for("loaded 'm")
    running.stop()
    assert "the server is stopping" in running.log
    assert running.log.count("loaded 'm") < 20


# ---- nothing is left ----


@case("RT40", "HTTP, gRPC", "200 loads and unloads of a model, half of them with files", "as many threads and open files as before, and no file left")
def test_many_loads_and_unloads(start, repository, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    rp.add(repository, "m")
    running = start(repository, EXPLICIT, environment={"TMPDIR": str(temporary)})
    calls = [rp.Http(running), rp.Grpc(running)]

    def cycle(i):
        calls[i % 2].load("m", **({"config": config_json(), "files": {"1/x": b"x" * 1000}} if i % 4 < 2 else {}))
        assert infer(running, "m", i) == (200, [i])
        calls[i % 2].unload("m")

    for i in range(20):
        cycle(i)
    descriptors = lambda: len(os.listdir(f"/proc/{running.process.pid}/fd"))
    threads = lambda: threads_of(running) - threads_of(running, "worker-")  # of those there are up to 8
    before = threads(), descriptors()
    for i in range(200):
        cycle(i)
    wait_until(lambda: threads() <= before[0] and descriptors() <= before[1])
    assert not list(temporary.iterdir())
    assert len(calls[0].index()) == 1
