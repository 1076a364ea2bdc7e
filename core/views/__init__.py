"""Pure folds of events into what a panel shows. No Qt."""
