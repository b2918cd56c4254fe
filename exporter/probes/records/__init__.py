"""Parsers for the DNS records that mail depends on: text in, record or RecordError out, no I/O."""
