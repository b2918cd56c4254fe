"""Access control: who may connect to the HTTP server, and who may trigger actions."""
