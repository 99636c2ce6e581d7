"""Native engines: a built repository turned into one for Triton's backend "tensorrt"."""

from __future__ import annotations

import logging
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ppocr_converters.errors import RepositoryError
from ppocr_converters.files import new_folder, sha256_files
from ppocr_converters.repository.configuration import CONFIG
from ppocr_converters.repository.layout import WEIGHTS
from ppocr_converters.repository.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from ppocr_converters.repository.tensorrt.config import PLAN, to_native
from ppocr_converters.repository.tensorrt.shapes import Buckets, spelled
from ppocr_engine.config_pbtxt import read_config, write_config
from ppocr_engine.tensorrt_engines import Machine, built_with, this_machine

logger = logging.getLogger(__name__)

TIMING_CACHE = "timing.cache"
#: Where NVIDIA's containers have it.
TRTEXEC = "/usr/src/tensorrt/bin/trtexec"
#: GPU memory that one layer may use while an engine is built and run, MiB.
WORKSPACE_MIB = 2048


def plan_commands(
    repository: Path, *, trtexec: str = TRTEXEC, timing_cache: Path | None = None
) -> dict[str, list[str]]:
    """The command that builds the engine of each network of a repository.

    The timing cache is a file beside the repository unless another one is named.

    Raises:
        RepositoryError: it was built without shapes.
    """
    cache = timing_cache or repository.parent / TIMING_CACHE
    return {
        name: build_command(
            repository / name / WEIGHTS,
            repository / name / "1" / PLAN,
            buckets,
            timing_cache=cache,
            trtexec=trtexec,
        )
        for name, buckets in _read(repository)["shapes"].items()
    }


def build_engines(
    repository: Path,
    out: Path,
    *,
    trtexec: str = TRTEXEC,
    machine: Machine | None = None,
) -> Manifest:
    """Build the engines of a repository on this machine, into a repository of their own.

    `machine` is what they are recorded to be built with; by default this machine.

    Returns:
        The manifest of `out`.

    Raises:
        RepositoryError: there is no trtexec or no GPU here, or it failed.
    """
    found = shutil.which(trtexec)
    if found is None:
        raise RepositoryError(
            f"{trtexec} is not here; run this in the container that will serve, "
            f"or name the program with --trtexec. --print shows the commands"
        )
    machine = machine or this_machine()
    if not machine.gpus:
        raise RepositoryError("no NVIDIA GPU is here: engines are built on the GPU that runs them")
    manifest = _read(repository)
    cache = (out.parent / TIMING_CACHE).resolve()
    with new_folder(out) as fresh:
        shutil.copytree(repository, fresh, dirs_exist_ok=True)
        commands = plan_commands(fresh, trtexec=found, timing_cache=cache)
        for name, command in commands.items():
            logger.info("building the engine of %s", name)
            _run(name, command)
            (fresh / name / WEIGHTS).unlink()
            config = read_config(fresh / name / CONFIG)
            to_native(config, manifest["shapes"][name])
            write_config(fresh / name / CONFIG, config)
        manifest["tensorrt"] = {**built_with(machine), "commands": commands}
        manifest["files"] = sha256_files(fresh, ignore=(MANIFEST,))
        write_manifest(fresh / MANIFEST, manifest)
    return manifest


def _read(repository: Path) -> Manifest:
    """The manifest of a repository that engines can be built for."""
    manifest = read_manifest(repository / MANIFEST)
    if manifest is None:
        raise RepositoryError(f"{repository} was not built by ppocr-convert (it has no {MANIFEST})")
    shapes = manifest.get("shapes")
    if not shapes or not all(isinstance(buckets, dict) for buckets in shapes.values()):
        raise RepositoryError(
            f"{repository} was built without shapes, or by an older version; build it again with "
            f"--profile tensorrt"
        )
    return manifest


def build_command(
    onnx: Path,
    plan: Path,
    buckets: Buckets,
    *,
    timing_cache: Path,
    trtexec: str = TRTEXEC,
) -> list[str]:
    """The command that builds one engine, with an optimisation profile for each bucket.

    Every layer computes in the types of the file. TensorRT 10 must be told so; TensorRT 11 knows
    nothing else and takes the flag as well.
    """
    profiles = [
        part
        for index, bucket in enumerate(buckets.values())
        for part in (
            f"--profile={index}",
            *(f"--{what}Shapes={shapes}" for what, shapes in spelled(bucket).items()),
        )
    ]
    return [
        trtexec,
        f"--onnx={onnx}",
        f"--saveEngine={plan}",
        f"--timingCacheFile={timing_cache}",
        f"--memPoolSize=workspace:{WORKSPACE_MIB}",
        "--skipInference",
        "--stronglyTyped",
        *profiles,
    ]


def script(commands: Sequence[Sequence[str]]) -> str:
    """The commands as a shell script that stops at the first failure."""
    lines = [" \\\n  ".join(shlex.quote(part) for part in command) for command in commands]
    return "\n".join(["#!/bin/sh", "set -eu", *lines, ""])


def _run(name: str, command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise RepositoryError(
            f"trtexec could not build the engine of {name} (exit code {done.returncode}): "
            f"{' | '.join(said[-3:]) or 'it said nothing'}"
        )
