"""What is removed, and when: expired rows, superfluous checkpoints, files that no row references.

Here: the policies and their rounds, which a worker runs. Never: deletion that a user asked for.
"""
