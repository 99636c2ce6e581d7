"""Which files make the running Python with its packages run on a bare machine."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from ppocr_bench.record import BenchError
from ppocr_bench.verbs.gpu import CPU, CUDA
from ppocr_server.tritonserver.installation import WHEEL, find_tritonserver

#: What a run imports.
PACKAGES = ["tritonclient[grpc,http]", "opencv-python-headless", "pillow", "pyclipper", "onnx"]
PACKAGES += ["psutil", "pyyaml", "tqdm", "packaging"]
RUNTIMES = {CPU: "onnxruntime", CUDA: "onnxruntime-gpu[cuda,cudnn]"}
OWN = ["client", "pipeline", "steps", "engine", "converters", "server", "bench"]
#: The C library fits the loader, and the driver the kernel, of the machine that runs.
OF_THE_SYSTEM = (
    *("ld-linux", "libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libresolv.so"),
    *("libutil.so", "libanl.so", "libnss", "libcuda.so", "libnvidia"),
)
#: Beginnings of files and folders that a run does not need: of Python, and of packages, where only
#: tools of ONNX Runtime import the last two.
OF_PYTHON = (
    *("__pycache__", "test", "idlelib", "tkinter", "_tkinter", "ensurepip", "config-"),
    *("site-packages", "dist-packages"),
)
OF_PACKAGES = ("__pycache__", "sympy", "mpmath")
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

    Packages come from pip's package index, in the versions that are installed here.

    Raises:
        BenchError: pip cannot get a package, or there is no tritonserver to pack.
    """
    if find_tritonserver().origin != "wheel":
        raise BenchError(
            "the tritonserver found is a container's, which is not packed; use --no-runtime, and "
            "run the bundle in the same container"
        )
    (made / "sitecustomize.py").write_text(SITE, "utf-8")
    found = _python() | {f"{STDLIB}/sitecustomize.py": made / "sitecustomize.py"}
    packages, held = made / "packages", made / "constraints.txt"
    versions = (f"{one.name}=={one.version}\n" for one in metadata.distributions())
    held.write_text("".join(versions), "utf-8")
    _install(packages, held, [*PACKAGES, RUNTIMES[provider]])
    # Of the server's wheel the files alone are used, so nothing that it asks for.
    _install(packages, held, ["--no-deps", WHEEL])
    own = metadata.distribution("ppocr-triton")
    about = packages / f"ppocr_triton-{own.version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(own.read_text("METADATA") or "", "utf-8")
    found |= _tree(packages, "packages", OF_PACKAGES)
    for name in OWN:
        spec = find_spec(f"ppocr_{name}")
        assert spec is not None
        assert spec.submodule_search_locations
        folder = Path(spec.submodule_search_locations[0])
        found |= _tree(folder, f"packages/ppocr_{name}", OF_PACKAGES)
    return found | _libraries(found.values())


def _python() -> dict[str, Path]:
    files = {"python/bin/python3": Path(sys.executable).resolve()}
    for kind in ("stdlib", "platstdlib"):
        files |= _tree(Path(sysconfig.get_path(kind)), STDLIB, OF_PYTHON)
    return files


def _tree(folder: Path, name: str, left_out: tuple[str, ...]) -> dict[str, Path]:
    """The files below a folder by their paths below `name`."""
    return {
        f"{name}/{path.relative_to(folder)}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(left_out) for part in path.relative_to(folder).parts)
    }


def _install(target: Path, held: Path, wanted: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target)]
    command += ["--constraint", str(held), "--only-binary", ":all:", *wanted]
    if (done := subprocess.run(command, stdout=sys.stderr, check=False)).returncode:
        raise BenchError(
            f"pip cannot install {' '.join(wanted)} (status {done.returncode}, its reason is "
            "above); pack where an index offers it, or for a machine that has it with --no-runtime"
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
