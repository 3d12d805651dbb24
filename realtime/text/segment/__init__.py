"""Cuts a growing text into segments: sentences, clauses, blocks."""

from realtime.text.segment.raw import Kind, RawSegment
from realtime.text.segment.segmenter import Segmenter

__all__ = ["Kind", "RawSegment", "Segmenter"]
