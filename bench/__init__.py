"""Programs that measure: each prints one table, and can write JSON."""
