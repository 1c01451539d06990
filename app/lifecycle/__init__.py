"""What is removed without a user's request: expired rows, superseded checkpoints, files that no row references.

Here: the policies, which a worker applies periodically. Never: deletion that a user requests.
"""
