"""Run by Docling's own Python: read pictures by its remote OCR, and write what it has got.

    python read_with_docling.py grpc|http HOST:PORT LANGUAGE PICTURE ...

Each picture becomes a page of a PDF, as a scan does. Prints JSON, for each picture `cells` (text,
score, box in points) and `errors`.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

from docling.backend.pypdfium2_backend import PyPdfiumDocumentBackend
from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.base_models import InputFormat, Page
from docling.datamodel.document import ConversionResult, InputDocument
from docling.datamodel.pipeline_options import KserveV2OcrOptions
from docling.models.stages.ocr.kserve_v2_ocr_model import KserveV2OcrModel
from PIL import Image

transport, url, language, *pictures = sys.argv[1:]
read = []
# Triton answers gRPC with binary tensors alone, which Docling expects unless told otherwise.
for binary in (True,) if transport == "grpc" else (True, False):
    options = KserveV2OcrOptions(
        url=url,
        transport=transport,
        model_name="docling",
        lang=[language],
        force_full_page_ocr=True,
        use_binary_data=binary,
        request_parameters={"drop_score": 0.6},
    )
    model = KserveV2OcrModel(True, None, options, AcceleratorOptions(), enable_remote_services=True)
    for picture in pictures:
        pdf = io.BytesIO()
        Image.open(picture).convert("RGB").save(pdf, "PDF", resolution=144)
        document = InputDocument(
            path_or_stream=pdf,
            format=InputFormat.PDF,
            backend=PyPdfiumDocumentBackend,
            filename="scan.pdf",
        )
        result = ConversionResult(input=document)
        page = Page(page_no=1)
        page._backend = document._backend.load_page(0)
        page.size = page._backend.get_size()
        (page,) = model(result, [page])
        cells = [
            {
                "text": cell.text,
                "score": cell.confidence,
                "box": cell.rect.to_bounding_box().as_tuple(),
            }
            for cell in page.cells
        ]
        said = [error.error_message for error in result.errors]
        read.append(
            {"picture": Path(picture).name, "binary": binary, "cells": cells, "errors": said}
        )
json.dump(read, sys.stdout)
