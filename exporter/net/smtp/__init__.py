"""One SMTP connection: the session with its commands, and the protocol below it."""
