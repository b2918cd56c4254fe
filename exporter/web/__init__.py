"""The HTTP server: pages, API, chat bridges and access control."""
