"""Contract: the base of all classes of checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class ReplacedCheckError(TypeError):
    """A subclass replaces a check that it inherits: what it would then keep is another contract."""


class Contract:
    """A class of checks about one behaviour; each check names exactly one clause with ``@clause``.

    A subclass may add checks and data. It may not replace a check of a contract, nor set one to None.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in vars(cls):
            for base in cls.__mro__[1:]:
                if hasattr(vars(base).get(name), "__nomos_clause__"):
                    raise ReplacedCheckError(
                        f"{cls.__qualname__}.{name} replaces the check of {base.__qualname__} for clause "
                        f"{vars(base)[name].__nomos_clause__}; give yours another name"
                    )

    @classmethod
    def checks(cls) -> Iterator[tuple[str, str]]:
        """Yield (method name, clause id) of each check, inherited ones included."""
        for name in dir(cls):
            clause_id = getattr(getattr(cls, name), "__nomos_clause__", None)
            if clause_id is not None:
                yield name, clause_id
