"""Results as the files of other programs, one format a module.

Each takes the pages of one document, which may be a single picture. Boxes are in pixels of the
upright picture. The pipeline reads lines, so the smallest thing in every format is a line: nothing
is made up about where its words begin.
"""
