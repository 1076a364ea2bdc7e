"""Frozen domain types without I/O. One definition of each concept."""
