"""A password or token, and where one is read from."""

from __future__ import annotations

from typing import Protocol, final


@final
class Secret:
    """A password or token: the only way one travels. Shows nothing but itself to `reveal()`."""

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
    """Where a password lies. Implementations are frozen and comparable, so that a reload sees a change."""

    async def read(self) -> Secret:
        """The secret as it is now. Raises `ProbeError(Reason.LOCAL_ERROR)` that names the source, never its content."""
        ...
