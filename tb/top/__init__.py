"""Verification environment of the processor."""
