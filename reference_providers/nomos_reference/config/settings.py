"""The Init configuration, read key by key; every complaint names the key and never its value."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from nomos_proto.errors import ProviderError
from nomos_proto.kinds import is_map
from nomos_reference.config.limits import HIGHEST, Limits

RESERVED: Final = frozenset({"alias", "type", "version"})
"""Keys that belong to the caller; providers take no notice of them."""

_DIGITS = re.compile(r"[0-9]{1,15}")


def invalid(key: str, reason: str) -> ProviderError:
    """Return the error for a key that is wrong in itself."""
    return ProviderError(f"{key}: {reason}", "INVALID_SPEC")


def unmet(key: str, reason: str) -> ProviderError:
    """Return the error for a key that is well formed and whose dependency is not there."""
    return ProviderError(f"{key}: {reason}", "INVALID_STATE")


class Settings:
    """One Init configuration; null counts as absent, as the command line sends it for what it cannot carry."""

    def __init__(self, config: Mapping[str, Any], source_file_path: str) -> None:
        """Take the configuration of an Init."""
        self._values = {key: value for key, value in config.items() if key not in RESERVED and value is not None}
        self._unread = set(self._values)
        self._source = source_file_path

    @property
    def empty(self) -> bool:
        """Whether no key is set."""
        return not self._values

    def take(self, key: str) -> Any:
        """Return the value of an optional key, None where it is absent."""
        self._unread.discard(key)
        return self._values.get(key)

    def text(self, key: str) -> str:
        """Return the value of a required key that is a string.

        Raises:
            ProviderError: INVALID_SPEC where it is absent, empty, of another type, or holds a NUL.
        """
        value = self.take(key)
        if value is None:
            raise invalid(key, "is required and was not given")
        if not isinstance(value, str):
            raise invalid(key, "must be a string")
        if not value:
            raise invalid(key, "must not be empty")
        if "\0" in value:
            raise invalid(key, "must not hold a NUL character")
        return value

    def path(self, key: str) -> Path:
        """Return the value of a required key that is a path; a relative one starts at the folder of the source file.

        Raises:
            ProviderError: as `text`.
        """
        return Path(os.path.dirname(self._source), self.text(key)).absolute()  # noqa: PTH120 # Path("").parent is "."

    def integer(self, key: str, default: int, highest: int) -> int:
        """Return the value of an optional key that is a number from 1 to *highest*, or digits in a string.

        Raises:
            ProviderError: INVALID_SPEC for anything else.
        """
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        elif isinstance(value, float) and value.is_integer():
            value = int(value)  # every number of a Struct is a double
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= highest:
            raise invalid(key, f"must be a whole number from 1 to {highest}")
        return value

    def texts(self, key: str) -> Mapping[str, str]:
        """Return the value of an optional key that is a map of strings.

        Raises:
            ProviderError: INVALID_SPEC for anything else.
        """
        value = self.take(key)
        if value is None:
            return {}
        if not is_map(value):
            raise invalid(key, "must be a map of strings")
        for name, text in value.items():
            if not isinstance(text, str):
                raise invalid(f"{key}.{name}", "must be a string")
        return value

    def limits(self) -> Limits:
        """Return the limits.

        Raises:
            ProviderError: INVALID_SPEC for one that is no number in its range.
        """
        default = Limits()
        asked = {
            one.name: self.integer(f"max_{one.name}", getattr(default, one.name), getattr(HIGHEST, one.name))
            for one in fields(Limits)
        }
        return Limits(**asked)

    def finish(self) -> None:
        """Return if every key was read.

        Raises:
            ProviderError: INVALID_SPEC naming a key that this provider does not have.
        """
        if self._unread:
            raise invalid(min(self._unread), "is no setting of this provider")
