"""An exception or a server's words become a failure with its reason."""
