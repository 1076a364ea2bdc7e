"""Qt models: one table model over any view, and the order of its rows."""
