"""What OCRmyPDF loads where this package is installed: nothing before 17, whose hooks differ."""

from importlib.metadata import version

if int(version("ocrmypdf").split(".")[0]) >= 17:
    from ppocr_client.plugins.ocrmypdf_engine import (
        add_options,
        check_options,
        get_ocr_engine,
        register_options,
    )

    __all__ = ["add_options", "check_options", "get_ocr_engine", "register_options"]
