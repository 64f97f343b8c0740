"""Verification environments: `flow` builds, runs and reports; `tb.lib` is shared; one folder a block."""
