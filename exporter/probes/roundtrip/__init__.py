"""The roundtrip probe: sends a mail by SMTP and waits for it in a mailbox by IMAP."""
