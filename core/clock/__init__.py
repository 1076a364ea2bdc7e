"""GLaDOS's clocks and calendars: the only source of time."""
