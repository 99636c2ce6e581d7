"""The search for what serves these pictures fastest on this machine."""
