"""Spaces: what an observation or an action of an environment is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from app.spec.base import Finite, Size, SpecModel, validation_error
from app.spec.data.columns import Column
from app.spec.kinds import Kind, KindTable, discriminated_union
from app.spec.network.fields import TensorShape

Bounds = Finite | Annotated[tuple[Finite, ...], Field(min_length=1, max_length=10_000)]


class BoxSpace(SpecModel):
    """A tensor of numbers, float32, each of which may have a lower and an upper bound."""

    example: ClassVar[Mapping[str, object]] = {"shape": [1], "low": -2.0, "high": 2.0}

    kind: Literal["box"]
    shape: TensorShape = Field(description="Of one observation or action, without the batch dimension.")
    low: Bounds | None = Field(
        None, description="The lower bound: of all elements, or one for each along the last dimension."
    )
    high: Bounds | None = Field(None, description="The upper bound, in the same form.")

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        last = self.shape[-1] if self.shape else 1
        for name, bound in (("low", self.low), ("high", self.high)):
            if isinstance(bound, tuple) and len(bound) != last:
                detail = f"{name} has {len(bound)} numbers, and the last dimension of {list(self.shape)} has {last}"
                raise validation_error("wrong_shape", detail, f"give one number, or {last}")
        for least, most in zip(self.lows, self.highs, strict=True):
            if least is not None and most is not None and least >= most:
                detail = f"the lower bound {least:g} is not below the upper bound {most:g}"
                raise validation_error("contradiction", detail, "give low a smaller number, or high a larger one")
        return self

    @property
    def classes(self) -> int | None:
        """The number of values of a discrete space: `None`."""
        return None

    @property
    def lows(self) -> tuple[float | None, ...]:
        """The lower bounds along the last dimension; `None` where there is none."""
        return self._along_last(self.low)

    @property
    def highs(self) -> tuple[float | None, ...]:
        """The upper bounds along the last dimension; `None` where there is none."""
        return self._along_last(self.high)

    @property
    def is_bounded(self) -> bool:
        """Whether every element has both bounds, so that values can be drawn uniformly."""
        return self.low is not None and self.high is not None

    @property
    def description(self) -> str:
        """Its shape in batches and its bounds, in words: "(N, 1) in -2..2"."""
        shape = f"({', '.join(['N', *map(str, self.shape)])})"
        if not self.is_bounded:
            return shape
        low, high = (
            " or ".join(f"{each:g}" for each in dict.fromkeys(bounds) if each is not None)
            for bounds in (self.lows, self.highs)
        )
        return f"{shape} in {low}..{high}"

    def column(self, name: str) -> Column:
        """Return the column of such values: float32 of its shape."""
        return Column(name=name, shape=self.shape, dtype="float32")

    def _along_last(self, bound: float | tuple[float, ...] | None) -> tuple[float | None, ...]:
        return bound if isinstance(bound, tuple) else (bound,) * (self.shape[-1] if self.shape else 1)


class DiscreteSpace(SpecModel):
    """One of `n` values, which are the integers from 0 on, int64."""

    example: ClassVar[Mapping[str, object]] = {"n": 2}

    kind: Literal["discrete"]
    n: Annotated[Size, Field(le=1_000_000)]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one value: ()."""
        return ()

    @property
    def classes(self) -> int | None:
        """The number of values."""
        return self.n

    @property
    def is_bounded(self) -> bool:
        """Whether values can be drawn uniformly."""
        return True

    @property
    def description(self) -> str:
        """Its values in words: "0..3"."""
        return f"0..{self.n - 1}"

    def column(self, name: str) -> Column:
        """Return the column of such values: int64 (), of n classes."""
        return Column(name=name, dtype="int64", classes=self.n)


SPACE_CLASSES: Mapping[str, type[SpecModel]] = {"box": BoxSpace, "discrete": DiscreteSpace}
SPACES: KindTable = {
    "box": Kind("A tensor of numbers, float32, which may have bounds.", shapes="(N, *shape)", example=BoxSpace.example),
    "discrete": Kind("One of n values: an integer from 0 on, int64.", shapes="(N)", example=DiscreteSpace.example),
}

if TYPE_CHECKING:
    Space = BoxSpace | DiscreteSpace
else:
    Space = discriminated_union(SPACE_CLASSES)


def box(*shape: int, low: float | None = None, high: float | None = None) -> BoxSpace:
    """Return a box of a shape, with the same bounds for all elements."""
    return BoxSpace(kind="box", shape=shape, low=low, high=high)


def discrete(n: int) -> DiscreteSpace:
    """Return the space of the integers from 0 to n - 1."""
    return DiscreteSpace(kind="discrete", n=n)
