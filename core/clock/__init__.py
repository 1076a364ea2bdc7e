"""Clocks and calendars: the only source of time."""
