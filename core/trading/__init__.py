"""Veda: the order manager."""
