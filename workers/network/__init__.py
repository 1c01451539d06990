"""The network: from spec to `torch.nn`, and to Python source."""
