"""The only code that connects to mail and DNS servers: TLS, DNS, HTTP, IMAP, SMTP, POP3 and OAuth."""
