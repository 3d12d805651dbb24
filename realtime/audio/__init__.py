"""Sound itself: codec and silence. Knows nothing of text, sessions or sockets."""
