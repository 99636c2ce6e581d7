"""One file a peer, `read_NAME.py`; each runs in the Python that has the peer's packages."""
