"""Turns an exception, or the text of a server's reply, into a Failure with its reason."""
