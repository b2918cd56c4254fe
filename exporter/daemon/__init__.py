"""The daemon process: creates and connects all parts, reloads the configuration, and talks to systemd."""
