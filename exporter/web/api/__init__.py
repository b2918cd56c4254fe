"""The HTTP endpoints for programs: metrics, JSON, `/probe` and the log of a run."""
