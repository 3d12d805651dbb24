"""Logs and figures for operators."""
