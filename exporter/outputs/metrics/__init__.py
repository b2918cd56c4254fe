"""Results as Prometheus metrics, and metrics about mailprobe itself."""
