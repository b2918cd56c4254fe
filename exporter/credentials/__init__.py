"""Passwords and tokens: where they are stored, and whether one may be used now."""
