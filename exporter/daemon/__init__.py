"""The process: it puts the parts together, reloads them, and talks to systemd."""
