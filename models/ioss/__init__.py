"""Model of the IOSS core (docs/ioss/README.md): values, slice pairs and exact cycles."""
