"""Plans, from results with small made-up figures: none of them was measured anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ppocr_bench.cli import main
from ppocr_bench.errors import BenchError
from ppocr_bench.plan import pipeline
from ppocr_bench.plan.arrivals import read_gaps
from ppocr_bench.plan.costs import OTHER, from_lines, from_peers, from_sweep, read_costs
from ppocr_bench.plan.hardware import CLASSES, read_hardware
from ppocr_bench.plan.simulate import Station, simulate_closed
from ppocr_bench.plan.sizing import Expected, fewest, least_replicas

MACHINE = {"processor": "made up", "cores": 2, "load": 0.1}
TWO_OF_ONE = "onnxruntime fp32, 2 instances of 1 threads"
SETTING = f"det: {TWO_OF_ONE}, rec: {TWO_OF_ONE}"
STEPS = ("det_preprocess", "det", "det_postprocess", "recognize", "rec")


def step(work_ms: float, calls: float = 1.0) -> dict[str, float]:
    times = {"queue_ms": 0.0, "input_ms": 0.0, "infer_ms": work_ms, "output_ms": 0.0}
    return {"calls": calls, "batch": 1.0, **times}


def point(concurrency: int, throughput: float, latency_ms: float, **more: Any) -> dict[str, Any]:
    """8 lines of 20 ms, two at a time, and 8 ms of `recognize` itself; 4 ms are in no step."""
    work = dict(zip(STEPS, (8.0, 100.0, 4.0, 88.0), strict=False))
    return {
        "protocol": "grpc",
        "concurrency": concurrency,
        "rate": None,
        "throughput": throughput,
        **{f"{name}_ms": latency_ms for name in ("mean", "p50", "p99")},
        "pss_mib": 512.0 + concurrency,
        "gpu_utilisation": None,
        "steps": {**{name: step(ms) for name, ms in work.items()}, "rec": step(160.0, 8.0)},
        **more,
    }


def sweep(*points: dict[str, Any], **more: Any) -> dict[str, Any]:
    one_thread = {"intra_op_thread_count": "1"}
    models = {name: {"instances": 2, "parameters": one_thread} for name in STEPS}
    models["ocr"] = {"instances": 0, "parameters": {}}
    return {
        "verb": "sweep",
        "machine": MACHINE,
        "cores": 2,
        "models": models,
        "points": [*points],
        **more,
    }


ALONE = point(1, 1 / 0.204, 204.0)


def saved(folder: Path, result: dict[str, Any]) -> Path:
    path = folder / f"{result['verb']}.json"
    path.write_text(json.dumps(result))
    return path


@pytest.fixture
def costs_file(tmp_path: Path) -> Path:
    # 284 ms of work: 2 cores can do 7.04 pictures/s, and 8 at once come near.
    return saved(tmp_path, sweep(ALONE, point(8, 6.94, 1152.0)))


def plan(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, dict[str, Any]]:
    given = {"--lines": "8", "--hardware": "cpu-2", "--simulate": "300"}
    for name, value in zip(args[::2], args[1::2], strict=True):
        given[str(name)] = str(value)
    code = main(["plan", "--json", *(word for pair in given.items() for word in pair)])
    return code, json.loads(capsys.readouterr().out or "{}")


def test_costs_of_a_sweep_are_those_of_one_request_at_a_time() -> None:
    costs = from_sweep(sweep(point(4, 5.0, 800.0), point(1, 1.0, 999.0, protocol="http"), ALONE))
    assert costs.lines == 8
    assert costs.picture == pytest.approx(
        {"det_preprocess": 0.008, "det": 0.1, "det_postprocess": 0.004, "server": 0.004}
    )
    assert costs.line == pytest.approx({"rec": 0.02, "recognize": 0.001})
    assert (costs.pss_mib, costs.instances["det"], costs.threads["det"]) == (516.0, 2, 1)


def test_instances_that_crowd_one_core_do_not_count_its_time_twice() -> None:
    costs = from_sweep(sweep(ALONE, cores=1))
    assert costs.line == pytest.approx({"rec": 0.088 / 8, "recognize": 0.0})


def test_a_sweep_on_a_gpu_keeps_its_networks_there() -> None:
    costs = from_sweep(sweep({**ALONE, "gpu_utilisation": 0.5}))
    assert costs.gpu
    with pytest.raises(BenchError, match="measured on a GPU and the hardware has no GPU"):
        pipeline.build_server(costs, pipeline.Machine(2))
    server = pipeline.build_server(costs, pipeline.Machine(4, gpus=2))
    assert server.processors == {"cores": 4, "GPUs": 2}
    assert server.stations["rec"] == Station(4, "GPUs")
    assert server.stations["recognize"] == Station(4, "cores")


def test_a_busy_machine_is_noted() -> None:
    costs = from_sweep(sweep(ALONE, machine={**MACHINE, "load": 3.0}))
    assert "load was 3.0 on 2 cores" in costs.notes[0]


def page(way: str, lines: int, seconds: float, alone: float) -> dict[str, Any]:
    return {"way": way, "lines": lines, "seconds": [seconds] * 3, "alone": [alone] * 3}


def test_costs_of_lines_are_the_slope_and_what_is_left() -> None:
    pages = [page("recognize", n, 0.011 * n + 0.01, 0.01 * n) for n in (1, 10, 100)]
    pages += [page("ocr", n, 0.01 * n + 0.13, 0.01 * n + 0.1) for n in (10, 100)]
    costs = from_lines({"verb": "lines", "machine": MACHINE, "setting": SETTING, "pages": pages}, 9)
    assert costs.line == pytest.approx({"rec": 0.02})  # two at a time
    assert costs.picture == pytest.approx({"det": 0.1, OTHER: 0.03})
    assert (costs.lines, costs.pss_mib) == (10, None)


def peers(*labels: str) -> dict[str, Any]:
    rows, readings = [], []
    for workload, lines in (("photos", 5), ("dense pages", 40)):
        networks = 0.1 + 0.02 * lines  # seconds of a core
        for peer, seconds in (("bound", networks), ("ours", networks + 0.03)):
            for clients, busy in ((1, 1), (4, 2)):
                rows.append(
                    {
                        **{"workload": workload, "peer": f"{peer} (a)", "clients": clients},
                        **{"pictures_per_second": busy / seconds, "pss_mib": 600.0},
                    }
                )
        readings.append({"workload": workload, "peer": "ours (a)", "lines": 2 * lines})
    return {
        **{"verb": "peers", "machine": MACHINE, "labels": dict.fromkeys(labels, "onnxruntime")},
        **{"settings": {"ours (a)": [f"tritonserver over gRPC, {SETTING}, as built"]}},
        **{"workloads": {"photos": ["1", "2"], "dense pages": ["3", "4"]}},
        **{"rows": rows, "readings": readings},
    }


def test_costs_of_peers_come_from_two_workloads() -> None:
    costs = from_peers(peers("a"), None)
    assert costs.line == pytest.approx({"rec": 0.02})
    assert costs.picture == pytest.approx({"det": 0.1, OTHER: 0.03})
    assert costs.pss_mib == 600.0
    with pytest.raises(BenchError, match="choose one of a, b"):
        from_peers(peers("a", "b"), None)


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ({"verb": "parity"}, "tells no costs"),
        (sweep(point(4, 5.0, 800.0)), "one request at a time"),
        (sweep({**ALONE, "steps": {"det": step(1.0)}}), "no text was read"),
        ({"verb": "sweep"}, "measure again"),
        ({"verb": "lines", "machine": MACHINE, "setting": SETTING, "pages": []}, "two different"),
        ({**peers("a"), "rows": []}, "no row of ours"),
    ],
)
def test_costs_that_are_not_there_are_not_made_up(
    tmp_path: Path, result: dict[str, Any], problem: str
) -> None:
    with pytest.raises(BenchError, match=problem):
        read_costs(saved(tmp_path, result), 8)


def test_without_costs_the_commands_that_measure_them_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["plan", "--rate", "1", "--lines", "8", "--hardware", "cpu-2"]) == 1
    said = capsys.readouterr().err
    assert all(f"ppocr-bench {verb}" in said for verb in ("sweep", "lines", "peers"))


def test_every_example_of_hardware_can_be_used(tmp_path: Path) -> None:
    assert read_hardware(CLASSES, "cpu-8").cores == 8
    assert read_hardware(CLASSES, "gpu-1").gpus == 1
    with pytest.raises(BenchError, match="has cpu-2, "):
        read_hardware(CLASSES, "cray-1")
    own = tmp_path / "own.yml"
    for text, problem in (
        ("a: {cores: 2}", "must have cores, memory_gib, price_per_hour"),
        ("a: {cores: 2.5, memory_gib: 1, price_per_hour: 1}", "cores is 2.5"),
        ("a: {cores: 2, memory_gib: -1, price_per_hour: 1}", "memory_gib is -1"),
        ("a: {cores: 2, memory_gib: 1, price_per_hour: 1, colour: 3}", "nothing else"),
        ("a: [", "is not YAML"),
    ):
        own.write_text(text)
        with pytest.raises(BenchError, match=problem):
            read_hardware(own, "a")


def test_arrivals_are_ascending_seconds(tmp_path: Path) -> None:
    path = tmp_path / "arrivals"
    path.write_text("1.0\n1.5\n3\n")
    assert read_gaps(path) == [0.5, 1.5]
    for text in ("1\n", "2\n1\n", "1\n1\n", "now\n"):
        path.write_text(text)
        with pytest.raises(BenchError, match="--arrivals"):
            read_gaps(path)


def test_what_fills_up_first_is_what_limits_the_simulation(costs_file: Path) -> None:
    costs = read_costs(costs_file, 8)
    machine = pipeline.Machine(2)
    server = pipeline.build_server(costs, machine)
    picture = pipeline.picture_of(costs, machine, 8)
    tightest, after, *_ = pipeline.demands(server, [picture])
    assert (tightest.name, after.name) == ("cores", "instances of rec")
    assert tightest.limit == pytest.approx(2 / 0.284)
    pictures = pipeline.pictures_of(costs, machine, [8], 1)
    for clients in (1, 2, 4, 16):
        found = simulate_closed(server, pictures, clients, 300).throughput
        assert found <= 1.01 * min(clients / pipeline.lower_bound(server, picture), tightest.limit)
    assert found == pytest.approx(tightest.limit, rel=0.02)


def test_a_plan_has_enough_replicas_and_a_spare_one(
    costs_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = plan(capsys, "--costs", costs_file, "--rate", 20, "--utilisation", 0.5)
    assert code == 0
    assert (found["working"], found["spare"], found["replicas"]) == (6, 1, 7)  # 20 / (7.04 / 2)
    assert found["bottlenecks"][0]["utilisation"] == pytest.approx(20 / 6 / (2 / 0.284))
    assert found["price_of_a_million_pages"] == pytest.approx(7 * 0.10 * 1e6 / 72_000)
    assert found["memory_gib_a_replica"] == pytest.approx(520 / 1024)
    assert 0.2 < found["expected"]["p50_ms"] / 1e3 < found["expected"]["p99_ms"] / 1e3


def test_a_tighter_limit_takes_more_replicas_or_cannot_be_kept(
    costs_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = ("--costs", costs_file, "--pages-per-day", 1_728_000)
    code, easy = plan(capsys, *load)
    assert (code, easy["load"]["rate"]) == (0, 20.0)
    code, tight = plan(capsys, *load, "--max-p99-ms", easy["expected"]["p99_ms"] / 2)
    assert code == 0
    assert tight["working"] > easy["working"]
    code, never = plan(capsys, *load, "--max-p99-ms", 150)
    assert (code, never["ok"]) == (1, False)


def test_a_search_finds_the_fewest() -> None:
    def expected(replicas: int) -> Expected:
        return Expected(1.0, 100 + 1000 / replicas)

    assert fewest(expected, 3, 100.0, None)[::2] == (3, True)
    assert fewest(expected, 3, 100.0, 150.0)[::2] == (20, True)
    assert fewest(expected, 3, 100.0, 99.0)[::2] == (3, False)
    assert [least_replicas(rate, 2.0, 0.5) for rate in (0.1, 1.0, 1.1)] == [1, 1, 2]


def test_the_simulation_is_held_against_a_measured_curve(
    costs_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = ("--costs", costs_file, "--check", costs_file, "--rate", 1)
    _, found = plan(capsys, *load)
    alone, eight = found["checked"]
    assert alone["error_percent"]["throughput"] == pytest.approx(0.0, abs=0.1)
    assert alone["error_percent"]["p50_ms"] == pytest.approx(0.0, abs=0.1)
    assert eight["predicted"]["throughput"] == pytest.approx(2 / 0.284, rel=0.02)
    off = eight["predicted"]["throughput"] / 6.94 - 1
    assert eight["error_percent"]["throughput"] == pytest.approx(off * 100)
    given = ["--costs", str(costs_file), "--check", str(costs_file), "--rate", "1", "--lines", "8"]
    assert main(["plan", *given, "--hardware", "cpu-2"]) == 0
    assert "grpc, 8 at once" in capsys.readouterr().out
