"""Secret: a password or token that cannot be printed by accident; and SecretSource: where it is read from."""

from __future__ import annotations

from typing import Protocol, final


@final
class Secret:
    """A password or token. Only `reveal()` returns it; printing, formatting or pickling it shows nothing."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not serialised")


class SecretSource(Protocol):
    """Where a password is stored. Implementations are frozen and comparable, so that a reload notices a change."""

    async def read(self) -> Secret:
        """Return the current secret. Raises ProbeError(local_error) that names the source, never its content."""
        ...
