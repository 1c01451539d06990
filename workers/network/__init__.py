"""The network: from a spec to `torch.nn` modules, and to Python source.

Here: everything about one network without its data. Never: training, or data.
"""
