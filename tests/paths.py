"""Where the project and its sample pictures lie."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "samples"
#: Two lines, one of them vertical.
SIGN = SAMPLES / "sign_vertical.jpg"
