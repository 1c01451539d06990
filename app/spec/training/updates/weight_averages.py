"""Averages of the weights over a training, which are evaluated and published in their place."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from app.spec.base import Count, NonNegative, Size, Steps
from app.spec.kinds import Kind, KindModel, KindTable, create_kind_models, discriminated_union

_FRACTION = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]

AVERAGES: KindTable = {
    "ema": Kind(
        "A mean that forgets: after every step decay of it stays, and the rest is taken from the weights.",
        {"decay": (_FRACTION, 0.999), "every_steps": (Steps, 1), "start_step": (Count, 0)},
    ),
    "swa": Kind(
        "The mean of the weights at the end of epochs or steps, after a share of the run "
        "(Izmailov et al. 2018); the rate may go to one of its own meanwhile.",
        {
            "start": (_FRACTION, 0.75),
            "every": (Literal["epoch", "step"], "epoch"),
            "lr": (NonNegative | None, None),
            "anneal_epochs": (Size, 10),
            "anneal_strategy": (Literal["cos", "linear"], "cos"),
        },
    ),
}


class BaseAverage(KindModel):
    """What every average has."""

    @property
    def counts_epochs(self) -> bool:
        """Whether it is updated at the end of epochs, not after a number of steps."""
        return self.settings().get("every") == "epoch"


AVERAGE_CLASSES = create_kind_models(AVERAGES, BaseAverage, {"ema": "MovingAverage", "swa": "StochasticAverage"})

if TYPE_CHECKING:
    Average = BaseAverage
else:
    Average = discriminated_union(AVERAGE_CLASSES)
