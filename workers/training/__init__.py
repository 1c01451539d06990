"""The training: one loop, one declared state, three capabilities."""
