"""Real and scripted servers for the tests, each on loopback with its state in its own temporary folder."""
