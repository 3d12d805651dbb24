"""Sound itself: codecs, files, rates, tempo and silence. Knows nothing of text, sessions or sockets."""
