"""Verification environment of LAPS."""
