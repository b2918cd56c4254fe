"""Many failures at one moment become few root causes."""
