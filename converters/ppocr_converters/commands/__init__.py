"""What each command of `ppocr-convert` takes and does; heavy imports wait until it is asked for."""
