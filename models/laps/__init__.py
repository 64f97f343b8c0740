"""Models of LAPS (docs/laps/README.md)."""
