"""The kinds of algorithms, and their settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from app.spec.base import Count, Finite, NonNegative, Positive, Probability, Size, SpecModel, Steps
from app.spec.data.environments.environment import EnvironmentData
from app.spec.data.environments.experience import Capacity, CopySteps, Experience
from app.spec.kinds import Kind, KindModel, create_kind_models, discriminated_union
from app.spec.network.nodes import Body
from app.spec.training.optimizers import Optimizer

_GAMMA = (Probability, 0.99)
_TAU = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
_SHARE = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
_OPTIMIZER: Any = (Optimizer | None, None)
_REPLAY = {"capacity": (Capacity, 100_000), "start_steps": (Count, 1000), "steps": (CopySteps, 1)}
_ACTOR_CRITIC_OPTIMIZERS = {"actor_optimizer": _OPTIMIZER, "critic_optimizer": _OPTIMIZER}
_NORMALIZE = {"normalize_advantage": (bool, True)}


@dataclass(frozen=True, slots=True)
class AlgorithmKind(Kind):
    """An algorithm: its settings, the bodies that it has, and what a plan has by default.

    `experience` is the kind of `data.experience`, whose settings are those of the same names. `optimizer` and
    `clip_norm` are those of a plan without a rate and an optimiser, or without `clip_norm`.
    """

    experience: Literal["replay", "rollout", "episodes"] = "replay"
    bodies: tuple[str, ...] = ("actor", "critic")
    has_trunk: bool = False
    actions: Literal["box", "discrete", "any"] = "box"
    batch_size: int | None = None
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    clip_norm: float | None = None


ALGORITHMS: Mapping[str, AlgorithmKind] = {
    "sac": AlgorithmKind(
        "Soft actor-critic (Haarnoja et al. 2018): a squashed Gaussian policy of high entropy, two critics, and a "
        "temperature alpha that holds the entropy at target_entropy (auto: -A for A actions, scaled to [-1, 1]).",
        {
            "gamma": _GAMMA,
            "tau": (_TAU, 0.005),
            "alpha": (Positive | Literal["auto"], "auto"),
            "initial_alpha": (Positive, 1.0),
            "target_entropy": (Finite | Literal["auto"], "auto"),
            **_REPLAY,
            **_ACTOR_CRITIC_OPTIMIZERS,
            "alpha_optimizer": _OPTIMIZER,
        },
        batch_size=256,
        optimizer={"kind": "Adam", "lr": 3e-4},
    ),
    "td3": AlgorithmKind(
        "Twin delayed deep deterministic policy gradient (Fujimoto et al. 2018). Noise is in halves of the range of "
        "each action.",
        {
            "gamma": _GAMMA,
            "tau": (_TAU, 0.005),
            "policy_delay": (Steps, 2),
            "target_noise": (NonNegative, 0.2),
            "noise_clip": (Positive, 0.5),
            "exploration_noise": (Positive, 0.1),
            **_REPLAY,
            **_ACTOR_CRITIC_OPTIMIZERS,
        },
        batch_size=256,
        optimizer={"kind": "Adam", "lr": 1e-3},
    ),
    "dqn": AlgorithmKind(
        "Deep Q-network (Mnih et al. 2015), double by default (van Hasselt et al. 2016). epsilon_steps is a tenth of "
        "the run by default.",
        {
            "gamma": _GAMMA,
            "tau": (_TAU, 1.0),
            "target_every": (Steps, 500),
            "double": (bool, True),
            "loss": (Literal["SmoothL1Loss", "MSELoss"], "SmoothL1Loss"),
            "epsilon_start": (Probability, 1.0),
            "epsilon_end": (Probability, 0.05),
            "epsilon_steps": (Steps | None, None),
            **_REPLAY,
        },
        bodies=("critic",),
        actions="discrete",
        batch_size=64,
        optimizer={"kind": "Adam", "lr": 5e-4},
    ),
    "ppo": AlgorithmKind(
        "Proximal policy optimisation (Schulman et al. 2017) with generalised advantage estimation.",
        {
            "gamma": _GAMMA,
            "lambda": (Probability, 0.95),
            "steps": (CopySteps, 256),
            "epochs": (Annotated[Size, Field(le=10_000)], 10),
            "clip_range": (_SHARE, 0.2),
            "value_coefficient": (Positive, 0.5),
            "entropy_coefficient": (NonNegative, 0.0),
            "initial_std": (Positive, 1.0),
            **_NORMALIZE,
            **_ACTOR_CRITIC_OPTIMIZERS,
        },
        experience="rollout",
        has_trunk=True,
        actions="any",
        batch_size=64,
        optimizer={"kind": "Adam", "lr": 3e-4, "eps": 1e-5},
        clip_norm=0.5,
    ),
    "reinforce": AlgorithmKind(
        "The policy gradient of whole episodes (Williams 1992); a batch is the steps of `episodes` episodes.",
        {
            "gamma": _GAMMA,
            "episodes": (Annotated[Size, Field(le=100_000)], 8),
            "normalize": (bool, True),
            "entropy_coefficient": (NonNegative, 0.0),
            "initial_std": (Positive, 1.0),
        },
        experience="episodes",
        bodies=("actor",),
        actions="any",
        optimizer={"kind": "Adam", "lr": 1e-3},
    ),
}
EXPERIENCE_SETTINGS = [
    "gamma",
    "lambda",
    "capacity",
    "start_steps",
    "steps",
    "epochs",
    "episodes",
    "normalize",
    "normalize_advantage",
]


class BaseAlgorithm(KindModel):
    """What every algorithm has."""

    @property
    def row(self) -> AlgorithmKind:
        """The facts of its kind."""
        return ALGORITHMS[self.kind]


ALGORITHM_CLASSES = create_kind_models(
    ALGORITHMS, BaseAlgorithm, {"sac": "SAC", "td3": "TD3", "dqn": "DQN", "ppo": "PPO", "reinforce": "REINFORCE"}
)

if TYPE_CHECKING:
    Algorithm = BaseAlgorithm
else:
    Algorithm = discriminated_union(ALGORITHM_CLASSES)


class ActorCritic(SpecModel):
    """The networks of an algorithm: each a body, in `layers` or with `inputs` and `nodes`."""

    actor: Body | None = Field(None, description="Reads `observation`, or the features of the trunk.")
    critic: Body | None = Field(None, description="Reads `observation` and, where it values actions, `action`.")
    trunk: Body | None = Field(None, description="What actor and critic share: reads `observation`.")
    blocks: Annotated[dict[str, Body], Field(max_length=253)] = Field(
        default_factory=dict, description="Blocks that the bodies use by name."
    )


class AlgorithmData(EnvironmentData):
    """An environment for an algorithm, which says itself what is kept of the experience unless the user does."""

    experience: Experience | None = None  # type: ignore[assignment]
