"""What each command of `ppocr-convert` takes and does; heavy imports wait until it is asked for."""

DET, REC = "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"
CLS = "ch_ppocr_mobile_v2.0_cls"
