"""Verification environment of the processor's registers: AXI4-Lite port and register file."""
