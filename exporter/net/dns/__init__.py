"""DNS queries: the resolver, the transport (UDP and TCP) and the message format."""
