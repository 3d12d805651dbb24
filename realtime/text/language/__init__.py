"""Which language each segment is written in."""

from realtime.text.language.guess import LanguageGuess

__all__ = ["LanguageGuess"]
