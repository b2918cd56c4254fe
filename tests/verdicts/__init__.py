"""Measures how often a verdict is right on replies that no row holds: `make verdicts`."""
