"""The register file: its map and its cycle model."""
