"""One POP3 connection and its login."""
