"""Results as Prometheus metrics, and mailprobe's metrics about itself."""
