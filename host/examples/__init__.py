"""Networks that `make train` and `make train-model` know by name, each declared in a few lines."""
