"""GLaDOS: run orchestration."""
