"""The `orb` command: one call, its answer, and its failures in the words of the taxonomy."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

from nomos_contracts.compute.interface import ProviderError
from nomos_proto.kinds import is_map, is_sequence
from nomos_reference.compute.orbstack_faults import NO_SPACE
from nomos_reference.compute.orbstack_settings import NAME

EXISTS: Final = re.compile(r"already exists", re.IGNORECASE)
GONE: Final = re.compile(r"not found|no such machine|doesn't exist|does not exist", re.IGNORECASE)
AWAY: Final = re.compile(r"connection refused|not running|connect:|timed out waiting", re.IGNORECASE)
UNKNOWN_IMAGE: Final = re.compile(r"(unknown|invalid|unsupported) (distro|image|version)", re.IGNORECASE)


class OrbError(Exception):
    """The command ended with a failure; `text` is what it said."""

    def __init__(self, words: Sequence[str], code: int, text: str) -> None:
        super().__init__(f"orb {words[0]} ended with {code}: {text}")
        self.text = text

    @property
    def exists(self) -> bool:
        """Whether what was to be made is there."""
        return bool(EXISTS.search(self.text))

    @property
    def gone(self) -> bool:
        """Whether what was asked for is not there."""
        return bool(GONE.search(self.text))


def from_orb(error: OrbError) -> ProviderError:
    """Return the error of the taxonomy that *error* is."""
    if NO_SPACE.search(error.text):
        code = "CAPACITY_ERROR"
    elif UNKNOWN_IMAGE.search(error.text):
        code = "INVALID_SPEC"
    elif error.exists:
        code = "ALREADY_EXISTS"
    elif error.gone:
        code = "NOT_FOUND"
    elif AWAY.search(error.text):
        code = "NETWORK_ERROR"
    else:
        code = "PROVIDER_INTERNAL"
    return ProviderError(str(error), code, provider=NAME)


class Orb:
    """Calls the command.

    Args:
        program: the command, a name on PATH or a path.
        seconds: how long one call may take.
    """

    def __init__(self, program: str, seconds: float) -> None:
        self._program = program
        self._seconds = seconds

    def call(self, *words: str, given: bytes = b"") -> str:
        """Return what the command prints for *words*.

        Args:
            words: its arguments.
            given: its standard input.

        Raises:
            OrbError: it failed.
            ProviderError: INVALID_STATE, there is no such command; TIMEOUT_ERROR, it did not end in time.
        """
        try:
            done = subprocess.run(
                [self._program, *words], input=given, capture_output=True, timeout=self._seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            reason = f"orb {words[0]} did not end within {self._seconds:g} s"
            raise ProviderError(reason, "TIMEOUT_ERROR", provider=NAME) from error
        except OSError as error:
            reason = f"the command {self._program} cannot be started: {error.strerror}"
            raise ProviderError(reason, "INVALID_STATE", provider=NAME) from error
        if done.returncode:
            text = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise OrbError(words, done.returncode, text)
        return done.stdout.decode(errors="replace")

    def machines(self) -> dict[str, Mapping[str, Any]]:
        """Return what the command says of each machine, by name.

        Raises:
            ProviderError: it failed, or did not answer in JSON.
        """
        try:
            told: Any = json.loads(self.call("list", "--format", "json") or "[]")
        except OrbError as error:
            raise from_orb(error) from error
        except ValueError as error:
            raise ProviderError("orb list answers no JSON", "PROVIDER_INTERNAL", provider=NAME) from error
        listed = told if is_sequence(told) else ()
        return {str(one["name"]): one for one in listed if is_map(one) and "name" in one}
