"""Names that climb out of where they belong, in requests to every server there is."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import grpc
import pytest
from paddle_serving.conftest import endpoint_process
from security.triton_calls import RESTRICTED, ask_grpc, ask_http
from tritonclient.grpc import service_pb2, service_pb2_grpc

from ppocr_client.transport.over_grpc import TRITON_PREFIX
from ppocr_server.access import ADMIN_HEADER
from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server

NAMES = (
    "../small",
    "../../etc/passwd",
    "small/../small",
    "/etc/passwd",
    "..\\small",
    "%2e%2e/small",
    "$(touch evil)",
    "`touch evil`",
    "a" * 3000,  # a longer one can come in two pieces, which Triton 2.51 does not bear
)


@pytest.fixture(scope="module")
def explicit(small_repository) -> Iterator[TritonServer]:
    """A server that loads models when its operator says so; another model lies beside its own."""
    shutil.copytree(small_repository / "small", small_repository.parent / "beside")
    arguments = ("--model-control-mode=explicit", "--load-model=*")
    with TritonServer(small_repository, grace=0, extra=arguments) as running:
        yield running


@pytest.mark.parametrize("name", NAMES)
def test_a_models_name_is_no_path(exposed, name):
    for path in (f"/v2/models/{quote(name, safe='')}", f"/v2/models/{quote(name)}"):
        for end in ("/config", "/ready", "/stats", ""):
            status, body = ask_http(exposed.http_url, "GET", path + end)
            assert status >= 400, path + end
            assert "root:" not in body
    with grpc.insecure_channel(exposed.grpc_url) as channel:
        config = service_pb2.ModelConfigRequest(name=name)
        assert ask_grpc(channel, "ModelConfig", config) != ""
        infer = service_pb2.ModelInferRequest(model_name=name)
        assert ask_grpc(channel, "ModelInfer", infer) != ""
    assert exposed.poll() is None


@pytest.mark.parametrize("name", [*NAMES, "../beside", "small/../../beside"])
def test_strangers_load_nothing_wherever_it_lies(explicit, name):
    """Triton itself loads what lies beside the repository: who has its key may do that."""
    with grpc.insecure_channel(explicit.grpc_url) as channel:
        load = service_pb2.RepositoryModelLoadRequest(model_name=name)
        assert RESTRICTED in ask_grpc(channel, "RepositoryModelLoad", load)
        ready = service_pb2.ModelReadyRequest(name=name)
        assert not service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelReady(ready).ready


@pytest.mark.parametrize("inside", ["../../evil", "/tmp/ppocr-evil", "1/../../../evil"])
def test_files_sent_with_a_model_stay_in_its_folder(explicit, tmp_path, inside):
    """The operator may send a model's files along; a name of one is no way to any other."""
    key = {TRITON_PREFIX + ADMIN_HEADER: explicit.security.admin_key}
    load = service_pb2.RepositoryModelLoadRequest(model_name="sent")
    load.parameters["config"].string_param = '{"backend": "onnxruntime"}'
    load.parameters[f"file:{inside}"].bytes_param = b"evil"
    with grpc.insecure_channel(explicit.grpc_url) as channel:
        assert ask_grpc(channel, "RepositoryModelLoad", load, key) != ""
    assert not Path("/tmp/ppocr-evil").exists()
    assert not Path("/tmp/evil").exists()


def test_the_repository_is_as_it_was(explicit, small_repository):
    with grpc.insecure_channel(explicit.grpc_url) as channel:
        ready = service_pb2.ModelReadyRequest(name="small")
        assert ask_grpc(channel, "ModelReady", ready) == ""
    assert [path.name for path in small_repository.iterdir()] == ["small"]


@pytest.mark.parametrize("key", ["../../etc/passwd", "/../etc/passwd", "/etc/passwd", "/./x", "/"])
def test_a_region_of_shared_memory_is_no_file(exposed, key):
    with grpc.insecure_channel(exposed.grpc_url) as channel:
        register = service_pb2.SystemSharedMemoryRegisterRequest(name="x", key=key, byte_size=8)
        sent = {TRITON_PREFIX + ADMIN_HEADER: exposed.security.admin_key}
        assert "shared memory" in ask_grpc(channel, "SystemSharedMemoryRegister", register, sent)


def test_a_stranger_reaches_no_instances_memory(exposed):
    """The regions of the steps' processes, were their names known."""
    regions = sorted(Path("/dev/shm").glob(f"{exposed.shared_memory_prefix}*"))
    assert regions
    with grpc.insecure_channel(exposed.grpc_url) as channel:
        for region in regions:
            register = service_pb2.SystemSharedMemoryRegisterRequest(
                name="x", key=f"/{region.name}", byte_size=8
            )
            assert "is restricted" in ask_grpc(channel, "SystemSharedMemoryRegister", register)


def test_the_old_endpoint_knows_two_names_and_no_paths(exposed, tmp_path):
    up = ("/../etc/passwd", "/ocr/../prediction", "/ocr/%2e%2e/prediction")
    with endpoint_process(exposed.grpc_url, tmp_path, "--model", "small") as plain:
        for path in (*up, "//prediction", "/ocr//"):
            status, body = ask_http(f"127.0.0.1:{plain.http_port}", "POST", path, "{}")
            assert status == 404 or '"err_no":3002' in body, path
            assert "root:" not in body
