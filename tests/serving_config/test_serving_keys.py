"""Every key: its default, what is allowed, and what is said of everything else."""

import math
from pathlib import Path
from typing import Any

import pytest
from cases import cases
from serving_config.configs import document, put, small

from ppocr_converters.repository.serving_config.document import parse_document
from ppocr_converters.repository.serving_config.keys import ConfigError, Key, all_keys
from ppocr_converters.repository.serving_config.service import load_service, parameter_text
from ppocr_pipeline.options import OPTIONS

CASES, KEYS = cases(__file__), all_keys()
# A value of another type, one of each kind that YAML can give.
WRONG: dict[str, list[Any]] = {
    "int": ["1", 1.5, True, [1], {"a": 1}, math.inf, "x"],
    "number": ["0.5", True, [0.5], math.nan],
    "bool": [0, 1, "true", "False", [True]],
    "str": [1, 1.5, True, ["x"]],
    "ints": [1, "1,2", ["1"], [True], {"a": 1}],
    "strs": ["x", [1], 5, [None]],
}
# Paddle Serving's defaults, as its documentation has them.
PADDLE_SERVING = CASES["paddle_serving"]


def written(path: str) -> str:
    """The path of a key in a configuration with the Op det."""
    return path.replace("NAME", "det")


def read_one(path: str, value: Any) -> Any:
    """The value of one key as read from a file."""
    data = small()
    put(data, written(path), value)
    return document(data)[written(path)]


def good_values(key: Key) -> list[Any]:
    if key.words:
        return list(key.words)
    if key.type == "bool":
        return [value for value in (True, False) if value not in key.refused]
    if key.type in ("str", "strs"):
        texts = {"devices": "0, 1,2", "rec_buckets": "96-640/32,700", "det_canvases": "640x640"}
        text = texts.get(key.path.rpartition(".")[2], "some.name")
        return [text] if key.type == "str" else [[text], [text, "other"], []]
    low = -7 if key.low is None else key.low
    values = [low, low + 1 if key.high is None else key.high]
    return [[int(v) for v in values]] if key.type == "ints" else values


def test_the_keys_and_defaults_of_paddle_serving_are_its_own():
    ours = {path: key.default for path, key in KEYS.items() if not path.startswith("triton.")}
    assert ours == PADDLE_SERVING


@pytest.mark.parametrize("path", KEYS)
def test_a_key_that_is_left_out_or_empty_has_its_default(path):
    plain = document(small())
    if path not in ("http_port", "op.NAME.local_service_conf.model_config"):
        assert plain[written(path)] == KEYS[path].default
        assert written(path) not in plain.written
    assert read_one(path, None) == KEYS[path].default


@pytest.mark.parametrize("path", KEYS)
def test_every_allowed_value_is_taken(path):
    for value in good_values(KEYS[path]):
        expected = tuple(value) if isinstance(value, list) else value
        assert read_one(path, value) == expected


def bad_values(key: Key) -> list[Any]:
    """Values of a wrong type, out of range, and another word."""
    bad = list(WRONG[key.type])
    if key.words:
        bad.append(99 if key.type == "int" else "something")
    cast = float if key.type == "number" else int
    beyond = [] if key.low is None else [key.low - 1]
    beyond += [] if key.high is None else [key.high + 1]
    return bad + [[cast(value)] if key.is_list else cast(value) for value in beyond]


@pytest.mark.parametrize("path", KEYS)
def test_any_other_value_is_refused_with_key_value_and_what_is_allowed(path):
    key = KEYS[path]
    limits = (
        "allowed: one of" if key.words else f"from {key.low:.10g}" if key.low is not None else ""
    )
    for value in bad_values(key):
        with pytest.raises(ConfigError) as caught:
            read_one(path, value)
        assert written(path) in str(caught.value)
        assert "allowed: " in str(caught.value)
        assert limits in str(caught.value)


@pytest.mark.parametrize("path", KEYS)
def test_a_misspelt_key_is_answered_with_the_right_one(path):
    right = written(path)
    data = small()
    put(data, right[:-1] + "qq" + right[-1], 1)
    with pytest.raises(ConfigError, match=f"unknown key .*did you mean {right}\\?"):
        document(data)


def test_a_key_in_the_wrong_place_is_answered_with_its_own_place():
    with pytest.raises(ConfigError, match=r"unknown key dag.thread_num; .*NAME.local_service_conf"):
        document(small(dag__thread_num=2))
    with pytest.raises(ConfigError, match=r"unknown key op.det.devices; .*\.devices\?"):
        document(small(op__det__devices="0"))
    for name, key in (("use_gpu", "devices"), ("use_lite", "device_type")):
        with pytest.raises(ConfigError, match=rf"did you mean op\.det\..*conf\.{key}\?"):
            document(small(**{f"op__det__local_service_conf__{name}": True}))


def test_a_name_like_no_key_is_answered_with_those_that_are_allowed():
    with pytest.raises(ConfigError, match="unknown key xyzzy; allowed here: rpc_port, http_port"):
        document(small(xyzzy=1))


@pytest.mark.parametrize(
    ("number", "chip"), [(4, "Kunlun XPU"), (5, "Ascend 310"), (6, "Ascend 910")]
)
def test_chips_that_triton_does_not_know_are_refused_with_the_reason(number, chip):
    reason = f"device_type is {number}: {chip} has no execution provider in Triton; allowed"
    with pytest.raises(ConfigError, match=reason):
        read_one("op.NAME.local_service_conf.device_type", number)


def test_a_card_without_quotes_is_told_to_have_some():
    with pytest.raises(ConfigError, match=r'devices is 0; .*write it in quotes: "0"'):
        read_one("op.NAME.local_service_conf.devices", 0)


@pytest.mark.parametrize(
    ("key", "text"),
    [("worker_num", "4"), ("dag.is_thread_op", "False"), ("triton.drop_score", "0.5")],
)
def test_a_number_in_quotes_is_told_to_have_none(key, text):
    with pytest.raises(ConfigError, match=f"is '{text}'; .*; write it without quotes: {text}$"):
        read_one(key, text)


@pytest.mark.parametrize("devices", ["a", "0;1", "-1", "0,", ",0", "0 1"])
def test_devices_are_numbers_of_cards(devices):
    with pytest.raises(ConfigError, match='as in "0,1,2"'):
        read_one("op.NAME.local_service_conf.devices", devices)


@pytest.mark.parametrize(("text", "reason"), CASES["documents"])
def test_what_is_no_configuration_is_told_why(text, reason):
    with pytest.raises(ConfigError, match=reason):
        parse_document(text, Path())


def test_empty_sections_and_an_op_without_any_key_are_defaults():
    found = parse_document("http_port: 9999\ndag:\ntriton:\nop:\n  det:\n  rec: {}\n", Path())
    assert found.ops == ("det", "rec")
    assert found["op.rec.concurrency"] == 1


def test_merged_keys_may_be_overridden_and_do_not_grow_without_bound():
    text = "http_port: 9999\nop:\n  det: &op {concurrency: 2, retry: 3}\n"
    found = parse_document(text + "  rec: {<<: *op, concurrency: 4}\n", Path())
    assert (found["op.rec.concurrency"], found["op.rec.retry"]) == (4, 3)
    with pytest.raises(ConfigError, match="line 4: the key retry is written twice"):
        parse_document(text + "  rec: {<<: *op, retry: 4, retry: 4}\n", Path())
    chain = [f"{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    with pytest.raises(ConfigError, match="unknown key 0"):
        parse_document("\n".join(["0: &a0 {a: 1, b: 2}", *chain]), Path())


def test_an_override_is_read_by_the_type_of_its_key():
    given = ["op.det.concurrency=5", "op.det.local_service_conf.devices=0", "op.cls.retry = 2"]
    given += ["op.det.local_service_conf.ir_optim=False", "op.rec.fetch_list=[a, b]", "rpc_port="]
    found = parse_document("http_port: 9999\nop: {det: , rec: }\n", Path(), given)
    assert found["op.det.concurrency"] == 5
    assert found["op.det.local_service_conf.devices"] == "0"
    assert found["op.det.local_service_conf.ir_optim"] is False
    assert found["op.rec.fetch_list"] == ("a", "b")
    assert found.ops == ("det", "rec", "cls")
    assert "rpc_port" not in found.written


@pytest.mark.parametrize(("given", "reason"), CASES["overrides"])
def test_an_override_that_is_none_is_refused(given, reason):
    with pytest.raises(ConfigError, match=reason):
        parse_document("http_port: 9999\n", Path(), [given])


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"^cannot read [^']*absent.yml: No such file [a-z ]*$"):
        load_service(tmp_path / "absent.yml")
    (tmp_path / "latin.yml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigError, match=r"latin.yml is not UTF-8 text"):
        load_service(tmp_path / "latin.yml")


def test_options_of_the_steps_have_the_ranges_that_the_steps_check():
    shared = {path: key for path, key in KEYS.items() if path.rpartition(".")[2] in OPTIONS}
    assert len(shared) >= 10
    for path, key in shared.items():
        option = OPTIONS[path.rpartition(".")[2]]
        for value in good_values(key):
            assert option.parse(parameter_text(value)) == value
        assert getattr(option, "low", None) == key.low
        assert getattr(option, "high", None) == key.high
        assert getattr(option, "words", ()) == key.words


def test_every_option_of_the_steps_can_be_set():
    assert {f"triton.{name}" for name in OPTIONS} <= set(KEYS)
