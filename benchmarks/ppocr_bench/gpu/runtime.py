"""Which files make the running Python with its packages run on a bare machine."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from ppocr_bench.errors import BenchError
from ppocr_bench.gpu.command import CUDA
from ppocr_server.tritonserver.locate import WHEEL, find_tritonserver

#: What a run imports. Of the server's wheel the files alone are used, so nothing that it asks for.
PACKAGES = ["tritonclient[grpc,http]", "opencv-python-headless", "pillow", "pyclipper", "onnx"]
PACKAGES += ["psutil", "pyyaml", "tqdm", "packaging"]
OWN = ["client", "pipeline", "steps", "engine", "converters", "server", "bench"]
#: Only tools of ONNX Runtime import these.
LEFT_OUT = {"sympy", "coloredlogs"}
CUDA_WHEELS = "onnxruntime-gpu[cuda,cudnn]"
#: The C library fits the loader, and the driver the kernel, of the machine that runs.
OF_THE_SYSTEM = (
    *("ld-linux", "libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libresolv.so"),
    *("libutil.so", "libanl.so", "libnss", "libcuda.so", "libnvidia"),
)
#: Beginnings of files and folders of Python that a run does not need.
NOT_PACKED = (
    *("__pycache__", "test", "idlelib", "tkinter", "_tkinter", "ensurepip", "config-"),
    *("site-packages", "dist-packages"),
)
STDLIB = f"python/lib/python{sysconfig.get_python_version()}"
#: By its path in the bundle, where a file lies here.
Files = Mapping[str, Path]
#: In the standard library of the bundle: Triton's stub was seen to find nothing by PYTHONPATH, and
#: Debian's Python does not look into `site-packages`.
SITE = """import site
from pathlib import Path

site.addsitedir(str(Path(__file__).parents[3] / "packages"))
"""


def runtime_files(provider: str, made: Path) -> Files:
    """Every file of the runtime; those that are nowhere yet are made in the folder `made`.

    With CUDA, ONNX Runtime comes from pip's package index.

    Raises:
        BenchError: pip cannot get ONNX Runtime for CUDA, or there is no tritonserver to pack.
    """
    if find_tritonserver().origin != "wheel":
        raise BenchError(
            "the tritonserver found is a container's, which is not packed; use --no-runtime, and "
            "run the bundle in the same container"
        )
    (made / "sitecustomize.py").write_text(SITE, "utf-8")
    found = _python() | {f"{STDLIB}/sitecustomize.py": made / "sitecustomize.py"}
    roots = PACKAGES if provider == CUDA else [*PACKAGES, "onnxruntime"]
    for name in (*_closure(roots), WHEEL):
        files = metadata.distribution(name).files or []
        kept = (one for one in files if ".." not in one.parts and "__pycache__" not in one.parts)
        found |= {f"packages/{one}": Path(str(one.locate())) for one in kept}
    for name in OWN:
        spec = find_spec(f"ppocr_{name}")
        assert spec is not None
        assert spec.submodule_search_locations
        found |= _tree(Path(spec.submodule_search_locations[0]), f"packages/ppocr_{name}")
    if provider == CUDA:
        _install_cuda(made / "wheels")
        found |= _tree(made / "wheels", "packages")
    return found | _libraries(found.values())


def _python() -> dict[str, Path]:
    kinds = (Path(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib"))
    files = {name: path for folder in kinds for name, path in _tree(folder, STDLIB).items()}
    return {"python/bin/python3": Path(sys.executable).resolve(), **files}


def _tree(folder: Path, name: str) -> dict[str, Path]:
    """The files below a folder by their paths below `name`."""
    return {
        f"{name}/{path.relative_to(folder)}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(NOT_PACKED) for part in path.relative_to(folder).parts)
    }


def _closure(wanted: Iterable[str]) -> set[str]:
    """The installed packages that these and their extras ask for, by name."""
    found: set[str] = set()
    waiting, seen = list(wanted), set[str]()
    while waiting:
        asked = Requirement(waiting.pop())
        if asked.name in LEFT_OUT or str(asked) in seen:
            continue
        seen.add(str(asked))
        found.add(asked.name)
        for line in metadata.requires(asked.name) or []:
            marker = Requirement(line).marker
            if not marker or any(marker.evaluate({"extra": e}) for e in asked.extras or {""}):
                waiting.append(line.partition(";")[0])
    return found


def _install_cuda(target: Path) -> None:
    """ONNX Runtime for CUDA and NVIDIA's libraries beside the packages that are installed here."""
    target.mkdir(parents=True)
    held = target.with_name("constraints.txt")
    held.write_text(
        "".join(f"{name}=={metadata.version(name)}\n" for name in sorted(_closure(PACKAGES))),
        "utf-8",
    )
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target)]
    command += ["--constraint", str(held), "--only-binary", ":all:", CUDA_WHEELS]
    if (done := subprocess.run(command, stdout=sys.stderr, check=False)).returncode:
        raise BenchError(
            f"pip cannot install {CUDA_WHEELS} (status {done.returncode}, its reason is above); "
            "pack where an index offers it, or for a machine that has it with --no-runtime"
        )


def _libraries(files: Iterable[Path]) -> dict[str, Path]:
    """The system's libraries that these need and that a machine may lack, libpython with them."""
    binaries = [
        str(path)
        for path in files
        if path.suffix != ".py" and path.open("rb").read(4) == b"\x7fELF"
    ]
    command = ["ldd", *binaries]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    own = {Path(path).resolve() for path in binaries}
    needed = {
        Path(line.split("=>")[1].split()[0])
        for line in listed.stdout.splitlines()
        if "=> /" in line
    }
    return {
        f"lib/{path.name}": path.resolve()
        for path in sorted(needed)
        if path.resolve() not in own and not path.name.startswith(OF_THE_SYSTEM)
    }
