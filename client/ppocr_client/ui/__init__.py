"""A local web page that reads pictures and PDF files.

Needs starlette and uvicorn (`pip install "ppocr-triton[ui]"`), which load only here.
"""
