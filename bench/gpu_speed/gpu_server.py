"""What bench/gpu_scores and bench/gpu_served share: models whose instances are on a GPU, and a server of them."""
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/load"))
from servers import Inferd  # noqa: E402


def export(program, repository, name, checkpoint, precision, device, instances=1, rows=64, tokens=8192):
    """`checkpoint` is a list of options; `device` is cpu, cuda or cuda:N."""
    subprocess.run([str(word) for word in (program, "export", *checkpoint, "--model-repository", repository, "--model", name,
                                           "--precision", precision, "--instances", instances, "--max-batch-size", rows)],
                   check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(pathlib.Path(repository) / (name + "-qa"), ignore_errors=True)  # nobody asks it
    path = pathlib.Path(repository) / name / "config.pbtxt"
    config = path.read_text()
    before = "kind: KIND_GPU" if "kind: KIND_GPU" in config else "kind: KIND_CPU"
    assert before in config
    after = "kind: KIND_CPU" if device == "cpu" else f"kind: KIND_GPU\n    gpus: [ {(device + ':0').split(':')[1]} ]"
    path.write_text(config.replace(before, after) +
                    f'parameters {{ key: "max_batch_tokens" value {{ string_value: "{tokens}" }} }}\n')


class StrictInferd(Inferd):
    """Ends at once when a model does not load."""

    def start(self):
        self.command.append("--exit-on-error=true")
        super().start()


def serve(program, repository, folder):
    """A running server on all CPUs, or SystemExit with its log."""
    return StrictInferd(repository, ",".join(map(str, sorted(os.sched_getaffinity(0)))), pathlib.Path(folder), program)
