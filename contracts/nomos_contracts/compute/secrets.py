"""Secrets: calls that are refused in every way, and carry what no failure may show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nomos_contracts.compute.fleet import Fleet
from nomos_contracts.compute.hostile import SECRET, hostile_spawns, secret_bootstrap
from nomos_contracts.compute.interface import INTERFACE, SpotOptions
from nomos_contracts.compute.malformed import GATES, adopt, malformed
from nomos_contracts.compute.refusals import refused_scripts, refused_spawns
from nomos_contracts.faces import WireFace
from nomos_contracts.provider import Answer
from nomos_proto.kinds import is_map


def shows(answer: Answer, secret: str) -> bool:
    """Whether a failure shows *secret*."""
    return secret in answer.message or secret in repr(answer.details)


def secret_answers(fleet: Fleet) -> Iterator[Answer]:
    """Yield answers of calls whose token and variables are secrets: bad values, and over the wire bad shapes."""
    provider = fleet.provider
    for changes in (*hostile_spawns(fleet), *refused_spawns(fleet)):
        secret = secret_bootstrap(changes.get("bootstrap"))
        yield fleet.try_spawn(**{**changes, "bootstrap": secret})
        if "bootstrap" in changes:
            yield provider.invoke("generate_bootstrap", cfg=secret)
    for script in refused_scripts():
        yield provider.invoke("generate_bootstrap", cfg=secret_bootstrap(script))
    if isinstance(provider, WireFace):
        yield from _misshapen(fleet, provider)


def _misshapen(fleet: Fleet, provider: WireFace) -> Iterator[Answer]:
    options = fleet.options(bootstrap=secret_bootstrap())
    calls: dict[str, dict[str, Any]] = {
        "generate_bootstrap": {"cfg": options.bootstrap},
        "spawn": {"options": options},
    }
    if "spot" in provider.capabilities:
        # A spec that there is not, so that nothing comes of it.
        bad = replace(options, spec=f"no-{fleet.name()}")
        calls["request_spot_instance"] = {"options": SpotOptions(bad, max_spot_price=1e-9)}
    gated = [name for name, flag in GATES.items() if flag not in provider.capabilities]
    for name, arguments in calls.items():
        method = INTERFACE.methods[name]
        plain = method.plain(arguments)
        spoiled = [one for _, _, one in malformed(method, plain, gated)]
        for one in (*spoiled, *_spoiled_secrets(plain)):
            answer = provider.running.call(name, one, interface=INTERFACE.name)
            if answer.ok and is_map(answer.value):
                adopt(fleet, name, answer.value)
            yield answer


def _spoiled_secrets(plain: Any) -> Iterator[Any]:
    """Yield *plain* with a secret of another kind in place of one."""
    if not is_map(plain):
        return
    for name, value in plain.items():
        wrong: list[Any] = []
        if name == "registration_token":
            wrong = [[SECRET], SECRET.encode(), {"token": SECRET}]
        elif name == "environment":
            wrong = [SECRET, [SECRET], {"A": [SECRET]}, {"A": {"B": SECRET}}, {"A": SECRET.encode()}]
        yield from ({**plain, name: one} for one in (*wrong, *_spoiled_secrets(value)))
