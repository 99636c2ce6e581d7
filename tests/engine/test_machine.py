"""Cores: the affinity mask and the quotas of control groups, whichever is least."""

import os
from pathlib import Path

import pytest
from cases import cases

from ppocr_engine.machine import available_cores, processor


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def tree(root: Path, membership: str, **files: str) -> Path:
    """A file system with /proc/self/cgroup and files below /sys/fs/cgroup, "/" written as "__"."""
    written = {"proc/self/cgroup": membership}
    written |= {f"sys/fs/cgroup/{name.replace('__', '/')}": text for name, text in files.items()}
    for name, text in written.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def test_without_control_groups_the_mask_counts(tmp_path):
    assert available_cores(tmp_path) == 8


@pytest.mark.parametrize(("quota", "cores"), cases(__file__)["quotas"])
def test_a_quota_is_rounded_down_to_at_least_one(tmp_path, quota, cores):
    root = tree(tmp_path, "0::/", **{"cpu.max": quota})
    assert available_cores(root) == cores


def test_every_level_above_counts(tmp_path):
    root = tree(
        tmp_path,
        "0::/kube/pod/container",
        **{
            "kube__cpu.max": "600000 100000",
            "kube__pod__cpu.max": "300000 100000",
            "kube__pod__container__cpu.max": "max 100000",
            "kube__other__cpu.max": "100000 100000",
        },
    )
    assert available_cores(root) == 3


def test_the_root_of_a_container_is_its_own_group(tmp_path):
    """The path is the host's, and what is mounted is the container's group alone."""
    root = tree(tmp_path, "0::/../../docker/abc", **{"cpu.max": "200000 100000"})
    assert available_cores(root) == 2


@pytest.mark.parametrize("mount", ["cpu,cpuacct", "cpu"])
@pytest.mark.parametrize("level", ["", "docker__abc__"])
def test_version_1(tmp_path, mount, level):
    files = {
        f"{mount}__{level}cpu.cfs_quota_us": "250000",
        f"{mount}__{level}cpu.cfs_period_us": "100000",
    }
    membership = "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/"
    assert available_cores(tree(tmp_path, membership, **files)) == 2


def test_version_1_without_a_limit(tmp_path):
    files = {"cpu__cpu.cfs_quota_us": "-1", "cpu__cpu.cfs_period_us": "100000"}
    assert available_cores(tree(tmp_path, "1:cpu:/", **files)) == 8


def test_both_versions_at_once(tmp_path):
    files = {
        "cpu__cpu.cfs_quota_us": "500000",
        "cpu__cpu.cfs_period_us": "100000",
        "unified__a__cpu.max": "400000 100000",
    }
    assert available_cores(tree(tmp_path, "1:cpu:/\n0::/a", **files)) == 4


def test_the_processor_has_a_name_and_these_cores():
    found = processor()
    assert found["name"]
    assert found["cores"] == available_cores()
