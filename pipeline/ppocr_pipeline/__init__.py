"""The OCR pipeline: a picture in, its lines out. NumPy, OpenCV, pyclipper and Pillow only.

The steps that Triton serves, the proofs of `ppocr-convert` and the benchmarks all run this code.
"""
