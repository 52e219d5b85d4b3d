"""What bench/gpu_scores and bench/gpu_served share: models whose instances are on a GPU, and a server of them."""
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/load"))
from servers import Inferd  # noqa: E402


def export(program, repository, name, checkpoint, precision, device, instances=2, rows=256, tokens=16384, short_batches="auto", bf16_layers=0):
    """`checkpoint` is a list of options; `device` is cpu, cuda or cuda:N; `bf16_layers` is for fp8."""
    kind = ["--instance-kind", "cpu" if device == "cpu" else "gpu", "--instances", 1 if device == "cpu" else instances]
    subprocess.run([str(word) for word in (program, "export", *checkpoint, "--model-repository", repository, "--model", name,
                                           "--precision", precision, "--max-batch-size", rows, *kind)],
                   check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(pathlib.Path(repository) / (name + "-qa"), ignore_errors=True)  # nobody asks it
    path = pathlib.Path(repository) / name / "config.pbtxt"
    config = path.read_text()
    if device != "cpu":
        assert "kind: KIND_GPU" in config
        config = config.replace("kind: KIND_GPU", f"kind: KIND_GPU\n    gpus: [ {(device + ':0').split(':')[1]} ]")
        for key, value in (("max_batch_tokens", tokens), ("short_batches", short_batches),
                           ("bf16_layers", bf16_layers if precision == "fp8" else 0)):
            config += f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'
    path.write_text(config)


def name_of(precision, bf16_layers):
    return f"fp8 from layer {bf16_layers + 1} on" if precision == "fp8" and bf16_layers else precision


class StrictInferd(Inferd):
    """Ends at once when a model does not load."""

    def start(self):
        self.command.append("--exit-on-error=true")
        super().start()


def serve(program, repository, folder):
    """A running server on all CPUs, or SystemExit with its log."""
    return StrictInferd(repository, ",".join(map(str, sorted(os.sched_getaffinity(0)))), pathlib.Path(folder), program)
