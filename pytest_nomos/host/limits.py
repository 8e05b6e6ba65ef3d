"""Limits: every bound that the host puts on a provider, each of them a setting."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]


class Limits(BaseModel):
    """Bounds in seconds, counts or bytes; the defaults are those of the seed document.

    Attributes:
        announce: seconds from the start of the process to the end of its announcement line.
        connect_attempts: how often connecting is tried.
        connect_timeout: seconds for one attempt to connect.
        connect_backoff: seconds of pause after the first failed attempt; after the n-th it is n times as long.
        connect: seconds for all attempts together; the last attempt is cut short to keep it.
        call: seconds for one call; a caller's shorter deadline wins.
        shutdown_rpc: seconds for the Shutdown call.
        grace: seconds from SIGTERM to SIGKILL.
        ping_interval: seconds between two health pings.
        ping_timeout: seconds for one health ping.
        restarts: how often a crashed provider is started again where restarts are switched on.
        pool_size: connections to one provider process at most.
        pool_idle: seconds after which an unused connection is closed.
        receive: bytes of the largest answer that is taken.
        port_min: lowest port that is dialled.
        port_max: highest port that is dialled.
        schedule_seconds: seconds that random schedules may take.
        schedule_shrink: seconds for shortening a schedule that failed; ten times as many where its steps are faults.
        schedule_replays: how often a schedule that failed is replayed.
        storms: pairs of faults that random storms try at most.
        spellings: paths that a check tries at most where it tries many spellings; evenly chosen from all of them.
        load_operations: operations of a mixed load by many threads.
        settle: seconds after which a change of a resource is seen everywhere.
        recovery: seconds from the end of a fault until callers are served as before.
        boot: seconds from the creation of an instance until it runs.
        log: bytes of one log file at most; what follows is counted and dropped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    announce: Seconds = 5.0
    connect_attempts: Count = 3
    connect_timeout: Seconds = 2.0
    connect_backoff: Seconds = 0.5
    connect: Seconds = 5.8
    call: Seconds = 30.0
    shutdown_rpc: Seconds = 5.0
    grace: Seconds = 5.0
    ping_interval: Seconds = 10.0
    ping_timeout: Seconds = 1.0
    restarts: Annotated[int, Field(ge=0)] = 3
    pool_size: Count = 10
    pool_idle: Seconds = 300.0
    receive: Count = 64 * 1024 * 1024
    port_min: Annotated[int, Field(ge=1, le=65535)] = 1024
    port_max: Annotated[int, Field(ge=1, le=65535)] = 65535
    schedule_seconds: Seconds = 60.0
    schedule_shrink: Seconds = 3.0
    schedule_replays: Count = 10
    storms: Count = 25
    spellings: Count = 5000
    load_operations: Count = 100_000
    settle: Seconds = 10.0
    recovery: Seconds = 5.0
    boot: Seconds = 60.0
    log: Count = 64 * 1024 * 1024

    @model_validator(mode="after")
    def _ports_in_order(self) -> Limits:
        if self.port_min > self.port_max:
            raise ValueError(f"port_min ({self.port_min}) is above port_max ({self.port_max})")
        return self
