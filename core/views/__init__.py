"""Haro's read models: pure folds of events into what a panel shows. No Qt."""
