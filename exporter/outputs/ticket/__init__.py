"""The support ticket: what a provider's support needs to know about a failure."""
