"""One POP3 connection: the session with its commands, and the choice of the login."""
