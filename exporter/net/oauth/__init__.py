"""Access tokens over HTTP (OAuth 2.0): token requests and interactive sign-in."""
