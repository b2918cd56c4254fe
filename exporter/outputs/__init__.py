"""What happens to a Result: metrics, history, log lines, JSON and the support ticket."""
