"""Archives of millions of files, read on Ray Data into one row an input.

Inputs are cut into parts of a few hundred. A part is read by one of several Ray actors and written
as one file, whole or not at all; only its summary travels back. So neither pictures nor rows pass
through Ray's object store, and a part that is read twice, because a machine was lost, is the same
file again. What is here needs the extra `batch`.
"""
