"""Cuts a growing text into segments: sentences, clauses, blocks."""

from realtime.text.segment.segmenter import Kind, RawSegment, Segmenter

__all__ = ["Kind", "RawSegment", "Segmenter"]
