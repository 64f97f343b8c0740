"""TrainSlice models: the specification of every block in executable form (NumPy)."""
