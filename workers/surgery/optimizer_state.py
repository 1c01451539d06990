"""What the tensors of an optimiser's state are, by their keys: how they follow a weight that changes its shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Transfer(Enum):
    """How the entries of a tensor of a parameter's shape go on, where the parameter's own entries do."""

    LINEAR = "linear"
    """In proportion to gradients: times the factor of the gradient."""
    QUADRATIC = "quadratic"
    """In proportion to squares of gradients: times the square of that factor."""
    UNSCALED = "unscaled"
    """By entry, whatever the gradient's scale: unchanged."""
    LIKE_WEIGHTS = "like_weights"
    """A copy of the weights: as they do."""
    WHOLE = "whole"
    """Not by entry: only where the parameter itself is unchanged."""


@dataclass(frozen=True, slots=True)
class StateTensor:
    """A tensor of an optimiser's state. New entries begin with a number, or with a setting of the parameter's group."""

    transfer: Transfer
    start: float | str = 0.0


FIRST, SECOND = StateTensor(Transfer.LINEAR), StateTensor(Transfer.QUADRATIC)
OF_UPDATES = StateTensor(Transfer.UNSCALED)  # updates do not depend on the gradient's scale
WHOLE = StateTensor(Transfer.WHOLE)

# Kind → key → moment. Scalars, such as the number of steps, are kept, and are not listed.
STATE_TENSORS: Mapping[str, Mapping[str, StateTensor]] = {
    "SGD": {"momentum_buffer": FIRST},
    "Adam": {"exp_avg": FIRST, "exp_avg_sq": SECOND, "max_exp_avg_sq": SECOND},
    "AdamW": {"exp_avg": FIRST, "exp_avg_sq": SECOND, "max_exp_avg_sq": SECOND},
    "NAdam": {"exp_avg": FIRST, "exp_avg_sq": SECOND},
    "RAdam": {"exp_avg": FIRST, "exp_avg_sq": SECOND},
    "Adamax": {"exp_avg": FIRST, "exp_inf": FIRST},  # the infinity norm of gradients
    "Adagrad": {"sum": StateTensor(Transfer.QUADRATIC, "initial_accumulator_value")},
    "Adadelta": {"square_avg": SECOND, "acc_delta": OF_UPDATES},
    "RMSprop": {"square_avg": SECOND, "grad_avg": FIRST, "momentum_buffer": OF_UPDATES},
    "Rprop": {"prev": FIRST, "step_size": StateTensor(Transfer.UNSCALED, "lr")},
    "ASGD": {"ax": StateTensor(Transfer.LIKE_WEIGHTS)},
    "Adafactor": {"variance": SECOND, "row_var": WHOLE, "col_var": WHOLE},
    "LBFGS": {"d": WHOLE, "old_dirs": WHOLE, "old_stps": WHOLE, "prev_flat_grad": WHOLE},  # of all parameters at once
    "Muon": {"momentum_buffer": FIRST},
}

# Kind → setting → the moment that the optimiser keeps only while the setting is not 0 or false.
OPTIONAL_TENSORS: Mapping[str, Mapping[str, str]] = {
    "SGD": {"momentum": "momentum_buffer"},
    "Adam": {"amsgrad": "max_exp_avg_sq"},
    "AdamW": {"amsgrad": "max_exp_avg_sq"},
    "RMSprop": {"momentum": "momentum_buffer", "centered": "grad_avg"},
}
