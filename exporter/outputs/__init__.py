"""What becomes of a result: metrics, history, log lines, JSON and the support ticket."""
