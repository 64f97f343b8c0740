"""Model of the processor: docs/top/README.md."""
