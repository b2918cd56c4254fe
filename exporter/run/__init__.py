"""Decides when a target runs and runs it: interval, limits, deadline, and the check whether the fault is our own."""
