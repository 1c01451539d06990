"""The training that `step_overhead` gives to everyone: a small network, where what surrounds the arithmetic shows."""

FEATURES, HIDDEN, CLASSES = 64, 128, 10
ROWS, BATCH = 6400, 64  # 100 steps an epoch
LR = 0.001
