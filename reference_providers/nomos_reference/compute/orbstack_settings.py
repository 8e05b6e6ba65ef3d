"""The configuration of the OrbStack provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from nomos_contracts.compute.interface import ProviderError

NAME: Final = "orbstack"


class Spec(BaseModel):
    """One size of instance.

    Attributes:
        cpus: processors, parts of one too.
        memory_mb: memory in MiB.
        pids: processes and threads at a time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpus: float = Field(gt=0)
    memory_mb: int = Field(ge=6)
    pids: int = Field(default=256, ge=1)


DEFAULT_SPECS: Final[Mapping[str, Spec]] = {
    "small": Spec(cpus=0.5, memory_mb=128, pids=128),
    "medium": Spec(cpus=1, memory_mb=512),
    "large": Spec(cpus=2, memory_mb=2048, pids=1024),
}


class OrbstackSettings(BaseModel):
    """What the provider works with.

    Attributes:
        kind: containers of an engine, or Linux machines of the `orb` command.
        engine: URL of the engine; None finds one: `DOCKER_HOST`, the context, the known sockets.
        image: what containers are made of: a root file system with a shell. It is on the engine already, since nothing
            is ever pulled; `tools/engine.sh image` in the sources imports the default one.
        network: network of the containers.
        distro: distribution of machines, as `orb create` knows it.
        orb: the `orb` command.
        records: folder where the labels of machines are kept, which `orb` has none of; None for the user's own.
        prefix: how the names of all that it makes begin.
        region: the one region that there is.
        specs: sizes by name.
        max_instances: how many there may be at a time within `run` and `worker`, None without end.
        run: the run that spawns, for whoever cleans up after it; empty outside of runs.
        worker: the part of the run that spawns. A provider sees what has its own run and worker, and nothing else.
        timeout: seconds that the engine has for one answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["containers", "machines"] = "containers"
    engine: str | None = Field(default=None, pattern=r"^(unix|tcp|http|https|ssh|npipe)://.+$")
    image: str = Field(default="nomos-busybox:test", min_length=1)
    network: str = Field(default="none", min_length=1)
    distro: str = Field(default="debian", pattern=r"^[a-z][a-z0-9:.-]*$")
    orb: str = Field(default="orb", min_length=1)
    records: str | None = Field(default=None, min_length=1)
    prefix: str = Field(default="nomos", pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    region: str = Field(default="local", min_length=1)
    specs: dict[str, Spec] = Field(default=dict(DEFAULT_SPECS), min_length=1)
    max_instances: int | None = Field(default=None, ge=0)
    run: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    worker: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    timeout: float = Field(default=30.0, gt=0)

    @field_validator("engine", mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any) -> Any:
        # A settings file can only pass an environment variable on, not leave a key out when there is none.
        return None if value == "" else value


def read_settings(config: Mapping[str, Any]) -> OrbstackSettings:
    """Return the settings of *config*.

    Raises:
        ProviderError: INVALID_SPEC; a key is unknown, or its value is not of its kind. The value is not shown.
    """
    try:
        return OrbstackSettings.model_validate(dict(config))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ProviderError(f"{where}: {first['msg']}", "INVALID_SPEC", provider=NAME) from None
