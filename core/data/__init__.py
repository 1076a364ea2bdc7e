"""Price files in and out, gaps against the calendar, and the simulated market."""
