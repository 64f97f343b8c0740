"""Environment of the IOSS core and the RAN, joined (docs/gemm/README.md)."""
