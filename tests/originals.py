"""Environments of their own for the programs that use the server, in `build/`."""

import subprocess
import sys
from pathlib import Path

BUILD = Path(__file__).parents[1] / "build"


def environment(name: str, *packages: str) -> str:
    """The Python of an environment with these packages, which is made where it is not there.

    Args:
        name: Of its folder.
        packages: What pip is to install; `-e` before a folder of the project.

    Raises:
        CalledProcessError: If pip cannot install them; it says why.
    """
    folder = BUILD / f"{name}_environment"
    python, made_with = str(folder / "bin" / "python"), folder / "packages.txt"
    wanted = "\n".join(packages)
    if not made_with.is_file() or made_with.read_text("utf-8") != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        made_with.write_text(wanted, "utf-8")
    return python
