"""The metrics of GPUs, told by a fake of NVIDIA's management library: figures, GPUs that go, a library that fails or hangs."""

import fakes
import models
import pytest
from cases import case
from prometheus_client.parser import text_string_to_metric_families
from serving import Server, run, wait_until
from wire import get, good_inference

NAMES = {
    "nv_gpu_utilization": "gauge",
    "nv_gpu_memory_total_bytes": "gauge",
    "nv_gpu_memory_used_bytes": "gauge",
    "nv_gpu_power_usage": "gauge",
    "nv_gpu_power_limit": "gauge",
    "nv_energy_consumption": "counter",
}
TWO = "gpu GPU-1-a 25 85899345920 1024 123456 700000 5000\ngpu GPU-2-b 100 4096 4096 1 2 900000\n"


class Driver:
    """What the fake library does, and the servers that use it."""

    def __init__(self, folder):
        self.folder = folder
        self.script = folder / "nvml"
        self.servers = []
        models.add(folder / "models", "id_int32", models.BATCHED + models.pair("INT32", "-1"))

    def does(self, lines):
        new = self.folder / "nvml.new"
        new.write_text(lines)
        new.rename(self.script)

    def start(self, *flags):
        server = Server(self.folder / "models", "--metrics-interval-ms=20", *flags, environment=fakes.environment(FAKE_NVML=self.script))
        self.servers.append(server)
        return server


@pytest.fixture
def driver(tmp_path):
    made = Driver(tmp_path)
    yield made
    for server in made.servers:
        server.kill()


def figures(server):
    """name -> {uuid: value} of the families that are about GPUs."""
    answer = get(server.metrics, "/metrics")
    assert answer.status == 200
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    assert "nv_cpu_memory_total_bytes" in families
    found = {}
    for name, family in families.items():
        if name.startswith("nv_gpu") or name.startswith("nv_energy"):
            assert family.type == NAMES[name] and family.documentation and family.samples
            found[name] = {sample.labels["gpu_uuid"]: sample.value for sample in family.samples}
    return found


@case("GM01", "HTTP", "GET /metrics on a machine with two GPUs", "six metrics of each with `gpu_uuid`, in Triton's names and units")
def test_all_figures(driver):
    driver.does(TWO)
    server = driver.start()
    wait_until(lambda: figures(server))
    found = figures(server)
    assert set(found) == set(NAMES)
    assert found["nv_gpu_utilization"] == {"GPU-1-a": 0.25, "GPU-2-b": 1}
    assert found["nv_gpu_memory_total_bytes"] == {"GPU-1-a": 85899345920, "GPU-2-b": 4096}
    assert found["nv_gpu_memory_used_bytes"] == {"GPU-1-a": 1024, "GPU-2-b": 4096}
    assert found["nv_gpu_power_usage"] == {"GPU-1-a": 123.456, "GPU-2-b": 0.001}
    assert found["nv_gpu_power_limit"] == {"GPU-1-a": 700, "GPU-2-b": 0.002}
    assert found["nv_energy_consumption"] == {"GPU-1-a": 0, "GPU-2-b": 0}
    driver.does(TWO.replace(" 5000", " 6250"))
    wait_until(lambda: figures(server)["nv_energy_consumption"] == {"GPU-1-a": 1.25, "GPU-2-b": 0})
    server.stop()


@case("GM02", "HTTP", "GET /metrics while a GPU falls off the bus and another cannot tell all", "no rows of the first, and of the second those that it tells; both come back")
def test_gpus_that_vanish(driver):
    driver.does(TWO)
    server = driver.start()
    wait_until(lambda: figures(server))
    driver.does("lost GPU-1-a 25 1 1 1 1 1\ngpu GPU-2-b 50 -1 -1 -1 3000 -1\n")
    wait_until(lambda: figures(server) == {"nv_gpu_utilization": {"GPU-2-b": 0.5}, "nv_gpu_power_limit": {"GPU-2-b": 3}})
    driver.does("")
    wait_until(lambda: figures(server) == {})
    driver.does(TWO)
    wait_until(lambda: set(figures(server)) == set(NAMES))
    good_inference(server.http)
    server.stop()


@case("GM03", "HTTP", "GET /metrics where the library fails when it is started, or later", "no rows of GPUs; one line in the log; the server serves")
@pytest.mark.parametrize("before,line", [
    ("fail nvmlInit_v2 9\n", "no metrics of GPUs: nvmlInit_v2: error 9, Driver Not Loaded"),
    ("fail nvmlDeviceGetCount_v2 15\n", "no metrics of GPUs: nvmlDeviceGetCount_v2: error 15, GPU is lost"),
])
def test_a_library_that_fails(driver, before, line):
    driver.does(before + TWO)
    server = driver.start()
    server.wait_for(line)
    assert figures(server) == {}
    good_inference(server.http)
    server.stop()
    assert server.log.count("no metrics of GPUs") == 1


@case("GM04", "HTTP", "GET /metrics and SIGTERM while the library hangs, when it is started and when it is asked", "answered; inferences too; exit code 0")
@pytest.mark.parametrize("function", ["nvmlInit_v2", "nvmlDeviceGetCount_v2", "nvmlDeviceGetUUID"])
def test_a_library_that_hangs(driver, function):
    driver.does(f"hang {function}\n" + TWO)
    server = driver.start()
    assert figures(server) == {}
    good_inference(server.http)
    server.stop()


@case("GM05", "HTTP", "GET /metrics with --allow-gpu-metrics=false", "no rows of GPUs, and the library is not asked")
def test_not_allowed(driver):
    driver.does("fail nvmlInit_v2 9\n")
    server = driver.start("--allow-gpu-metrics=false")
    assert figures(server) == {}
    server.stop()
    assert "GPU" not in server.log


@case("GM06", "HTTP", "inferd perf --collect-metrics against such a server", "the GPUs in its table")
def test_perf_shows_them(driver):
    driver.does(TWO)
    server = driver.start()
    wait_until(lambda: figures(server))
    done = run("perf", "-m", "id_int32", "-u", server.http_url, "--shape", "IN:1", "-p", "500", "-r", "1", "--collect-metrics",
               "--metrics-url", f"127.0.0.1:{server.metrics}/metrics", "--metrics-interval", "50")
    assert "GPU-1-a : 25" in done.stdout, done.stdout + done.stderr
    assert "GPU-2-b" in done.stdout
    server.stop()
