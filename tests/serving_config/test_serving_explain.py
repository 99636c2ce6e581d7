"""The tables for people, machines and editors hold every key."""

import json
import re

import pytest
import yaml
from cases import cases
from paths import ROOT
from serving_config.configs import DET, EXAMPLE, HERE, REC, document, small

from ppocr_converters.cli import main
from ppocr_converters.repository.serving_config.document import expand, parse_document
from ppocr_converters.repository.serving_config.explain import EFFECTS, explain, key_table, schema
from ppocr_converters.repository.serving_config.keys import ConfigError, all_keys, pattern_of
from ppocr_converters.repository.serving_config.service import load_service, plan_service

DEFAULT = ROOT / "config.yml"
MODELS = {"det": DET, "rec": REC}


@pytest.mark.parametrize("path", [EXAMPLE, DEFAULT])
def test_every_key_has_a_row_that_says_what_it_becomes(path):
    service = load_service(path)
    rows = explain(service)
    assert [row.key for row in rows] == [path for path, _ in expand(("det", "rec"))]
    assert all(row.becomes for row in rows)
    assert {row.key for row in rows if row.written} == service.document.written


def test_the_old_example_is_explained_in_numbers():
    rows = {row.key: row for row in explain(load_service(EXAMPLE))}
    count = "instance_group.count 6 of det_preprocess, det, det_postprocess"
    assert rows["op.det.concurrency"].becomes == count
    assert rows["op.rec.concurrency"].becomes == "instance_group.count 3 of recognize, rec"
    local = "op.rec.local_service_conf"
    assert rows[f"{local}.thread_num"].becomes == "threads of each instance of rec: 2"
    assert rows[f"{local}.devices"].becomes == "rec: 3 on the CPU"
    assert rows["rpc_port"].becomes == "gRPC endpoint on port 18090"
    noted = {key for key, row in rows.items() if row.note}
    assert noted == {"dag.is_thread_op", "dag.tracer.interval_s"}


LOCAL = "op__det__local_service_conf__"


@pytest.mark.parametrize(("changes", "becomes", "warned"), cases(__file__)["becomes"])
def test_a_value_is_explained_by_what_it_does(changes, becomes, warned):
    found = plan_service(document(small(**changes)))
    path = next(iter(changes)).replace("__", ".")
    (row,) = (row for row in explain(found) if row.key == path)
    assert becomes in row.becomes
    assert warned is None or row.note == (row.becomes if warned else "")


def test_explain_prints_text_and_json(capsys):
    assert main(["explain", str(EXAMPLE)]) == 0
    text = capsys.readouterr().out
    assert "op.det.concurrency" in text
    assert text.count("nothing: Triton decides") == text.count("! nothing: Triton decides") == 1
    assert "op.det.batch_size" not in text  # has its default
    assert re.search(r"^build_dag_each_worker +false +off$", text, re.MULTILINE)
    assert main(["explain", str(EXAMPLE), "--all"]) == 0
    every = capsys.readouterr().out
    assert len(every.splitlines()) > 100
    left = len(every.splitlines()) - len(text.splitlines()) + 1
    assert text.splitlines()[-1].startswith(f"{left} keys that are not written have their defaults")
    assert main(["explain", str(EXAMPLE), "--json"]) == 0
    rows = {row["key"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["op.det.concurrency"]["value"] == 6
    assert rows["op.det.concurrency"]["written"] is True
    assert rows["op.det.batch_size"] == {
        "key": "op.det.batch_size",
        "value": 1,
        "written": False,
        "becomes": "no merging of requests",
        "note": "",
    }


@pytest.mark.parametrize("option", [["--det", "x"], ["--rec-concurrency=2"], ["--cls"]])
def test_a_configuration_leaves_nothing_to_other_options(option, tmp_path, capsys):
    command = ["build", "--config", str(EXAMPLE), "--work", str(tmp_path), *option]
    assert main(command) == 1
    assert f"{option[0].split('=')[0]} cannot go with --config" in capsys.readouterr().err


def test_opt_changes_what_the_file_says(capsys):
    command = ["explain", str(EXAMPLE), "--json", "--opt", "op.det.concurrency=1"]
    assert main([*command, "worker_num=5", "-o", "op.rec.local_service_conf.devices=0"]) == 0
    rows = {row["key"]: row["value"] for row in json.loads(capsys.readouterr().out)}
    assert (rows["op.det.concurrency"], rows["worker_num"]) == (1, 5)
    assert rows["op.rec.local_service_conf.devices"] == "0"
    assert main(["build", "--opt", "worker_num=5"]) == 1
    assert "--opt changes what a config.yml says; name one with" in capsys.readouterr().err


def test_a_mistake_is_one_line_with_the_file(tmp_path, capsys):
    path = tmp_path / "mine.yml"
    path.write_text("http_port: 9999\nop:\n  det:\n    concurrencey: 2\n", "utf-8")
    assert main(["explain", str(path)]) == 1
    error = capsys.readouterr().err
    assert error.strip().endswith(
        "unknown key op.det.concurrencey; did you mean op.det.concurrency?"
    )
    assert f"{path}: " in error
    assert main(["explain"]) == 1
    assert "name a config.yml to explain" in capsys.readouterr().err


def test_the_committed_schema_is_the_generated_one(capsys):
    committed = (ROOT / "config.schema.json").read_text("utf-8")
    assert main(["explain", "--schema"]) == 0
    assert committed == capsys.readouterr().out
    first = DEFAULT.read_text("utf-8").split("\n", 1)[0]
    assert first == "# yaml-language-server: $schema=config.schema.json"


SHAPE = re.compile(r"^\| [^|]+ \| `([^`]+)` \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)


def shapes_of(guide: str) -> list[tuple[str, str]]:
    """The examples of the guide's table of shapes, and the effect that it says they have."""
    text = (ROOT / "docs" / guide).read_text("utf-8")
    words = {word for effects in EFFECTS.values() for word in effects.values()}
    return [(example, effect) for example, effect in SHAPE.findall(text) if effect in words]


def effect_of(example: str) -> str:
    """What happens to a file with an override, or to a file of its own."""
    local = {op: {"local_service_conf": {"model_config": name}} for op, name in MODELS.items()}
    text = yaml.safe_dump({"http_port": 9999, "op": local})
    overrides = [] if example.startswith("{") else [example]
    try:
        found = parse_document(text if overrides else example, HERE, overrides)
        service = plan_service(found)
    except ConfigError:
        return "refused"
    path = example.partition("=")[0]
    key = all_keys().get(pattern_of(path))
    return "exact" if key is None or path not in service.warnings else key.effect


def test_the_guides_say_what_becomes_of_every_shape():
    english, chinese = shapes_of("migration.md"), shapes_of("migration_CN.md")
    assert len(english) >= 20
    assert [example for example, _ in english] == [example for example, _ in chinese]
    for (example, said), (_, also) in zip(english, chinese, strict=True):
        effect = effect_of(example)
        assert (said, also) == (EFFECTS["en"][effect], EFFECTS["zh"][effect]), example


def test_every_effect_of_the_table_of_keys_is_that_of_the_code():
    for path, key in all_keys().items():
        if path.startswith("triton.") or key.effect == "exact":
            continue
        values = {"bool": not key.default, "int": 7, "str": "x", "strs": ["x"]}
        changed = next((word for word in key.words if word != key.default), values[key.type])
        given = f"{path.replace('NAME', 'det')}={json.dumps(changed)}".replace('="', "=").strip('"')
        assert effect_of(given) == key.effect, path


def test_the_schema_has_every_key_with_its_range():
    made = schema()
    for path, key in all_keys().items():
        place = made
        for section in path.split("."):
            below = place["additionalProperties"] if section == "NAME" else None
            place = below or place["properties"][section]
        entry = place["items"] if key.is_list else place
        assert (entry.get("minimum"), entry.get("maximum")) == (key.low, key.high)
        assert [word for word in entry.get("enum", []) if word is not None] == list(key.spellings)
        assert key.meaning in place["description"]


@pytest.mark.parametrize("path", [EXAMPLE, DEFAULT])
def test_the_schema_accepts_what_is_shipped_and_refuses_mistakes(path):
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    data = yaml.safe_load(path.read_text("utf-8"))
    assert not list(validator.iter_errors(data))
    data["op"]["det"]["concurrency"] = 0
    data["dag"]["threads"] = 1
    data["http_port"] = "9999"
    assert len(list(validator.iter_errors(data))) == 3
    assert not list(validator.iter_errors({"http_port": None, "op": {"det": None}}))


@pytest.mark.parametrize(("language", "name"), [("en", "migration.md"), ("zh", "migration_CN.md")])
def test_the_guides_hold_the_generated_table(language, name):
    text = (ROOT / "docs" / name).read_text("utf-8")
    made = key_table("zh" if language == "zh" else "en")
    assert made in text
    for path in all_keys():
        assert f"| `{path}` |" in made
