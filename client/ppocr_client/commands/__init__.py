"""The commands of `ppocr-client`, a file each."""
