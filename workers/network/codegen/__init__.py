"""`model.py`: a network as plain PyTorch source, with the functions that it needs.

Here: source code as text. Never: running it.
"""
