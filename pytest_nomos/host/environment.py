"""The environment of a provider: what was passed on purpose and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from nomos_proto.announcement import LIFELINE, LISTEN, UNIX_SCHEME

PASSED: Final = ("PATH", "LANG")
"""What a provider gets of the host's own variables."""
DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LIFELINE_DESCRIPTOR: Final = 3
"""Where a provider finds the read end of the lifeline; its other end is closed when the host is gone."""


class ImpossibleVariableError(ValueError):
    """A variable that no process can have."""


def provider_environment(
    ambient: Mapping[str, str],
    declared: Mapping[str, str],
    *,
    scratch: Path,
    inherit: bool = False,
    socket: Path | None = None,
) -> dict[str, str]:
    """Return the variables of a provider.

    Args:
        ambient: the host's own variables.
        declared: what the target declares; wins over all but the lifeline and *socket*.
        scratch: its working folder, also its HOME and TMPDIR.
        inherit: pass all of *ambient* on, as the `nomos` command line does; HOME and TMPDIR stay as they are there.
        socket: ask for a Unix socket at this path.

    Raises:
        ImpossibleVariableError: a declared name is empty or holds ``=`` or NUL, or a value holds NUL.
    """
    for name, value in declared.items():
        if not name or "=" in name or "\0" in name:
            raise ImpossibleVariableError(f"environment variable {name!r} has an impossible name")
        if "\0" in value:
            raise ImpossibleVariableError(f"the value of environment variable {name} holds a NUL")
    if inherit:
        variables = dict(ambient)
    else:
        variables = {name: ambient[name] for name in PASSED if name in ambient}
        variables |= {"HOME": str(scratch), "TMPDIR": str(scratch)}
        variables.setdefault("PATH", DEFAULT_PATH)
        variables.setdefault("LANG", "C.UTF-8")
    # Whoever runs the host may himself have been asked for a socket; only what was declared is meant for the provider.
    variables.pop(LISTEN, None)
    variables.update(declared)
    variables[LIFELINE] = str(LIFELINE_DESCRIPTOR)
    if socket is not None:
        variables[LISTEN] = f"{UNIX_SCHEME}{socket}"
    return variables
