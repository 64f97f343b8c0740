"""The IOSS core's benchmark: how fast the environment is beside a bare C++ loop and a conventional environment."""
