"""Parts of the command line and the environment of tritonserver."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from sysconfig import get_python_version

from ppocr_engine.environment import TELEMETRY_OFF
from ppocr_pipeline.options import OPTIONS
from ppocr_server.errors import NotInstalledError
from ppocr_server.tritonserver.installation import Installation

LOG_LEVELS: dict[str, tuple[str, ...]] = {
    "error": ("--log-info=false", "--log-warning=false"),
    "warning": ("--log-info=false",),
    "info": (),
    "verbose": ("--log-verbose=1",),
}
# Shared memory of one Python instance. It grows for pictures; a large step makes that one growth
# instead of many. Untouched pages cost nothing.
SHARED_MEMORY = {"shm-default-byte-size": 1 << 20, "shm-growth-byte-size": 16 << 20}
# glibc's memory comes in pages of 2 MiB where the kernel has them. A detector goes through hundreds
# of MiB for each picture, and takes less processor time with them.
HUGE_PAGES = "glibc.malloc.hugetlb=1"
# HTTP headers that Triton forwards as options of the request, because a body that is the bare
# picture has no place for them. The pattern admits misspelled names, so that they are refused
# instead of ignored, and hyphens, because proxies drop headers with an underscore.
_FIRST_WORDS = sorted({name.partition("_")[0] for name in OPTIONS})
OPTION_HEADERS = f"(?i)^({'|'.join(_FIRST_WORDS)})([_-].*)?$"
_MISSING_LIBRARY = re.compile(r"error while loading shared libraries: ([^:]+):")
_UNSAFE_FOR_SHELL = re.compile(r"[^\w@%+=:,./-]")


def backend_arguments(installation: Installation, prefix: str) -> list[str]:
    """The settings of shared memory, whose regions get names that begin with `prefix`."""
    settings = {"shm-region-prefix-name": prefix, **SHARED_MEMORY}
    # A Python-based backend reads these settings under its own name.
    return [
        f"--backend-config={backend},{name}={value}"
        for backend in ("python", *installation.stand_ins)
        for name, value in settings.items()
    ]


def triton_environment(installation: Installation) -> dict[str, str]:
    """Return what must be added to the environment of tritonserver and its Python stubs.

    The wheel's libraries are in a folder of their own. Its Python stub embeds an interpreter that
    finds its packages through the first `python3` on PATH, which must be the running one. A
    container has its own Python and needs neither; huge pages were not measured there.
    """
    if not installation.libraries:
        return dict(TELEMETRY_OFF)
    libraries = [*map(str, installation.libraries), os.environ.get("LD_LIBRARY_PATH", "")]
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    tunables = [HUGE_PAGES, os.environ.get("GLIBC_TUNABLES", "")]  # the last one counts
    return {
        **TELEMETRY_OFF,
        "GLIBC_TUNABLES": ":".join(filter(None, tunables)),
        "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
        "PATH": ":".join(folders),
    }


def check_stub(installation: Installation, environment: Mapping[str, str]) -> None:
    """Refuse a Python stub whose libraries do not load; Triton would wait for it forever.

    Raises:
        NotInstalledError: names the missing library.
    """
    if installation.stub is None:
        return
    # Without arguments the stub ends at once.
    trial = subprocess.run(
        [installation.stub], env={**os.environ, **environment}, capture_output=True, text=True
    )
    found = _MISSING_LIBRARY.search(trial.stderr)
    if found:
        raise NotInstalledError(
            f"Triton's Python backend needs {found[1]}, which is not on this system; install it "
            f"(on Debian and Ubuntu: apt install libpython{get_python_version()}), or use a Python "
            "that was built with --enable-shared"
        )


def shell_safe(path: Path, link: Path) -> Path:
    """Return `path`, or the new link `link` to it if the path would break a shell command.

    The Python backend passes the arguments of its stub to bash unquoted, so it cannot serve a
    repository path with a space in it.
    """
    if not _UNSAFE_FOR_SHELL.search(str(path)):
        return path
    link.symlink_to(path)
    return link
