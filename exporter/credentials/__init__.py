"""Passwords and tokens: where they lie, and whether one may be used now."""
