"""Haro: the desktop UI. Shows what the engine's events say, and nothing else."""
