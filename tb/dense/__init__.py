"""Test of the dense arrays that the processor is compared with."""
