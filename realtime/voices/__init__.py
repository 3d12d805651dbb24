"""Voices by name."""
