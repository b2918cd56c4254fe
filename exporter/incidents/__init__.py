"""Groups failures into root causes, tracks incidents, and pushes alerts to Alertmanager."""
