"""Archives of any size, through many servers.

Inputs are split into parts of some hundred. The rows of a part are written to a file of their own,
which appears completely or not at all.
"""
