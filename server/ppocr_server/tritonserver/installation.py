"""Find a tritonserver: an explicit one, the container's, or the one of the pip wheel."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ppocr_server.errors import NotInstalledError

# The engines that run networks and have a Python stand-in, and the distributions that hold them:
# with CUDA, with OpenVINO.
ENGINES = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"),
    "openvino": ("openvino",),
}
OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
STAND_INS = Path(__file__).parents[1] / "backends"
CONTAINER_ROOT = Path("/opt/tritonserver")
WHEEL = "nvidia-pytriton"
# The wheel's tritonserver is linked against the C library of Ubuntu 22.04.
WHEEL_GLIBC = (2, 35)
CONTAINER_HINT = "use NVIDIA's Triton container image instead"
_CACHES = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True)
class Installation:
    """Where one tritonserver and its parts lie.

    Attributes:
        origin: "container" (a full installation with its own backends) or "wheel".
        binary: the tritonserver executable.
        backends: its backend folder (`python/libtriton_python.so` is in it).
        libraries: folders for LD_LIBRARY_PATH, none where the system finds them itself.
        stub: Python backend stub to use, None where it lies in `backends/python` already.
    """

    origin: str
    binary: Path
    backends: Path
    libraries: tuple[Path, ...] = ()
    stub: Path | None = None

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """The engines whose C++ backend is not part of this installation."""
        return tuple(
            name
            for name in ENGINES
            if not (self.backends / name / f"libtriton_{name}.so").is_file()
        )

    def assemble_backends(self, target: Path) -> Path:
        """Return a complete backend directory, assembled in `target` where parts are missing.

        The backends of a container with all C++ engines are used as they are. Otherwise `target`
        (empty or absent) gets links to the installation's backends, the Python stand-ins of the
        engines that it lacks, and, for the wheel, the Python stub of the running Python version.
        Triton takes `onnxruntime/model.py` for the backend when that folder has no shared library.
        """
        if not self.stand_ins:
            return self.backends
        target.mkdir(parents=True, exist_ok=True)
        for backend in self.backends.iterdir():
            if backend.name == "python" and self.stub is not None:
                # Copied (3 MB), because Triton refuses a library that links out of its folder.
                shutil.copytree(backend, target / "python", ignore=_CACHES)
                shutil.copy2(self.stub, target / "python")
            elif backend.name not in self.stand_ins:
                (target / backend.name).symlink_to(backend)
        for name in self.stand_ins:
            (target / name).symlink_to(STAND_INS / name)
        return target

    def versions(self, triton: str = "") -> dict[str, str]:
        """Version by component that an answer depends on: triton, onnxruntime, openvino, opencv.

        Args:
            triton: as the server reports it ("2.51.0"), empty before it runs.
        """
        origin = f"{WHEEL} {_version((WHEEL,))}" if self.origin == "wheel" else "container"
        return {
            "triton": f"{triton} ({origin})" if triton else origin,
            **{name: self._engine_version(name) for name in ENGINES},
            "opencv": _version(OPENCV),
        }

    def _engine_version(self, name: str) -> str:
        """A C++ backend carries its library as lib<name>.so.<version>."""
        if name in self.stand_ins:
            return f"{_version(ENGINES[name])} (Python stand-in)"
        libraries = sorted((self.backends / name).glob(f"lib{name}.so.*"))
        found = [path.name.partition(".so.")[2] for path in libraries] or ["unknown version"]
        return f"{found[-1]} (C++ backend)"


def version_line(versions: Mapping[str, str]) -> str:
    """All versions in one line for people."""
    names = ("Triton", "ONNX Runtime", "OpenVINO", "OpenCV")
    return ", ".join(
        f"{name} {version}" for name, version in zip(names, versions.values(), strict=True)
    )


def _version(distributions: Sequence[str]) -> str:
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "not installed"


def find_tritonserver(explicit: str | Path | None = None) -> Installation:
    """Return the tritonserver to run: the explicit one, PATH, /opt/tritonserver, the wheel.

    Raises:
        NotInstalledError: none is usable; the message holds the command that installs one.
    """
    if explicit is not None:
        return _explicit(Path(explicit))
    on_path = shutil.which("tritonserver")
    for binary in (on_path, CONTAINER_ROOT / "bin" / "tritonserver"):
        if binary is not None and (found := _full_installation(Path(binary))) is not None:
            return found
    return _wheel()


def _explicit(binary: Path) -> Installation:
    if not os.access(binary, os.X_OK) or binary.is_dir():
        raise NotInstalledError(
            f"--tritonserver {binary} is not an executable file; "
            "give the path of the tritonserver binary itself, or leave the option out"
        )
    wheel = _wheel_root()
    if wheel is not None and binary.resolve() == (wheel / "bin" / "tritonserver").resolve():
        return _wheel()
    found = _full_installation(binary)
    if found is None:
        raise NotInstalledError(
            f"{binary} has no backends folder with the Python backend beside it "
            f"(looked for {_backends_of(binary)}/python/libtriton_python.so)"
        )
    return found


def _backends_of(binary: Path) -> Path:
    """Triton's layout: <root>/bin/tritonserver next to <root>/backends."""
    return binary.resolve().parent.parent / "backends"


def _full_installation(binary: Path) -> Installation | None:
    for backends in (_backends_of(binary), CONTAINER_ROOT / "backends"):
        if binary.is_file() and (backends / "python" / "libtriton_python.so").is_file():
            return Installation("container", binary, backends)
    return None


def _wheel_root() -> Path | None:
    """The `pytriton/tritonserver` folder of the wheel, found without importing pytriton."""
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(next(iter(spec.submodule_search_locations))) / "tritonserver"
    return root if (root / "bin" / "tritonserver").is_file() else None


def _wheel() -> Installation:
    root = _wheel_root()
    if root is None:
        raise NotInstalledError(
            "tritonserver was not found: not on PATH, not in /opt/tritonserver, and the "
            f"{WHEEL} wheel is not installed; install it with: pip install 'ppocr-triton[serve]'"
        )
    check_glibc(*platform.libc_ver())
    version = sysconfig.get_python_version()
    stub = root / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.is_file():
        present = ", ".join(sorted(p.name for p in (root / "python_backend_stubs").iterdir()))
        raise NotInstalledError(
            f"{WHEEL} {importlib.metadata.version(WHEEL)} has no Python backend for "
            f"Python {version} (it has {present}); run ppocr-serve with one of those"
        )
    return Installation(
        origin="wheel",
        binary=root / "bin" / "tritonserver",
        backends=root / "backends",
        libraries=(root.parent.parent / "nvidia_pytriton.libs", *_python_library()),
        stub=stub,
    )


def _python_library() -> list[Path]:
    """The folder of the running Python's own libpython, which the stub embeds.

    Without it the loader might find none, or one of another patch version.
    """
    name = sysconfig.get_config_var("INSTSONAME") or ""
    folder = Path(sysconfig.get_config_var("LIBDIR") or sys.base_prefix)
    candidates = (folder, folder / (sysconfig.get_config_var("MULTIARCH") or ""))
    return [path for path in candidates if ".so" in name and (path / name).is_file()][:1]


def check_glibc(name: str, version: str) -> None:
    """Refuse a C library too old for the wheel's tritonserver.

    Args:
        name: "glibc"; another one or none for other C libraries.
        version: such as "2.31".

    Raises:
        NotInstalledError: not glibc, or older than 2.35; names both versions.
    """
    needs = f"the {WHEEL} wheel needs glibc {'.'.join(map(str, WHEEL_GLIBC))} or newer"
    if name != "glibc":
        raise NotInstalledError(
            f"{needs} and this system's C library is not glibc; {CONTAINER_HINT}"
        )
    if tuple(int(part) for part in version.split(".")[:2]) < WHEEL_GLIBC:
        raise NotInstalledError(
            f"{needs}, this system has {version} "
            f"(Ubuntu 22.04, Debian 12 and later have it); {CONTAINER_HINT}"
        )
