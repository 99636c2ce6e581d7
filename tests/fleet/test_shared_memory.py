"""How much of /dev/shm a repository is said to need, beside what a real server takes."""

import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import yaml
from paths import ROOT, SIGN

from ppocr_client import OcrClient
from ppocr_engine.config_pbtxt import instance_count
from ppocr_engine.repository_check import read_configs
from ppocr_server.tritonserver.resources import region_sizes
from ppocr_server.tritonserver.server import TritonServer

SERVE = str(Path(sys.executable).parent / "ppocr-serve")
CHART = ROOT / "docker" / "helm" / "ppocr-triton"
GROWTH = 16 << 20


def sizes_of(repository: Path, pixels: int | None = None) -> dict[str, int]:
    return region_sizes([config for _, config in read_configs(repository)], pixels)


def test_only_models_in_processes_have_regions(repository):
    names = " ".join(sorted(sizes_of(repository)))
    assert names == "admit cls det det_postprocess det_preprocess rec recognize"


def test_larger_pictures_need_more_where_whole_pictures_pass(repository):
    small, large = sizes_of(repository, 1_000_000), sizes_of(repository, 50_000_000)
    assert large["det_preprocess"] > small["det_preprocess"]
    assert large["recognize"] > small["recognize"]
    assert large["det"] == small["det"]


def test_instances_count_on_every_gpu(repository):
    config = next(config for model, config in read_configs(repository) if model.name == "det")
    del config.instance_group[:]
    assert instance_count(config) == 1
    config.instance_group.add(count=3, gpus=[0, 1])
    config.instance_group.add(count=2)
    assert instance_count(config) == 8


def test_the_chart_has_room_for_the_cores_that_it_asks_for(repository):
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    cores = int(values["resources"]["limits"]["cpu"])
    sizes = sizes_of(repository)
    each = {
        model.name: sizes[model.name] // instance_count(config)
        for model, config in read_configs(repository)
        if model.name in sizes
    }
    others = sum(size for name, size in each.items() if name != "admit")
    assert int(values["sharedMemory"]) == each["admit"] + cores * others
    assert f"--cores {cores}" in (ROOT / "docker" / "image" / "Dockerfile").read_text("utf-8")


def test_the_command_prints_one_number(repository):
    done = subprocess.run(
        [SERVE, "shm-size", str(repository)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == sum(sizes_of(repository).values())


def test_the_command_names_a_missing_repository(tmp_path):
    missing = tmp_path / "none"
    done = subprocess.run(
        [SERVE, "shm-size", str(missing)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert str(missing) in done.stderr


@pytest.mark.server
def test_a_server_stays_within_what_was_said(repository, tmp_path):
    picture = cv2.imread(str(SIGN))
    picture = cv2.resize(picture, (3000, 3000))
    encoded = cv2.imencode(".jpg", picture)[1].tobytes()
    with TritonServer(repository, grace=0) as server:
        with OcrClient(f"grpc://{server.grpc_url}", timeout=120) as client:
            for _ in range(2):
                client.read(encoded)
        regions = Path("/dev/shm").glob(f"{server.shared_memory_prefix}*")
        used = sum(region.stat().st_size for region in regions)
    allowed = sum(sizes_of(repository, picture.shape[0] * picture.shape[1]).values())
    assert GROWTH < used <= allowed
