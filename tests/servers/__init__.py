"""Real and scripted servers for the tests, each on loopback with its state in a temp folder of its own."""
