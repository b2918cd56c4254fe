"""Reduces many failures at the same time to a few root causes."""
