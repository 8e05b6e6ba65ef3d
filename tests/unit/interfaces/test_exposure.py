from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from nomos_contracts.exposure import ServedInterface
from nomos_proto.calls import describe, functions_of
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, HealthStatus, SupportsInterfaces
from parcels import INTERFACE, Office, served


def start(provider: ServedInterface, config: Mapping[str, Any]) -> None:
    provider.init("alias", config, "", context=CallContext(5))


def test_it_is_made_by_init_and_ended_by_shutdown() -> None:
    made: list[Office] = []

    def make(config: Mapping[str, Any]) -> Office:
        made.append(Office(config))
        return made[-1]

    provider = ServedInterface(make, INTERFACE, name="office", type="office", version="1.0.0")
    assert provider.health().status is HealthStatus.STARTING
    start(provider, {"capacity": 1})
    assert provider.health().status is HealthStatus.OK
    assert provider.info().alias == "alias"
    start(provider, {"capacity": 2})
    assert [one.closed for one in made] == [True, False], "the earlier one is ended when the new one is there"
    provider.shutdown()
    provider.shutdown()
    assert made[1].closed
    with pytest.raises(ProviderError) as caught:
        start(provider, {"capacity": 3})
    assert caught.value.code == "INVALID_STATE"


def test_a_refused_configuration_leaves_the_provider_as_it_was() -> None:
    provider = served()
    start(provider, {"capacity": 1})
    with pytest.raises(ProviderError, match="capacity"):
        start(provider, {})
    assert provider.health().status is HealthStatus.OK
    provider.shutdown()


def test_a_factory_may_be_a_coroutine() -> None:
    async def make(config: Mapping[str, Any]) -> Office:
        return Office(config)

    provider = ServedInterface(make, INTERFACE, name="office", type="office", version="1.0.0")
    start(provider, {"capacity": 1})
    assert provider.health().status is HealthStatus.OK
    provider.shutdown()


def test_a_factory_that_hangs_costs_the_deadline() -> None:
    async def make(config: Mapping[str, Any]) -> Office:
        import asyncio

        await asyncio.sleep(60)
        return Office(config)

    provider = ServedInterface(make, INTERFACE, name="office", type="office", version="1.0.0")
    with pytest.raises(ProviderError) as caught:
        provider.init("alias", {}, "", context=CallContext(0.05))
    assert caught.value.code == "TIMEOUT_ERROR"


def test_before_init_calls_are_refused_and_functions_are_known() -> None:
    provider = served()
    assert isinstance(provider, SupportsInterfaces)
    with pytest.raises(ProviderError) as caught:
        functions_of(provider, "parcels")["count"].run({}, CallContext(1))
    assert caught.value.code == "INVALID_STATE"


def test_describe_lists_what_the_object_has() -> None:
    provider = served()
    start(provider, {"capacity": 1})
    found = {one.name: one for one in describe(provider).interfaces}
    assert found["parcels"].capabilities == ("returns",)
    assert {one.name for one in found["parcels"].functions} == set(INTERFACE.methods) - {"insure"}
    assert {one.name for one in found["parcels"].functions if one.streaming} == {"each", "each_in_time"}
    assert "config" in found
    provider.shutdown()


def test_an_interface_that_is_not_served_is_refused() -> None:
    with pytest.raises(ProviderError, match='interface "agent" not supported'):
        functions_of(served(), "agent")


def test_there_is_nothing_to_fetch() -> None:
    provider = served()
    with pytest.raises(ProviderError) as before:
        provider.fetch(["a"], context=CallContext(1))
    assert before.value.code == "INVALID_STATE"
    start(provider, {"capacity": 1})
    for path, code in ((["a"], "NOT_FOUND"), ([], "INVALID_SPEC"), (["a", ""], "INVALID_SPEC")):
        with pytest.raises(ProviderError) as caught:
            provider.fetch(path, context=CallContext(1))
        assert caught.value.code == code
    provider.shutdown()
