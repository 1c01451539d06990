"""The training that `reinforcement` gives to everyone: RL Zoo's settings of Pendulum, with networks of 64 and 64."""

ENVIRONMENT = "Pendulum-v1"
WIDTHS = (64, 64)
BATCH, GAMMA, TAU, LR = 128, 0.98, 0.005, 0.001
START_STEPS = 1000  # of random actions, before the first update
EXPLORATION_NOISE = 0.1  # of TD3, in halves of the range of the action
EPISODES = 100  # of an evaluation
