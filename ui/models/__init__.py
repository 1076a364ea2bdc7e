"""Qt models over the pure views of core."""
