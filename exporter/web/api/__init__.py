"""What programs ask the HTTP server for: metrics, JSON, `/probe` and the log of a run."""
