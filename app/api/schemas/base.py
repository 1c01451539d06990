"""What every response shares."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeAliasType

# Aliases that Pydantic knows by name: one schema each, to which others refer.
JsonNumber = TypeAliasType("JsonNumber", float | Literal["NaN", "Infinity", "-Infinity"])
JsonObject = TypeAliasType("JsonObject", dict[str, Any])


class ResponseModel(BaseModel):
    """A response: closed, so that no undescribed field can be sent."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    def as_dict(self) -> dict[str, Any]:
        """Return the response as JSON-compatible values."""
        return self.model_dump(mode="json", by_alias=True)
