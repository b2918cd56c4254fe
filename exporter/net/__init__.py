"""The only code that touches sockets: connections, TLS, DNS, HTTP, IMAP, SMTP, POP3 and OAuth."""
