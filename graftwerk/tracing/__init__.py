"""From a module of PyTorch to the language. Nothing here imports torch before a module is traced."""
