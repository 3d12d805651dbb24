"""Takes out of a text what is not speech: markdown, HTML, emoji, control characters."""

from realtime.text.clean.cleaner import clean, clean_code, clean_table

__all__ = ["clean", "clean_code", "clean_table"]
