"""Hostile arguments: of the right kind, and of no use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from nomos_contracts.compute.fleet import Fleet, bootstrap
from nomos_contracts.compute.interface import (
    BootstrapConfig,
    BootstrapFeature,
    CreateSnapshotOptions,
    FeatureName,
    HeartbeatExpectations,
    HeartbeatTask,
    InstanceStatus,
    ListFilter,
    NetworkConfig,
)
from nomos_contracts.provider import Answer

TEXTS: Final = (
    "",
    " ",
    "\0",
    "\n",
    "a\r\nb: c",
    "../../etc/passwd",
    "%s%n{0}${HOME}$(id)`id`",
    "'; DROP TABLE instances; --",
    '"><script>',
    "\U0001f600\u202e\ufeff",
    "e\u0301" * 50,
    # Whatever number of bytes a name is cut at, one of the two is cut within a character.
    "ü" * 300,
    "a" + "ü" * 300,
    "x" * 10_000,
    "-",
    "--help",
    "null",
    "[]",
    "0",
)
SECRET: Final = "nomos-secret-5f2d1c"  # noqa: S105 # made up, so that it can be looked for
SCRIPT: Final = "nomos-script-83b7e4"
"""As above, at the head of a user's script."""
LARGE: Final = 2**62


def secret_bootstrap(plain: BootstrapConfig | None = None) -> BootstrapConfig:
    """Return a bootstrap configuration, *plain* if one is given, all of whose secrets can be looked for.

    What is wrong with a value of *plain* is still wrong.
    """
    given = plain or bootstrap()
    variables = {"NOMOS_PASSWORD": "", **(given.environment or {})}
    return replace(
        given,
        init_script=None if given.init_script is None else f"# {SCRIPT}\n{given.init_script}",
        registration_token=SECRET + given.registration_token,
        environment={name: SECRET + value for name, value in variables.items()},
    )


def hostile_spawns(fleet: Fleet) -> Iterator[dict[str, Any]]:
    """Yield changes to a spawn, one wrong thing each; a provider may take some of them."""
    bad = f"no-{fleet.name()}"
    yield from ({"spec": one} for one in (*TEXTS, bad))
    yield from ({"region": one} for one in ("", "\0", bad, "x" * 10_000))
    yield from ({"control_id": one} for one in ("", "\n", "ü" * 300))
    yield from ({"instance_id": one} for one in (-1, LARGE))
    yield from ({"disk_size_gb": one} for one in (-1, 0, LARGE))
    yield from ({"snapshot_id": "\0"}, {"volume_id": "x" * 10_000}, {"network_config": NetworkConfig()})
    yield {"network_config": NetworkConfig(bad, (bad,) * 100, bad)}
    yield {"spot": True, "max_spot_price": -1.0}
    yield {"tags": {f"key-{number}": "v" * 100 for number in range(500)}}
    yield {"tags": {"": "", "\n": "\0", "k" * 5000: "v" * 5000, "ü": "\U0001f600"}}
    yield {"bootstrap": bootstrap(environment={"a b": "c", "": "x", "1": "y"})}
    yield {"bootstrap": bootstrap(init_script="\0", init_checksum="no")}


def hostile_calls(fleet: Fleet) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield calls, method and arguments, that create nothing."""
    for text in TEXTS:
        for method in ("get", "terminate"):
            yield method, {"provider_id": text}
        yield "get", {"provider_id": text, "region": text}
        yield "list", {"filter": ListFilter(spec=text, region=text, tags={text: text})}
        yield "generate_bootstrap", {"cfg": bootstrap(agent_url=text, control_plane_url=text, init_script=text)}
        yield "generate_bootstrap", {"cfg": bootstrap(environment={text: text})}
    for limit in (0, -1, LARGE, -LARGE):
        yield "list", {"filter": ListFilter(limit=limit)}
    yield "list", {"filter": ListFilter(status=(), tags={})}
    yield "list", {"filter": ListFilter(status=tuple(InstanceStatus) * 50)}
    yield "list", {"filter": ListFilter(tags={f"k{number}": "v" * 100 for number in range(500)})}
    odd = BootstrapFeature(FeatureName.DOCKER, version="x" * 1000, config={"\n": "\0"})
    yield "generate_bootstrap", {"cfg": bootstrap(features=(odd, odd))}
    for moment in (-LARGE, 0, LARGE):
        tasks = tuple(HeartbeatTask(text, last_run=moment, params={text: [None, {}]}) for text in TEXTS)
        yield "on_heartbeat", {"expectations": HeartbeatExpectations(tasks, moment)}
    capabilities = fleet.provider.capabilities
    for text in TEXTS[:8]:
        if "snapshots" in capabilities:
            yield "create_snapshot", {"provider_id": text, "options": CreateSnapshotOptions(text, tags={text: text})}
            yield "get_snapshot_status", {"request_id": text}
            yield "delete_snapshot", {"snapshot_id": text}
            yield "get_snapshot_by_name", {"name": text}
        if "spot" in capabilities:
            yield "cancel_spot_request", {"request_id": text}
            yield "get_spot_prices", {"spec": text, "regions": (text,)}


def hostile_answers(fleet: Fleet) -> Iterator[tuple[str, Answer]]:
    """Make all the calls; yields what was asked for in words, and the answer."""
    for changes in hostile_spawns(fleet):
        options = replace(fleet.options(), **changes)
        yield f"spawn with a strange {next(iter(changes))}", fleet.try_spawn(options)
    for method, arguments in hostile_calls(fleet):
        yield f"{method} with strange arguments", fleet.provider.invoke(method, **arguments)
