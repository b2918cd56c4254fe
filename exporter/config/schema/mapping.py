"""The base class of every mapping in a configuration file.

A key is in a model only if it works. `LATER` names keys that the documentation reserves for later versions, so that the
error message can say so.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


class Shape(BaseModel):
    """A mapping in the file. A key without a value counts as not written."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)
    LATER: ClassVar[frozenset[str]] = frozenset({"proxy"})

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, data: Any) -> Any:
        if isinstance(data, dict) and None in data.values():
            known = {field.alias or name for name, field in cls.model_fields.items()}
            return {key: value for key, value in data.items() if value is not None or key not in known}
        return data
