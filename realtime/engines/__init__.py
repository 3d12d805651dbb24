"""What makes sound out of text pieces, behind one contract of messages."""
