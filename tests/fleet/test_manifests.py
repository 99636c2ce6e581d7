"""Images, compose, charts and manifests, each held to what reads it: linters, helm, schemas."""

import json
import re
import subprocess
from collections.abc import Callable
from copy import deepcopy
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import yaml
from cases import cases
from fleet.schemas import Schemas
from paths import ROOT

CASES = cases(__file__)

DOCKER = ROOT / "docker"
CHART = DOCKER / "helm" / "ppocr-triton"
SCRIPTS = [DOCKER / "image" / "install.sh", DOCKER / "image" / "entrypoint.sh"]
PUSHED = "image.repository=registry.example/ppocr"
COMMON = {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"}
# What is set of the chart's values, and the kinds that come beside those that always come.
VARIANTS = {
    "default": ([], set()),
    "gpu": (["device=gpu", "models.from=claim", "models.claim.name=models"], set()),
    "convert": (["models.from=convert", "traces.url=http://collector:4318/v1/traces"], set()),
    "old clients": (
        ["oldEndpoint.enabled=true", "serviceMonitor.enabled=true"],
        {"ServiceMonitor"},
    ),
    "no gateway": (["gateway.enabled=false"], set()),
    "hpa": (["autoscaling.by=hpa"], {"HorizontalPodAutoscaler"}),
    "keda": (["autoscaling.by=keda"], {"ScaledObject"}),
}

Program = Callable[[str], Path]


@pytest.fixture(scope="session")
def schemas(tools) -> Schemas:
    return Schemas(tools / "schemas")


def render(helm: Path, *values: str) -> list[dict[str, Any]]:
    """What the chart makes of values, as manifests."""
    flags = [word for value in (PUSHED, *values) for word in ("--set", value)]
    command = [str(helm), "template", "ocr", str(CHART), "--namespace", "reading", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def pod_of(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    deployment = next(part for part in manifests if part["kind"] == "Deployment")
    return dict(deployment["spec"]["template"]["spec"])


def check(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_dockerfile(program):
    check(program("hadolint"), DOCKER / "image" / "Dockerfile")


def test_the_release_builds_what_there_is(program):
    workflow = ROOT / ".github" / "workflows" / "release.yml"
    schema = ["--builtin-schema", "vendor.github-workflows"]
    check(program("check-jsonschema"), *schema, workflow)
    jobs = yaml.safe_load(workflow.read_text("utf-8"))["jobs"]
    dockerfile = (DOCKER / "image" / "Dockerfile").read_text("utf-8")
    targets = jobs["images"]["strategy"]["matrix"]["target"]
    assert set(targets) <= set(re.findall(r" AS (\S+)$", dockerfile, re.MULTILINE))
    scripts = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert all(f"files/{target}.txt" in scripts[-1] for target in targets)
    assert "--file docker/image/Dockerfile" in scripts[-2]
    make = (ROOT / "Makefile").read_text("utf-8")
    for called in re.findall(r"^make (.*)$", "\n".join(scripts), re.MULTILINE):
        assert all(re.search(rf"^{name}:", make, re.MULTILINE) for name in called.split())


def test_the_build_context_holds_what_is_installed():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    folders = project.partition("[tool.setuptools.package-dir]")[2].partition("\n\n")[0]
    needed = {line.split('"')[-2].split("/")[0] for line in folders.splitlines() if "=" in line}
    for key in ("readme", "license-files"):
        (value,) = re.findall(rf"^{key} = (.*)$", project, re.MULTILINE)
        needed |= set(re.findall(r'"(.*?)"', value))
    needed |= {"pyproject.toml", "constraints.txt", "docker/image"}
    ignored = DOCKER / "image" / "Dockerfile.dockerignore"
    lines = ignored.read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in lines if line.startswith("!")} == needed
    script = (DOCKER / "checks" / "chroot").read_text(encoding="utf-8")
    copied = script.partition("ls-files -z -- ")[2].partition("|")[0]
    assert set(copied.replace("\\", " ").split()) == needed


def test_shell_scripts(program):
    check(
        program("shellcheck"), *SCRIPTS, *(DOCKER / "checks" / name for name in ("bare", "chroot"))
    )


def test_entry_point_runs_a_command_of_ones_own():
    done = subprocess.run(
        [DOCKER / "image" / "entrypoint.sh", "sh", "-c", "echo mine"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "mine\n"


def test_install_script_names_what_it_can_install():
    command = [str(DOCKER / "image" / "install.sh"), "python", "tpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "allowed: cpu, gpu, convert" in done.stderr


def test_compose(schemas):
    file = DOCKER / "compose" / "compose.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    schema = schemas.named("ComposeSpecification")
    content = {name: part for name, part in content.items() if not name.startswith("x-")}
    assert schemas.problems_of(content, schema) == []
    misspelled = deepcopy(content)
    misspelled["services"]["cpu"]["read_onyl"] = True
    assert schemas.problems_of(misspelled, schema)
    # Files that are mounted must be there: a container engine would make empty folders of them.
    for service in content["services"].values():
        for volume in service.get("volumes", []):
            if volume.startswith(".."):
                assert (file.parent / volume.split(":")[0]).exists(), volume


@pytest.mark.parametrize("variant", VARIANTS)
def test_chart(program, schemas, variant):
    values, more = VARIANTS[variant]
    manifests = render(program("helm"), *values)
    assert {manifest["kind"] for manifest in manifests} == COMMON | more
    for manifest in manifests:
        assert schemas.problems(manifest) == [], manifest["kind"]
    pod = pod_of(manifests)
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        assert container["securityContext"]["readOnlyRootFilesystem"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in pod["volumes"]}
    (triton,) = (part for part in pod["containers"] if part["name"] == "triton")
    grace = int(next(a for a in triton["args"] if a.startswith("--grace=")).split("=")[1])
    drain = int(triton["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > drain + grace


def test_schemas_refuse_what_is_misspelled(program, schemas):
    for manifest in render(program("helm"), "autoscaling.by=keda", "serviceMonitor.enabled=true"):
        if "spec" in manifest:
            manifest["spec"]["misspelled"] = 1
            assert schemas.problems(manifest), manifest["kind"]


@pytest.mark.parametrize(
    "value", ["device=tpu", "replicas=-1", "models.from=cloud", "unknown=1", "autoscaling.by=magic"]
)
def test_chart_refuses_wrong_values(program, value):
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render(program("helm"), value)
    assert value.split("=")[0].split(".")[-1] in refused.value.stderr


@pytest.mark.parametrize(("value", "asked"), CASES["asked"])
def test_chart_asks_for_what_it_cannot_know(program, value, asked):
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render(program("helm"), value)
    assert asked in refused.value.stderr


@pytest.mark.parametrize(("values", "image"), CASES["images"])
def test_image_has_models_unless_they_come_from_elsewhere(program, values, image):
    pod = pod_of(render(program("helm"), *values))
    assert pod["containers"][0]["image"] == f"registry.example/ppocr:{image}"


def test_models_are_converted_for_the_device(program):
    pod = pod_of(render(program("helm"), "models.from=convert", "device=gpu"))
    (convert,) = pod["initContainers"]
    assert convert["image"] == "registry.example/ppocr:convert"
    assert "--profile=gpu" in convert["args"]


def test_every_option_of_the_containers_exists(program):
    values = "models.from=convert", "oldEndpoint.enabled=true", "traces.url=http://collector:4318"
    pod = pod_of(render(program("helm"), *values))
    for part in (*pod["initContainers"], *pod["containers"]):
        # As docker/image/entrypoint.sh: options alone are those of ppocr-serve.
        command = list(takewhile(lambda word: word[0] != "-", part["args"])) or ["ppocr-serve"]
        done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
        given = [word.partition("=")[0] for word in part["args"] if word.startswith("--")]
        known = set(re.findall(r"--[a-z-]+", done.stdout))
        assert given, part["name"]
        assert [option for option in given if option not in known] == [], command


def test_secrets_come_from_the_environment(program, schemas):
    manifests = render(program("helm"), "secret=keys", "oldEndpoint.enabled=true")
    containers = pod_of(manifests)["containers"]
    assert [part["envFrom"] for part in containers] == [[{"secretRef": {"name": "keys"}}]] * 2
    assert [problem for each in manifests for problem in schemas.problems(each)] == []
    assert not any("envFrom" in part for part in pod_of(render(program("helm")))["containers"])


@pytest.mark.parametrize("wanted", [True, False])
def test_the_gateway_is_reached_unless_it_is_left_out(program, wanted):
    chosen = f"gateway.enabled={str(wanted).lower()}"
    manifests = render(program("helm"), chosen, "serviceMonitor.enabled=true")
    (triton,) = pod_of(manifests)["containers"]
    assert ("--gateway-port=none" in triton["args"]) is not wanted
    kinds = [part["kind"] for part in manifests if "gateway" in json.dumps(part)]
    open_to = ["NetworkPolicy", "Service", "Service", "ServiceMonitor"] if wanted else []
    assert sorted(kinds) == ["Deployment", *open_to]
    policy, monitor = (
        next(part["spec"] for part in manifests if part["kind"] == kind)
        for kind in ("NetworkPolicy", "ServiceMonitor")
    )
    scraped = [endpoint["port"] for endpoint in monitor["endpoints"]]
    assert scraped == ["metrics", *(["gateway"] if wanted else [])]
    names = [endpoint.get("relabelings", []) for endpoint in monitor["endpoints"]]
    assert names == [[], *([[{"targetLabel": "job", "replacement": "gateway"}]] if wanted else [])]
    assert [rule["port"] for rule in policy["ingress"][-1]["ports"]] == scraped


def test_chart_lints(program):
    check(program("helm"), "lint", "--strict", "--set", PUSHED, CHART)


@pytest.mark.parametrize("name", ["serving-runtime", "inference-service"])
def test_kserve(schemas, name):
    manifest = yaml.safe_load((DOCKER / "kserve" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert schemas.problems(manifest) == []
    assert manifest["apiVersion"].startswith("serving.kserve.io/")
    manifest["spec"]["misspelled"] = 1
    assert schemas.problems(manifest)


def test_kserve_pods_are_held_to_kubernetes(schemas):
    file = DOCKER / "kserve" / "serving-runtime.yaml"
    manifest = yaml.safe_load(file.read_text(encoding="utf-8"))
    manifest["spec"]["containers"][0]["imgae"] = "misspelled"
    assert "imgae" in json.dumps(schemas.problems(manifest))


def test_kserve_service_names_the_runtime():
    runtime, service = (
        yaml.safe_load((DOCKER / "kserve" / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ("serving-runtime", "inference-service")
    )
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"]["name"] == runtime["spec"]["supportedModelFormats"][0]["name"]
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]


def test_envoy_configuration(program):
    check(program("envoy"), "--mode", "validate", "-c", DOCKER / "envoy" / "envoy.yaml")
