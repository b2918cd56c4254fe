"""The round trip: a mail is sent by SMTP and looked for by IMAP."""
