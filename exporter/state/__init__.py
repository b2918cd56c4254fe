"""What survives a restart, stored in SQLite."""
