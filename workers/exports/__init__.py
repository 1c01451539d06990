"""Files for use elsewhere: weights, ONNX and torch.export programs.

Here: writing them, and the difference to the original. Never: routes.
"""
