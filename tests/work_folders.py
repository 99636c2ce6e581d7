"""Work folders for builds that must leave what the other tests share as it is."""

import shutil
from pathlib import Path

from paths import SAMPLES

#: The set that tests serve: small, fast, and in Paddle's own format.
DET, REC, CLS = "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec", "ch_ppocr_mobile_v2.0_cls"
#: It in a build.
V4 = ("--set", "v4")
#: A build proves on rendered pages, as that of the shared repository does. One picture is enough
#: where another build is only to be served.
ONE_PICTURE = ("--images", str(SAMPLES / "form_mixed.png"))


def work_of(repository: Path, target: Path) -> Path:
    """A work folder with all that was fetched, converted and proven for the shared repository.

    A build there that proves other pictures or steps replaces its own record of a proof, not the
    one that keeps the shared repository up to date.
    """
    shutil.copytree(repository.parent / "onnx", target / "onnx")
    (target / "models").symlink_to(repository.parent / "models")
    return target
