"""Greta's report: tables, curves and findings of a run, computed at once over arrays."""
