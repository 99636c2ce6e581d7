"""Results in the file formats of other programs, one module each.

Each takes the pages of a document, which may be a single picture. Boxes are in pixels of the
upright picture. The pipeline reads lines, so a line is the smallest unit of every format: word
boxes are not invented.
"""
