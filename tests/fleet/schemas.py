"""Validate manifests against the schemas that docker/checks/tools.py gets."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DEFINITIONS = "_definitions.json"
FOREIGN = re.compile(r"^V\d|^K8sIo")  # Kubernetes's own types, as KServe's SDK names them


class Schemas:
    """The schemas in a folder, by kind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kubernetes = folder / "kubernetes"
        self._registry: Registry = Registry(retrieve=self._retrieve)  # type: ignore[call-arg]

    def _retrieve(self, uri: str) -> Resource[Any]:
        name = uri.rsplit("/", 1)[-1]
        return Resource.from_contents(self._load(self._kubernetes / name), DRAFT202012)

    @cache  # noqa: B019  as long as the tests run
    def _load(self, path: Path) -> Any:
        return json.loads(path.read_text(encoding="utf-8"))

    def problems(self, manifest: dict[str, Any]) -> list[str]:
        """What is wrong with a manifest, a line each."""
        return self.problems_of(manifest, self.schema_of(manifest))

    def problems_of(self, content: Any, schema: Any) -> list[str]:
        """What is wrong with anything, by a schema, a line each."""
        validator = Draft202012Validator(schema, registry=self._registry)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)]

    def schema_of(self, manifest: dict[str, Any]) -> Any:
        """The schema of a manifest's kind and version."""
        kind = manifest["kind"]
        custom = self._folder / f"{kind}.json"
        if custom.is_file():
            return self.named(kind)
        group, _, version = manifest["apiVersion"].rpartition("/")
        prefix = f"{kind.lower()}-{group.split('.')[0]}-" if group else f"{kind.lower()}-"
        return self._load(self._kubernetes / f"{prefix}{version}.json")

    def named(self, name: str) -> Any:
        """A schema that is not Kubernetes's own, with what is Kubernetes's filled in."""
        return self._with_kubernetes(self._load(self._folder / f"{name}.json"))

    def _with_kubernetes(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self._with_kubernetes(part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        if FOREIGN.match(str(schema.get("$comment", ""))):
            key = self._definitions().get(schema["$comment"].lower())
            return {"$ref": f"{DEFINITIONS}#/$defs/{key}"} if key else {}
        return {name: self._with_kubernetes(part) for name, part in schema.items()}

    @cache  # noqa: B019
    def _definitions(self) -> dict[str, str]:
        """Kubernetes's definitions by the names that KServe's SDK gives them."""
        found = {}
        for key in self._load(self._kubernetes / DEFINITIONS)["$defs"]:
            *group, version, name = key.split(".")
            spelled = "".join(
                part.capitalize() for part in ["k8s", "io", *group[2:], version, name]
            )
            found[spelled.lower()] = key
            if group[-1] in ("core", "meta") and version == "v1":
                found[f"{version}{name}".lower()] = key
        return found
