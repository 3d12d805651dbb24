"""French, as in France."""
