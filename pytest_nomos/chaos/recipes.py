"""Recipes: what a journal says about how a fault is ended by somebody who did not begin it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Number = Annotated[int, Field(gt=1, lt=2**31)]
Beginning = Annotated[int, Field(ge=0)]
Api = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$")]
"""Host and port of a Toxiproxy server's API."""


class Recipe(BaseModel):
    """What has to be known to end a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OfProcess(Recipe):
    """A recipe about a process.

    Attributes:
        pid: its number.
        started: when it began, as `pytest_nomos.sweep.owner.started_at` tells.
    """

    pid: Number
    started: Beginning


class Continue(OfProcess):
    """Continue a process and its group.

    Attributes:
        group: the group that the process leads, None where it leads none.
        members: number and beginning of each process that belonged to it.
    """

    kind: Literal["continue"] = "continue"
    group: Number | None
    members: tuple[tuple[Number, Beginning], ...] = ()


class Restore(OfProcess):
    """Give a soft limit its value back.

    Attributes:
        limit: its name, for instance ``RLIMIT_NOFILE``.
        soft: the value, -1 for none.
    """

    kind: Literal["rlimit"] = "rlimit"
    limit: Literal["RLIMIT_NOFILE", "RLIMIT_DATA", "RLIMIT_FSIZE"]
    soft: Annotated[int, Field(ge=-1)]


class RemoveGroup(Recipe):
    """Remove a control group.

    Attributes:
        path: its folder, whose name begins with ``nomos-``.
        home: the folder of the control group that its processes go back to.
    """

    kind: Literal["cgroup"] = "cgroup"
    path: Annotated[str, Field(pattern=r"^/.*/nomos-[A-Za-z0-9-]+$")]
    home: Annotated[str, Field(pattern=r"^/")]


class RemoveProxy(Recipe):
    """Remove a proxy from a Toxiproxy server.

    Attributes:
        api: host and port of the server's API.
        proxy: the name of the proxy.
    """

    kind: Literal["toxiproxy"] = "toxiproxy"
    api: Api
    proxy: Annotated[str, Field(min_length=1)]


class TurnBack(OfProcess):
    """Set the clock of a process right.

    Attributes:
        path: the file from which the process reads how wrong its clock is.
    """

    kind: Literal["clock"] = "clock"
    path: Annotated[str, Field(pattern=r"^/.*\.nomos-clock$")]


Known = Continue | Restore | RemoveGroup | RemoveProxy | TurnBack
_KNOWN: Final[TypeAdapter[Known]] = TypeAdapter(Annotated[Known, Field(discriminator="kind")])
KINDS: Final = frozenset({"continue", "rlimit", "cgroup", "toxiproxy", "clock"})


def read_recipe(data: Mapping[str, Any]) -> Known | None:
    """Return the recipe that plain JSON types describe, None where it is of a kind that is not known here.

    Raises:
        ValueError: it has no kind, or is not what its kind asks for.
    """
    kind = data.get("kind")
    if not isinstance(kind, str) or not kind:
        raise ValueError("undo: a recipe has a kind")
    if kind not in KINDS:
        return None
    try:
        return _KNOWN.validate_python(dict(data), strict=False)
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(str(part) for part in ("undo", *found["loc"]))
        raise ValueError(f"{place}: {found['msg']}") from None
