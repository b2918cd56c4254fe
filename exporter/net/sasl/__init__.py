"""SASL mechanisms as state machines without I/O."""
