"""Tracing of PyTorch modules into specs. Nothing here imports torch before a module is traced."""
