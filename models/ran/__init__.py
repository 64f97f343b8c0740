"""Model of the RAN (docs/ran/README.md): value and cycle level, and the oracles that it is held to."""
