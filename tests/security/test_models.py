"""Models, addresses and configurations that reach for what is not theirs."""

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.external_data_helper import set_external_data
from server_unit.tiny_models import plus_one
from web_server import listening

from ppocr_converters.catalogue.download import download
from ppocr_converters.catalogue.entries import Asset, FileSpec, Model, Source
from ppocr_converters.catalogue.fetch import Supply, fetch
from ppocr_converters.errors import ConvertError, FetchError, ModelError
from ppocr_converters.graph.onnx_model import load_onnx
from ppocr_converters.paddle.inference_yml import read_settings
from ppocr_converters.repository.serving_config.document import parse_document

VALUE = np.array([41.0], np.float32)


def model_with_weights_in(location: str, folder: Path, *, constant: bool = False) -> Path:
    """A network whose weights are said to lie at `location`, as an initializer or a constant."""
    model = plus_one()
    weights = numpy_helper.from_array(VALUE, "one")
    set_external_data(weights, location)
    weights.ClearField("raw_data")
    model.graph.initializer[0].CopyFrom(weights)
    if constant:
        del model.graph.initializer[:]
        node = model.graph.node.add(op_type="Constant", output=["c"])
        node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(weights)
    path = folder / "model.onnx"
    onnx.save_model(model, path)
    return path


def test_weights_beside_a_model_are_read(tmp_path):
    (tmp_path / "weights.bin").write_bytes(VALUE.tobytes())
    model = load_onnx(model_with_weights_in("weights.bin", tmp_path))
    assert numpy_helper.to_array(model.graph.initializer[0]) == VALUE


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/hostname", "inner/../../secret", ".", "", "link", "hole/secret"]
)
def test_weights_elsewhere_are_not_read(tmp_path, location):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(VALUE.tobytes())
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "hole").symlink_to(tmp_path)
    for constant in (False, True):
        with pytest.raises(ModelError, match="allowed is a plain file in the model's own folder"):
            load_onnx(model_with_weights_in(location, folder, constant=constant))


@pytest.mark.parametrize("key", ["op.det.local_service_conf.model_config", "triton.rec_dictionary"])
@pytest.mark.parametrize("path", ["../../etc", "models/../../x", "/models/../etc", "a\\0b", ".."])
def test_a_config_does_not_climb(tmp_path, key, path):
    *sections, name = key.split(".")
    lines = [f"{'  ' * depth}{section}:" for depth, section in enumerate(sections)]
    text = "\n".join([*lines, f'{"  " * len(sections)}{name}: "{path}"'])
    with pytest.raises(ConvertError, match=r"allowed: a text, a path without \.\. in it"):
        parse_document(text, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch EVIL']",
        "PostProcess: !!python/name:os.system",
        "PostProcess: {character_dict: !!python/object/new:pathlib.Path [EVIL]}",
    ],
)
def test_yaml_makes_no_objects(tmp_path, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConvertError):
        parse_document(text, tmp_path)
    (tmp_path / "inference.yml").write_text(text)
    try:
        settings = read_settings(tmp_path)
    except ModelError:
        settings = None
    assert settings is None or settings.characters in ((), ("EVIL",))
    assert [path.name for path in tmp_path.iterdir()] == ["inference.yml"]


@pytest.fixture
def encrypted_site(certificates, monkeypatch) -> Iterator[tuple[str, list[str]]]:
    """An https address that leads where the test says, and where it leads."""
    leads_to: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", leads_to[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    with listening(Handler, context) as port:
        yield f"https://localhost:{port}/model.tar", leads_to


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:9/model.tar", "HTTP://127.0.0.1:9/x", "ftp://127.0.0.1/x", "file:///etc/x"],
)
def test_a_redirect_does_not_give_up_encryption(encrypted_site, tmp_path, address):
    url, leads_to = encrypted_site
    leads_to.append(address)
    with pytest.raises(FetchError, match=r"only https:// are followed|is not allowed"):
        download(url, tmp_path / "model.tar")
    assert list(tmp_path.iterdir()) == []


def test_a_site_that_nobody_vouches_for_is_not_asked(
    encrypted_site, certificates, tmp_path, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.other_ca))
    with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
        download(encrypted_site[0], tmp_path / "model.tar")


@pytest.mark.parametrize("kind", ["url", "archive", "files"])
def test_what_nobody_recorded_does_not_come_in_plain_text(tmp_path, kind):
    source = Source(kind, "https://models.example/model.tar")
    unknown = Model(
        Asset("tiny", (FileSpec("net.bin"),), (source,)), "det", "v", "onnx", ("en",), "Apache-2.0"
    )
    with pytest.raises(FetchError, match=r"no SHA-256 of net\.bin is recorded, and http://mirror"):
        fetch(unknown, tmp_path, Supply(mirror="http://mirror.example"))
