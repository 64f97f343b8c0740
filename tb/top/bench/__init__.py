"""Benchmark of the processor (docs/measure.md, Speed)."""
