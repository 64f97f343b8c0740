"""Benchmark of the processor (docs/environment.md, Speed)."""
