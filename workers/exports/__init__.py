"""The files that users download."""
