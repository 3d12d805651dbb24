"""One utterance, from text to packets."""
