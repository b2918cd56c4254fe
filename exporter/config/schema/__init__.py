"""The shape of config.yaml as pydantic models: every key, its type and its bounds."""
