"""Adapters: bytes and headers in, calls on the rooms below out."""
