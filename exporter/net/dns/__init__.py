"""Asking DNS servers: the resolver, the transport and the message format."""
