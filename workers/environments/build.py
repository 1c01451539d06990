"""From the data section of a job to environments."""

from app.spec.data.environments.environment import EnvironmentData
from workers.environments.dynamics_simulation import DynamicsSimulation
from workers.environments.environments import Environments
from workers.environments.gymnasium_simulation import GymnasiumSimulation
from workers.environments.simulation import Simulation

TRAINING_STREAM, EVALUATION_STREAM = 0, 1  # of episodes


def build_environments(data: EnvironmentData, copies: int, seed: int, stream: int = TRAINING_STREAM) -> Environments:
    """Return copies of the environment of a job, which begin their episodes when they are first observed.

    Raises `DataError` if a package is not installed, and `InvalidInput` with every problem of dynamics.
    """
    simulation: Simulation
    if data.dynamics is not None:
        simulation = DynamicsSimulation(data.dynamics, copies)
    else:
        simulation = GymnasiumSimulation(data.name or "", copies)
    return Environments(simulation, data.action_space, copies, seed, stream, data.time_limit, data.wrappers)
