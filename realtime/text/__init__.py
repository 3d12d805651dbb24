"""From characters to pieces that can be spoken, each knowing where it came from."""
