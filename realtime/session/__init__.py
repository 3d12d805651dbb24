"""The protocol, with no I/O and no clock in it."""
