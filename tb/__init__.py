"""Verification environments: `tb.flow` builds, runs and reports; `tb.common` is shared; one folder a block."""
