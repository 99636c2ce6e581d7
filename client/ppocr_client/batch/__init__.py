"""Archives of any size on Ray, through many servers.

Inputs are split into parts of a few hundred. A Ray actor reads a part and writes its results to a
file of their own, which appears completely or not at all.
"""

LISTED = 100  # failures that are listed, not only counted
