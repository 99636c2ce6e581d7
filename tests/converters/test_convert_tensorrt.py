"""TensorRT without a GPU: the exact shapes, configurations and commands; an engine is never run."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from work_folders import DET, REC

from ppocr_converters.cli import main
from ppocr_converters.graph.compile import cast_first
from ppocr_converters.graph.onnx_model import Tensor, load_onnx
from ppocr_converters.repository.deployment_plan import Shapes, load_profile
from ppocr_converters.repository.engines import build_engines
from ppocr_converters.repository.layout import assemble
from ppocr_converters.repository.shapes import buckets_of, spelled, whole
from ppocr_converters.repository.source import source_repository
from ppocr_engine.config_pbtxt import read_config
from ppocr_engine.errors import RepositoryError as ServeRepositoryError
from ppocr_engine.tensorrt_engines import Machine, check_engines, spell_version
from ppocr_pipeline.resize import parse_canvases

CROPS = Tensor("CROPS", "uint8", ("batch", 48, "width", 3))
WIDTHS = Tensor("WIDTHS", "int32", ("batch", 1))
#: Of the operators that NVIDIA lists as supported by the ONNX parser, those that are used.
SUPPORTED = """
Add AveragePool BatchNormalization Cast Clip Concat Conv ConvTranspose DepthToSpace Div Erf Gather
Gemm GlobalAveragePool HardSigmoid HardSwish Less MatMul MaxPool Mul Pow Range ReduceMean Relu
Reshape Resize Shape Sigmoid Slice Softmax Sqrt Squeeze Sub TopK Transpose Unsqueeze
"""
H200 = Machine(("NVIDIA H200",), ("9.0",), "10.3.0")
L4 = Machine(("NVIDIA L4",), ("8.9",), "10.3.0")


def rec_buckets():
    return buckets_of("rec", [CROPS, WIDTHS], Shapes((1, 32, 64)), [320, 640])


def test_a_recogniser_has_a_bucket_for_each_width_without_gaps():
    narrow, wide = rec_buckets().values()
    assert spelled(narrow) == {
        "min": "CROPS:1x48x8x3,WIDTHS:1x1",
        "opt": "CROPS:32x48x320x3,WIDTHS:32x1",
        "max": "CROPS:64x48x320x3,WIDTHS:64x1",
    }
    assert spelled(wide)["min"] == "CROPS:1x48x321x3,WIDTHS:1x1"
    assert spelled(whole(rec_buckets())) == {
        "min": "CROPS:1x48x8x3,WIDTHS:1x1",
        "opt": "CROPS:32x48x640x3,WIDTHS:32x1",
        "max": "CROPS:64x48x640x3,WIDTHS:64x1",
    }


def test_a_detector_has_canvases_or_ranges_of_sides_and_a_classifier_one_size():
    pixels = Tensor("DET_INPUT", "uint8", ("batch", "height", "width", 3))
    shapes = Shapes((1, 1, 8), ((32, 736, 960),))
    (det,) = buckets_of("det", [pixels], shapes, []).values()
    assert spelled(det)["opt"] == "DET_INPUT:1x736x736x3"
    assert spelled(det)["max"] == "DET_INPUT:8x960x960x3"
    (canvas,) = buckets_of("det", [pixels], shapes, [], [(736, 960)]).values()
    assert list(spelled(canvas).values()) == [f"DET_INPUT:{n}x736x960x3" for n in (1, 1, 8)]
    crops = Tensor("CROPS", "uint8", ("batch", 80, 160, 3))
    (cls,) = buckets_of("cls", [crops], Shapes((1, 6, 12)), []).values()
    assert list(spelled(cls).values()) == [f"CROPS:{n}x80x160x3" for n in (1, 6, 12)]


@pytest.fixture(scope="module")
def served(networks, tmp_path_factory) -> Path:
    """A repository for TensorRT inside ONNX Runtime."""
    folder = tmp_path_factory.mktemp("tensorrt") / "repository"
    assemble(folder, source_repository(), networks, load_profile("tensorrt", cores=4))
    return folder


def test_the_provider_gets_its_shapes_and_caches_and_no_precision(served):
    config = read_config(served / "rec" / "config.pbtxt")
    (accelerator, _cuda) = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    parameters = dict(accelerator.parameters)
    assert not [name for name in parameters if "precision" in name or "fp16" in name]
    for name in ("engine", "timing"):
        assert parameters[f"trt_{name}_cache_enable"] == "1"
        folder = parameters[f"trt_{name}_cache_path"]
        assert folder.startswith("/var/cache/ppocr-triton/")  # which the image keeps
    shapes = {name: parameters[f"trt_profile_{name}_shapes"] for name in ("min", "opt", "max")}
    assert shapes == {
        "min": "CROPS:1x48x8x3,WIDTHS:1x1",
        "opt": "CROPS:32x48x960x3,WIDTHS:32x1",
        "max": "CROPS:64x48x3200x3,WIDTHS:64x1",
    }
    (group,) = config.instance_group
    assert (group.kind, group.count) == (1, 1)  # KIND_GPU
    assert config.HasField("dynamic_batching")
    assert config.dynamic_batching.max_queue_delay_microseconds == 0  # a sparse page never waits


def test_a_sample_of_every_bucket_is_run_before_the_first_request(served):
    samples = read_config(served / "rec" / "config.pbtxt").model_warmup
    sizes = [(s.batch_size, list(s.inputs["CROPS"].dims)) for s in samples]
    widths = (320, 640, 960, 1600, 3200)
    assert sizes == [(n, [48, width, 3]) for width in widths for n in (1, 2, 4, 8, 16, 32, 64)]
    assert all(list(s.inputs["WIDTHS"].dims) == [1] for s in samples)
    pre, det = (read_config(served / name / "config.pbtxt") for name in ("det_preprocess", "det"))
    canvases = parse_canvases(pre.parameters["det_canvases"].string_value)
    assert int(pre.parameters["max_det_tiles"].string_value) <= det.max_batch_size
    shown = [(s.batch_size, tuple(s.inputs["DET_INPUT"].dims[:2])) for s in det.model_warmup]
    assert shown == [(rows, canvas) for canvas in canvases for rows in (1, 2, 4, 8)]


@pytest.mark.parametrize("name", [DET, REC])
def test_pixels_are_cast_at_once_and_nothing_else_changes(built, name):
    """TensorRT takes uint8 only where a Cast to float follows; no other node may see it."""
    import onnxruntime

    model = load_onnx(built / name / "model.onnx")
    changed = cast_first(model)
    pixels = changed.graph.input[0].name
    assert [n.op_type for n in changed.graph.node if pixels in n.input] == ["Cast"]
    rng = np.random.default_rng(4)
    shape = (2, 64, 96, 3) if name == DET else (2, 48, 96, 3)
    feeds = {pixels: rng.integers(0, 256, shape, np.uint8)}
    if name == REC:
        feeds["WIDTHS"] = np.array([[96], [50]], np.int32)
    before, after = (
        onnxruntime.InferenceSession(m.SerializeToString()).run(None, feeds)
        for m in (model, changed)
    )
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_operator_is_outside_what_tensorrts_parser_documents(served):
    """Names only: the parser itself needs a GPU."""
    used = {
        node.op_type
        for name in ("det", "rec")
        for node in load_onnx(served / name / "1" / "model.onnx").graph.node
    }
    assert used <= set(SUPPORTED.split())


@pytest.fixture
def with_manifest(served, tmp_path) -> Path:
    """The repository with the part of its manifest that engines are built from."""
    import shutil

    from ppocr_converters.repository.configuration import read_configs, served_buckets

    folder = shutil.copytree(served, tmp_path / "repository")
    networks = {name: load_onnx(folder / name / "1" / "model.onnx") for name in ("det", "rec")}
    shapes = served_buckets(read_configs(folder), networks, load_profile("tensorrt"))
    (folder / "manifest.json").write_text(json.dumps({"shapes": shapes}), "utf-8")
    return folder


def fake_trtexec(folder: Path, body: str) -> str:
    """A program that takes trtexec's arguments: what it would build is beyond this machine."""
    path = folder / "trtexec"
    path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    path.chmod(0o755)
    return str(path)


WRITES = 'for a; do case "$a" in --saveEngine=*) echo engine > "${a#--saveEngine=}";; esac; done'


def test_engines_make_a_repository_of_their_own(with_manifest, tmp_path):
    out = tmp_path / "native"
    manifest = build_engines(
        with_manifest, out, trtexec=fake_trtexec(tmp_path, WRITES), machine=H200
    )
    assert sorted(path.name for path in (out / "rec" / "1").iterdir()) == [".gitkeep", "model.plan"]
    config = read_config(out / "rec" / "config.pbtxt")
    assert (config.backend, config.default_model_filename) == ("tensorrt", "model.plan")
    assert config.max_batch_size == 64
    assert [list(group.profile) for group in config.instance_group] == [["0", "1", "2", "3", "4"]]
    assert not config.optimization.HasField("execution_accelerators")
    cuda = config.optimization.cuda
    assert (cuda.graphs, cuda.busy_wait_events) == (True, True)
    captured = [(spec.batch_size, list(spec.input["CROPS"].dim)) for spec in cuda.graph_spec]
    assert captured[5:8] == [(32, [48, 320, 3]), (64, [48, 320, 3]), (1, [48, 640, 3])]
    assert manifest["tensorrt"]["gpus"] == ["NVIDIA H200"]
    assert manifest["tensorrt"]["commands"]["det"][1].endswith("/det/1/model.onnx")
    assert json.loads((out / "manifest.json").read_text("utf-8")) == json.loads(
        json.dumps(manifest)
    )


def test_a_failing_trtexec_leaves_nothing(with_manifest, tmp_path, capsys):
    program = fake_trtexec(tmp_path, "echo 'Error: no kernel image' >&2; exit 3")
    from ppocr_converters.errors import RepositoryError

    with pytest.raises(RepositoryError, match=r"engine of det \(exit code 3\): .*no kernel image"):
        build_engines(with_manifest, tmp_path / "native", trtexec=program, machine=H200)
    assert not (tmp_path / "native").exists()
    assert main(["tensorrt", str(with_manifest), "--out", str(tmp_path / "n"), "--quiet"]) == 1
    assert "/usr/src/tensorrt/bin/trtexec is not here" in capsys.readouterr().err


def test_the_commands_can_be_printed_with_all_shapes_of_the_manifest(with_manifest, capsys):
    assert main(["tensorrt", str(with_manifest), "--print"]) == 0
    printed = capsys.readouterr().out
    subprocess.run(["sh", "-n"], input=printed, text=True, check=True)
    assert printed.count("--stronglyTyped") == 2
    shapes = json.loads((with_manifest / "manifest.json").read_text("utf-8"))["shapes"]
    for bucket in (bucket for buckets in shapes.values() for bucket in buckets.values()):
        assert all(sizes in printed for sizes in spelled(bucket).values())
    assert main(["tensorrt", str(with_manifest / "det"), "--print"]) == 1
    assert "was not built by ppocr-convert" in capsys.readouterr().err


def test_another_gpu_or_tensorrt_is_refused_before_serving(tmp_path, capsys):
    record = {"gpus": ["NVIDIA H200"], "compute_capabilities": ["9.0"], "tensorrt": "10.3.0"}
    (tmp_path / "manifest.json").write_text(json.dumps({"tensorrt": record}), "utf-8")
    check_engines(tmp_path, H200)
    newer = Machine(H200.gpus, H200.compute_capabilities, "10.8.0")
    for machine, said in (
        (L4, r"built for NVIDIA H200 \(compute capability 9.0\).*this machine has NVIDIA L4"),
        (newer, "with TensorRT 10.3.0; this machine has .* and TensorRT 10.8.0"),
        (Machine((), (), ""), "this machine has no NVIDIA GPU and no TensorRT"),
    ):
        with pytest.raises(ServeRepositoryError, match=said):
            check_engines(tmp_path, machine)
    (tmp_path / "m" / "1").mkdir(parents=True)
    (tmp_path / "m" / "config.pbtxt").write_text('name: "m"\nplatform: "ensemble"\n', "utf-8")
    assert main(["check-repository", str(tmp_path)]) == 1
    assert "ppocr-convert tensorrt" in capsys.readouterr().err


def test_a_repository_without_engines_is_fine_anywhere(tmp_path):
    check_engines(tmp_path, Machine((), (), ""))
    (tmp_path / "manifest.json").write_text("{}", "utf-8")
    check_engines(tmp_path, Machine((), (), ""))


@pytest.mark.parametrize(("number", "text"), [(8601, "8.6.1"), (100300, "10.3.0")])
def test_versions_are_spelled(number, text):
    assert spell_version(number) == text
