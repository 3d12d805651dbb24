"""A realtime text-to-speech server: text comes in at the top, sound leaves at the top."""

__version__ = "0.1.0"
