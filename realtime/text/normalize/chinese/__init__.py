"""Chinese (Mandarin)."""
