"""The configuration and what is known of providers become targets, each on one shard."""
