"""What every answer shares."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

JsonNumber = float | Literal["NaN", "Infinity", "-Infinity"]


class ResponseModel(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return self.model_dump(mode="json", by_alias=True)
