"""Measurements beside other programs on the same machine: `python -m benchmarks`. Nothing here runs with the tests."""
