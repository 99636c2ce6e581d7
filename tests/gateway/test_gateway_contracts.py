"""What the gateway says about itself, and that it keeps to it."""

import base64
import json
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from paddle_serving.conftest import endpoint_process
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance
from serving import ask, get

from ppocr_client import OcrClient
from ppocr_client.options import OPTIONS
from ppocr_server.gateway.app import routes_of
from ppocr_server.gateway.parameters import FORMATS
from ppocr_server.gateway.reader import Reader
from ppocr_server.gateway.settings import GatewaySettings

pytestmark = pytest.mark.server


SETTINGS = GatewaySettings()
SCHEMA = schemathesis.openapi.from_dict(routes_of(SETTINGS, Reader(SETTINGS)).openapi())


@SCHEMA.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_described(case, gateway):
    # Bytes that are described well are still no picture, and a deadline may be too short.
    excluded = [not_a_server_error, positive_data_acceptance]
    case.call_and_validate(base_url=f"http://{gateway}", timeout=30, excluded_checks=excluded)


def test_capabilities_are_those_of_the_server(gateway, server):
    said = json.loads(get(f"{gateway}/capabilities"))
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        info = client.server_info()
    assert said["models"] == {name: list(versions) for name, versions in info.models.items()}
    assert said["languages"] == list(info.languages) != []
    assert info.limits.items() <= said["limits"].items()
    assert list(said["options"]) == list(OPTIONS)
    assert said["options"]["drop_score"]["default"] == float(info.defaults.get("drop_score", 0.5))
    assert said["formats"] == FORMATS


def test_the_page_of_the_interface_needs_no_other_server(gateway):
    page = get(f"{gateway}/docs").decode()
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sources
    for source in sources:
        assert source.startswith("/")
        assert get(f"{gateway}{source}")


def test_paddle_serving_is_answered_as_on_its_own_port(gateway, server, picture, tmp_path):
    value = base64.b64encode(picture).decode()
    bodies = [json.dumps({"key": ["image"], "value": [value]}).encode(), b"{}", b"no JSON"]
    with endpoint_process(server.grpc_url, tmp_path) as old:
        own_port = f"127.0.0.1:{old.http_port}"
        for path in ("/ocr/prediction", "/ocr/other"):
            for body in bodies:
                expected = ask(own_port, "POST", path, body)
                assert ask(gateway, "POST", path, body) == expected
