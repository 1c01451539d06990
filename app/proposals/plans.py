"""The training plan: batches, length, rate and early stop, by kind of data and number of rows."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from app.proposals.draft import Draft

DataKind = Literal["table", "image", "words", "bag", "tags", "series", "tree"]


class PlanSize(NamedTuple):
    """A row of the table: the plan for so many training rows."""

    rows: int  # below
    batch_size: int
    epochs: int


class PlanKind(NamedTuple):
    """The settings of a kind of data, and its sizes."""

    lr: float
    weight_decay: float
    sizes: tuple[PlanSize, ...]
    clip_norm: float | None = None


MANY = 1 << 62
PLANS: Mapping[DataKind, PlanKind] = {
    "table": PlanKind(
        3e-3,
        0.02,
        (
            PlanSize(300, 32, 100),
            PlanSize(1_000, 32, 60),
            PlanSize(10_000, 64, 60),
            PlanSize(50_000, 256, 40),
            PlanSize(500_000, 1024, 30),
            PlanSize(MANY, 4096, 20),
        ),
    ),
    "image": PlanKind(
        3e-3, 0.05, (PlanSize(2_000, 32, 30), PlanSize(10_000, 64, 20), PlanSize(MANY, 128, 12)), clip_norm=1.0
    ),
    "words": PlanKind(
        4e-3,
        0.02,
        (PlanSize(1_000, 16, 20), PlanSize(10_000, 32, 8), PlanSize(100_000, 64, 5), PlanSize(MANY, 128, 3)),
        clip_norm=1.0,
    ),
    "bag": PlanKind(2e-2, 0.02, (PlanSize(1_000, 16, 20), PlanSize(MANY, 32, 10)), clip_norm=1.0),
    "tags": PlanKind(
        4e-3, 0.02, (PlanSize(5_000, 16, 15), PlanSize(50_000, 32, 8), PlanSize(MANY, 64, 4)), clip_norm=1.0
    ),
    "series": PlanKind(
        4e-3, 0.02, (PlanSize(1_000, 16, 60), PlanSize(10_000, 32, 30), PlanSize(MANY, 128, 12)), clip_norm=1.0
    ),
    "tree": PlanKind(1e-2, 0.01, (PlanSize(5_000, 64, 12), PlanSize(MANY, 128, 8)), clip_norm=1.0),
}
LARGE_ROWS = 10_000  # rows from which a tenth is enough to choose by
ENTITY_METRIC = "span_f1"
PATIENCE_FRACTION = 4  # an early stop waits for this part of the epochs


def propose_validation(rows: Mapping[str, int]) -> tuple[dict[str, Any], int, str]:
    """Return the validation rows, how many are left to train on, and why."""
    total = rows["train"]
    if "validation" in rows:
        return {"split": "validation"}, total, "The data set has rows for validation; they choose the best checkpoint."
    fraction = 0.1 if total >= LARGE_ROWS else 0.2
    left = total - int(total * fraction)
    test = " The rows of its test split choose nothing." if "test" in rows else ""
    return {"fraction": fraction}, left, f"{fraction:.0%} of the rows choose the best checkpoint and the end.{test}"


def propose_plan(draft: Draft, kind: DataKind, metrics: Sequence[str] = ()) -> dict[str, Any]:
    """Return the training plan, with its reasons added to the draft.

    Where whole entities are counted among the `metrics`, they choose the checkpoint, and nothing ends the training
    early: they are found long after the loss of single words has begun to rise.
    """
    row = PLANS[kind]
    size = next(each for each in row.sizes if draft.rows < each.rows)
    steps = -(-draft.rows // size.batch_size) * size.epochs
    plan: dict[str, Any] = {
        "epochs": size.epochs,
        "batch_size": size.batch_size,
        "optimizer": {"kind": "AdamW", "lr": row.lr, "weight_decay": row.weight_decay},
        "schedule": {"kind": "OneCycleLR", "max_lr": row.lr, "pct_start": 0.1},
    }
    reasons = {
        "epochs": f"At most {size.epochs} passes over about {draft.rows:,} rows: {steps:,} steps.",
        "batch_size": f"Batches of {size.batch_size}: small ones for few rows, larger ones where there are many.",
        "optimizer": "AdamW adapts the rate to each weight and lets weights decay, which few rows need most.",
        "schedule": f"The rate rises to {row.lr:g} in a tenth of the steps and falls to almost zero at the end.",
    }
    if ENTITY_METRIC in metrics:
        plan["checkpoint"] = {"keep_best": 1, "monitor": f"val/{ENTITY_METRIC}", "mode": "max"}
        reasons["checkpoint"] = "Predictions use the checkpoint that finds most of the held-out entities."
    else:
        patience = max(2, size.epochs // PATIENCE_FRACTION)
        plan["early_stop"] = {"monitor": "val/loss", "mode": "min", "patience": patience}
        plan["checkpoint"] = {"keep_best": 1, "monitor": "val/loss", "mode": "min"}
        reasons["early_stop"] = f"Training ends when the held-out loss has not fallen for {patience} epochs."
        reasons["checkpoint"] = "Predictions use the checkpoint with the least held-out loss."
    if row.clip_norm is not None:
        plan["clip_norm"] = row.clip_norm
        reasons["clip_norm"] = "Gradients longer than 1 are shortened: single batches cannot throw the weights off."
    for field, text in reasons.items():
        draft.explain(f"/training/{field}", text)
    return plan
