"""The processor under a host that keeps no rules (docs/top/abuse.md)."""
