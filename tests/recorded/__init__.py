"""Recorded outages: whole stories of faults in simulated time, through the daemon, the rules and Alertmanager."""
