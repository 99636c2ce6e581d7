"""OCRmyPDF with a ppocr-triton server alone: `ocrmypdf --plugin ppocr_client.plugins.ocrmypdf`.

Tesseract need not be installed. The server is that of `--ppocr-url`, by default the one on this
machine. Options and engine come from `ppocr_client.plugins.ocrmypdf_engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocrmypdf import hookimpl
from ocrmypdf.builtin_plugins.tesseract_ocr import TesseractOptions

from ppocr_client.transport.base import DEFAULT_URL

if TYPE_CHECKING:
    from ocrmypdf import OcrOptions
    from pluggy import PluginManager
    from pydantic import BaseModel


@hookimpl
def initialize(plugin_manager: PluginManager) -> None:
    """Leave Tesseract out, which would refuse to start where it is not installed."""
    plugin_manager.set_blocked("ocrmypdf.builtin_plugins.tesseract_ocr")


@hookimpl
def register_options() -> dict[str, type[BaseModel]]:
    """Tesseract's options, which OCRmyPDF looks at whatever the engine is."""
    return {"tesseract": TesseractOptions}


@hookimpl(tryfirst=True)
def check_options(options: OcrOptions) -> None:
    """Choose the engine, unless the run wants none."""
    if options.ocr_engine != "none":
        options.ocr_engine = "auto"
        options.ppocr.url = options.ppocr.url or DEFAULT_URL
