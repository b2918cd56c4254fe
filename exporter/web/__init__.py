"""The HTTP server: pages, API and chat bridges, and who may see them."""
