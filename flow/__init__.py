"""The flow behind `make`: blocks, builds, runs, lint, coverage and faults. Start at `flow.cli`."""
