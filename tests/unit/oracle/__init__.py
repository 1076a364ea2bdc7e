"""The reference itself, on cases that were worked out by hand."""
