"""Portuguese, as in Portugal."""
