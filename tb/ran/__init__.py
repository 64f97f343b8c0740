"""Environment of the RAN (docs/ran/README.md)."""
