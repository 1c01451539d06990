"""The language: pure Pydantic, imports nothing but errors."""
