"""Training in dynamic fixed point, and the tensors it leaves for the benches."""
