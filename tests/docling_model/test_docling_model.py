"""The model `docling`: the pipeline `ocr` for requests as Docling's remote OCR sends them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from originals import environment
from paths import SAMPLES
from server_unit.stand_ins import sent
from tritonclient.utils import InferenceServerException

from ppocr_converters.repository.source import source_repository
from ppocr_engine.config_pbtxt import read_config
from ppocr_server.tritonserver.server import TritonServer

POSTER = cv2.imread(str(SAMPLES / "poster_zh.jpg"))
BLANK = np.full((200, 300, 3), 255, np.uint8)
#: What Docling's `lang_type` is unless its user says otherwise.
ENGLISH = "english"
# Its names for what `ocr` calls BOXES, TEXTS and SCORES.
NAMES = {"boxes": "BOXES", "txts": "TEXTS", "scores": "SCORES"}


def ask_docling(module: Any, url: str, rgb: np.ndarray, language: str = ENGLISH, **options: Any):
    """The answer to a request with Docling's tensors, in its order, and its outputs alone."""
    inputs = sent({"lang_type": np.array([[language]], np.object_), "image": rgb}, module)
    wanted = [module.InferRequestedOutput(name) for name in NAMES]
    with module.InferenceServerClient(url) as client:
        answer = client.infer("docling", inputs, outputs=wanted, parameters=options or None)
    return {name: answer.as_numpy(name) for name in NAMES}


@pytest.fixture(params=["grpc", "http"])
def docling(request, server) -> Any:
    """Asks the model over either protocol, with a picture BGR [H, W, 3]."""
    grpc = request.param == "grpc"
    module, url = (grpcclient, server.grpc_url) if grpc else (httpclient, server.http_url)

    def asked(bgr: np.ndarray, language: str = ENGLISH, **options: Any) -> dict[str, np.ndarray]:
        rgb = np.ascontiguousarray(bgr[None, ..., ::-1])
        return ask_docling(module, url, rgb, language, **options)

    return asked


def of_ocr(server: TritonServer, bgr: np.ndarray, **options: Any) -> Any:
    """What `ocr` answers to the same pixels as a file."""
    file = sent({"IMAGE": np.array([cv2.imencode(".png", bgr)[1].tobytes()], np.object_)})
    with grpcclient.InferenceServerClient(server.grpc_url) as client:
        return client.infer("ocr", file, parameters=options or None)


@pytest.mark.server
def test_it_answers_as_ocr_does(docling, server):
    for options in ({}, {"drop_score": 0.995, "reading_order": "rows"}):
        found, expected = docling(POSTER, **options), of_ocr(server, POSTER, **options)
        assert len(found["txts"]) > 3
        for name, ours in NAMES.items():
            assert found[name].tolist() == expected.as_numpy(ours).tolist()
            assert found[name].dtype == expected.as_numpy(ours).dtype


@pytest.mark.server
def test_a_blank_page_has_no_lines(docling):
    shapes = {name: array.shape for name, array in docling(BLANK).items()}
    assert shapes == {"boxes": (0, 4, 2), "txts": (0,), "scores": (0,)}


@pytest.mark.server
@pytest.mark.parametrize(
    ("bgr", "options", "said"),
    [
        (BLANK, {"drop_scor": 1}, "did you mean 'drop_score'"),
        (BLANK, {"language": "tlh"}, "the language is 'tlh'; the recogniser reads "),
        (np.zeros((1, 2000, 3), np.uint8), {}, "RGB is 2000x1 (width x height), 2000 to 1"),
        (np.zeros((0, 9, 3), np.uint8), {}, "RGB is 9x0"),
    ],
)
def test_what_cannot_be_read_is_refused(docling, bgr, options, said):
    with pytest.raises(InferenceServerException) as refused:
        docling(bgr, **options)
    assert said in str(refused.value)
    assert len(docling(BLANK)["txts"]) == 0


@pytest.mark.server
def test_several_pictures_in_a_request_are_refused(server):
    with pytest.raises(InferenceServerException, match="RGB holds 2 pictures; send one"):
        ask_docling(grpcclient, server.grpc_url, np.stack([BLANK, BLANK]))


def test_it_is_the_pipeline_of_ocr_under_other_names():
    docling, ocr = (
        read_config(source_repository() / n / "config.pbtxt") for n in ("docling", "ocr")
    )
    steps = zip(docling.ensemble_scheduling.step, ocr.ensemble_scheduling.step, strict=True)
    own = {"RGB": "image", "LANGUAGE": "lang_type"}
    for here, there in steps:
        assert here.model_name == there.model_name
        expected = {k: v for k, v in there.input_map.items() if v != "IMAGE"}
        assert {k: v for k, v in here.input_map.items() if k not in own} == expected
        assert all(here.input_map[name] == own[name] for name in own if name in here.input_map)
    last = docling.ensemble_scheduling.step[-1]
    assert dict(last.output_map) == {ours: name for name, ours in NAMES.items()}
    sent = [name for step in docling.ensemble_scheduling.step for name in step.input_map.values()]
    assert [sent.count(name) for name in own.values()] == [1, 1]


#: Its remote OCR and PDF backend; without its local models, which would need PyTorch.
PACKAGE = "docling-slim[convert-core,format-pdf-pypdfium2,models-remote]==2.143.0"
SCRIPT = Path(__file__).with_name("read_with_docling.py")
PICTURES = ("poster_zh.jpg", "landscape.jpg")


@pytest.mark.server
@pytest.mark.nightly
@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_docling_reads_scans(transport, server, samples):
    python = environment("docling", PACKAGE)
    url = server.grpc_url if transport == "grpc" else server.http_url
    files = [str(SAMPLES / name) for name in PICTURES]
    for language, reads in (("english", True), ("klingon", False)):
        done = subprocess.run(
            [python, SCRIPT, transport, url, language, *files], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        for page in json.loads(done.stdout):
            texts = [cell["text"] for cell in page["cells"]]
            if reads:
                assert texts == samples.get(page["picture"], [])
                assert page["errors"] == []
            else:
                assert texts == []
                assert "the language is 'klingon'" in page["errors"][0]
