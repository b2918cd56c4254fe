"""One SMTP connection."""
