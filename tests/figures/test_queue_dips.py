"""Why the Server Queue of the figures dips at multiples of the preferred batch sizes: requests that fill whole batches
wait for no company. Shown by what the server counts, with a delay so long that nothing is left to its end."""

import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

import models  # noqa: E402
from serving import Server, wait_until  # noqa: E402

PREFERRED = 4
DELAY_US = 3_600_000_000  # an hour: whoever waited for it would not be answered here
CONFIG = (
    models.BATCHED + models.pair("INT32", "4") + models.parameter("execute_delay_ms", "2")
    + f"dynamic_batching {{ preferred_batch_size: [ {PREFERRED}, 8 ] max_queue_delay_microseconds: {DELAY_US} }}"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("dips")
    models.add(repository, "dips", CONFIG)
    server = Server(repository)
    yield server
    server.process.kill()
    server.process.wait()


def statistics(client):
    found = client.get_inference_statistics("dips").model_stats[0]
    return found.inference_count, {stat.batch_size: stat.compute_infer.count for stat in found.batch_stats}


def pending(server):

    text = urllib.request.urlopen(f"http://127.0.0.1:{server.metrics}/metrics", timeout=10).read().decode()
    return next(int(float(line.split()[-1])) for line in text.splitlines()
                if line.startswith("nv_inference_pending_request_count{") and 'model="dips"' in line)


@pytest.mark.parametrize("outstanding", range(1, 13))
def test_what_fills_no_batch_waits(server, outstanding):
    client = triton.InferenceServerClient(f"127.0.0.1:{server.grpc}")
    tensor = triton.InferInput("IN", [1, 4], "INT32")
    tensor.set_data_from_numpy(np.zeros((1, 4), np.int32))
    answers = []

    def send(count):
        for _ in range(count):
            client.async_infer("dips", [tensor], lambda result, error: answers.append(error))

    before, batches_before = statistics(client)
    send(outstanding)
    waiting = outstanding % PREFERRED
    # All that fill batches are answered, and exactly the rest stays in the queue.
    wait_until(lambda: len(answers) == outstanding - waiting and pending(server) == waiting)
    assert statistics(client)[0] - before == outstanding - waiting
    missing = (PREFERRED - waiting) % PREFERRED
    send(missing)
    wait_until(lambda: len(answers) == outstanding + missing)
    assert answers == [None] * len(answers)
    after, batches = statistics(client)
    assert after - before == outstanding + missing
    executed = {size: count - batches_before.get(size, 0) for size, count in batches.items() if count != batches_before.get(size, 0)}
    assert set(executed) <= {PREFERRED, 2 * PREFERRED}
    assert sum(size * count for size, count in executed.items()) == outstanding + missing
    client.close()
