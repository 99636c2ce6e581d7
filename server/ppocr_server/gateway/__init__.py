"""Plain HTTP in front of Triton: pictures and documents in, JSON and files out.

It holds no OCR code. Every page goes to Triton through `ppocr_client`, which also opens documents
and writes the formats.
"""
