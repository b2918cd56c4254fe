"""Builds the targets from the configuration and the provider presets, each target on one shard."""
