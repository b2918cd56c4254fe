"""Results become root causes, incidents and alerts, which are pushed to Alertmanager."""
