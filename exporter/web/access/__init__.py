"""Who may connect to the HTTP server, and who may act through it."""
