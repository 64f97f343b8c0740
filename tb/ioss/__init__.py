"""The environment of the IOSS core."""
