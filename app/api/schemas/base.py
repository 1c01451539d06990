"""What every answer shares."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Number = float | Literal["NaN", "Infinity", "-Infinity"]


class Document(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return self.model_dump(mode="json", by_alias=True)
