"""What the models of all blocks share (docs/conventions.md)."""
