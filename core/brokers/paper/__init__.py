"""An account inside the program, kept in the database and filled at the prices of a feed."""
