"""The documentation as a site: what `make docs` builds from docs/, the sources and the pictures drawn here."""
