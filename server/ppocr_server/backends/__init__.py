"""Backends that Triton loads from a folder; nothing here is imported by the rest."""
