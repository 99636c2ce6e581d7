"""One stage of `gpu run`, in a process of its own: stage.py STAGE BUNDLE OUT."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from ppocr_bench.gpu.bound import bound
from ppocr_bench.gpu.reference import on_cpu
from ppocr_bench.gpu.run import read, write
from ppocr_bench.gpu.serve import serve
from ppocr_bench.machine import describe
from ppocr_bench.pictures import read_picture
from ppocr_bench.verbs.gpu import CPU
from ppocr_engine.session import import_engine
from ppocr_server.tritonserver.installation import find_tritonserver
from ppocr_server.tritonserver.process_guard import SHARED_MEMORY


def main(stage: str, bundle: Path, out: Path) -> None:
    """Run a stage; what it finds goes into its file as soon as it is found."""
    kept, facts = read(out / f"{stage}.json"), read(bundle / "bundle.json")
    keep, job = partial(write, out / f"{stage}.json"), kept["job"]
    kind, _, name = stage.partition("-")
    if kind == "machine":
        return keep(kept | {"machine": machine()})
    own, repository = facts["repositories"][name], bundle / "repositories" / name
    if kind == "bound":
        names = {one for scene in job["scenes"] for one in facts["scenes"][scene]}
        inputs = {one: calls for one, calls in own["inputs"].items() if one in names}
        return bound(repository, inputs, job["provider"], kept, keep)
    if job["provider"] == CPU:
        repository = on_cpu(repository, out / "on_cpu" / name)
    scenes = {
        scene: [read_picture(bundle / "pictures" / one) for one in facts["scenes"][scene]]
        for scene in job["scenes"]
    }
    log = out / f"{stage}-triton.log"
    return serve(repository, log, scenes, facts, own["precisions"], kept, keep)


def machine() -> dict[str, Any]:
    """Processor, memory, GPUs as nvidia-smi lists them, versions, providers, shared memory."""
    runtime = import_engine("onnxruntime")
    found = describe() | {
        "executable": sys.executable,
        "onnxruntime": runtime.__version__,
        "providers": runtime.get_available_providers(),
        "tritonserver": str(find_tritonserver().binary),
        "shm_free_mib": shutil.disk_usage(SHARED_MEMORY).free >> 20,
    }
    if tool := shutil.which("nvidia-smi"):
        done = subprocess.run([tool], capture_output=True, text=True, timeout=20, check=False)
        found["nvidia_smi"] = done.stdout.splitlines()
    return found


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
