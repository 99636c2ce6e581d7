"""Results in the file formats of other programs, one module each.

Each takes the pages of a document, which may be a single picture. Boxes are in pixels of the
upright picture. A line without words is one piece in every format: word boxes are not invented.
"""
