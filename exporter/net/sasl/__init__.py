"""SASL login mechanisms as state machines without I/O."""
