"""One IMAP connection: the session, its protocol, parser and writer."""
