"""Write the table of THIRD_PARTY_NOTICES.md from the metadata of the installed packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "ppocr-triton"
EXTRAS = ("client", "draw", "pdf", "batch", "endpoint", "serve", "convert", "bench")
PAGE = Path(__file__).parents[1] / "THIRD_PARTY_NOTICES.md"
RULE = "| --- | --- | --- | --- |\n"


def main() -> None:
    """Replace the table of Python packages, which ends the page."""
    extras_of: dict[str, list[str]] = {}
    for extra in EXTRAS:
        for name in _packages(extra):
            extras_of.setdefault(name, []).append(extra)
    rows = []
    for name, extras in sorted(extras_of.items()):
        package = distribution(name)
        brought_by = "all" if "client" in extras else ", ".join(extras)
        rows.append(f"| {package.name} | {package.version} | {_licence(name)} | {brought_by} |\n")
    before = PAGE.read_text("utf-8").split(RULE)[0]
    PAGE.write_text(before + RULE + "".join(rows), "utf-8")


def _packages(extra: str) -> set[str]:
    """The canonical names of all packages that an extra installs; `client` is the base install."""
    found: set[str] = set()
    waiting = [(PROJECT, "" if extra == "client" else extra)]
    seen = set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            requirements = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # of another platform or Python
        if name != PROJECT:
            found.add(name)
        for text in requirements:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or marker.evaluate({"extra": wanted}):
                needed = canonicalize_name(requirement.name)
                waiting += [(needed, more) for more in ("", *requirement.extras)]
    return found


def _licence(name: str) -> str:
    """The licence that a package's metadata states."""
    metadata = distribution(name).metadata
    if stated := metadata["License-Expression"]:
        return str(stated)
    classifiers = [
        line.split(" :: ")[-1]
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    if classifiers:
        return "; ".join(classifiers)
    return str(metadata["License"] or "not stated").splitlines()[0]


if __name__ == "__main__":
    main()
