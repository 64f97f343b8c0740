"""What drives the processor: mapper, optimiser's host side, training, energy; usable on its own."""
