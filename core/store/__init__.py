"""WallE: persistence. The only place that knows SQL."""
