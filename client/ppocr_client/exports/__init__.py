"""Results in the file formats of other programs; no word boxes are invented."""
