"""One IMAP connection: the session with its commands, and the protocol, reader, parser and writer below it."""
