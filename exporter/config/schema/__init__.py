"""The schema of config.yaml as pydantic models: every key with its type, limits and description."""
