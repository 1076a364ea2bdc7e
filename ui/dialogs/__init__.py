"""Dialogs; each is opened, never executed."""
