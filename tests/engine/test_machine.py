"""Cores: the affinity mask and the quotas of control groups, whichever is least."""

import os
from pathlib import Path

import pytest
from cases import cases

from ppocr_engine.machine import available_cores, processor

CASES = cases(__file__)


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


@pytest.mark.parametrize(("quota", "cores"), CASES["quotas"])
def test_a_quota_is_rounded_down_to_at_least_one(tmp_path, quota, cores):
    root = tree(tmp_path, "0::/", **{"cpu.max": quota})
    assert available_cores(root) == cores


@pytest.mark.parametrize("group", CASES["groups"])
def test_the_least_quota_of_all_groups_counts(tmp_path, group):
    assert available_cores(tree(tmp_path, group["member"], **group["files"])) == group["cores"]


def test_the_processor_has_a_name_and_these_cores():
    found = processor()
    assert found["name"]
    assert found["cores"] == available_cores()
