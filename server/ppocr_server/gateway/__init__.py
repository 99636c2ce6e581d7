"""Plain HTTP in front of Triton. It holds no OCR code: pages go to Triton by `ppocr_client`."""
