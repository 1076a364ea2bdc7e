"""Greta's heart: how orders meet a bar, what it costs, and the ledger. Pure."""
