"""Mocks do what a correct provider does, remember what was asked of them, and fail as they are told."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nomos_contracts.compute.interface import BootstrapConfig, SpawnOptions
from nomos_contracts.functions import interface_of
from nomos_contracts.registry.interface import ErrProviderCreationFailed, ErrProviderExists, SupportsStores
from nomos_mocks import Mock, MockCompute, MockConfig, MockError, MockRegistry
from nomos_proto.errors import ProviderError
from nomos_proto.provider import CallContext, ConfigService, HealthStatus, SupportsDescribe
from nomos_reference.compute.memory import MemoryProvider

VALUES = {"app": {"name": "bookshop", "hosts": ["a", "b", "c"], "limits": {"x": 1, "y": 2}}}
MOCKS: dict[str, Callable[[], Mock]] = {
    "config": lambda: MockConfig(VALUES),
    "compute": MockCompute,
    "registry": lambda: MockRegistry("config"),
}


def order(number: int = 1) -> SpawnOptions:
    return SpawnOptions(
        spec="small",
        control_id="control",
        instance_id=number,
        bootstrap=BootstrapConfig(agent_url="http://a", control_plane_url="http://c", registration_token="t"),
    )


@pytest.fixture(params=sorted(MOCKS))
def mock(request: pytest.FixtureRequest) -> Mock:
    return MOCKS[request.param]()


def test_a_mock_has_every_method_of_its_interface(mock: Mock) -> None:
    assert [name for name in mock.interface.methods if not callable(getattr(mock, name, None))] == []


def test_scripts_name_methods_of_the_interface_only(mock: Mock) -> None:
    method = next(iter(mock.interface.methods))
    code = "ErrRegistryAccessFailed" if isinstance(mock, MockRegistry) else "NETWORK_ERROR"
    wrong: list[Callable[[], Any]] = [
        lambda: mock.fail("spwan", code),
        lambda: mock.delay("spwan", 1),
        lambda: mock.answer("spwan", 1),
        lambda: mock.cut("spwan", 1),
        lambda: mock.calls_of("spwan"),
        lambda: mock.fail(method, "NO_SUCH_CODE"),
        lambda: mock.fail(method, code, times=0),
        lambda: mock.fail(method, code, skip=-1),
        lambda: mock.delay(method, -1),
        lambda: mock.delay(method, float("inf")),
        lambda: mock.cut(method, -1),
    ]
    for tell in wrong:
        with pytest.raises(MockError):
            tell()


def test_a_call_that_the_method_would_not_take_is_refused_and_not_recorded() -> None:
    mock = MockConfig(VALUES)
    for call in (
        lambda: mock.fetch(["app"], contxt=CallContext()),  # type: ignore[call-arg]
        lambda: mock.fetch(["app"], [], context=CallContext()),  # type: ignore[call-arg]
        lambda: mock.fetch(context=CallContext()),  # type: ignore[call-arg]
        lambda: mock.info("alias"),  # type: ignore[call-arg]
    ):
        with pytest.raises(TypeError):
            call()
    assert mock.calls == ()


def test_what_is_no_method_is_no_attribute_and_nothing_is_overwritten(mock: Mock) -> None:
    with pytest.raises(AttributeError):
        _ = mock.no_such_method
    for name in (next(iter(mock.interface.methods)), "no_such_method"):
        with pytest.raises(AttributeError, match="tell a mock what to do"):
            setattr(mock, name, lambda: None)


def test_a_call_is_recorded_with_its_arguments_by_name_and_how_it_ended() -> None:
    mock = MockConfig(VALUES)
    context = CallContext(5.0)
    assert mock.fetch(["app", "name"], context=context) == "bookshop"
    with pytest.raises(ProviderError):
        mock.fetch(path=["nobody"], context=context)
    first, second = mock.calls_of("fetch")
    assert (first.method, first.arguments) == ("fetch", {"path": ["app", "name"], "context": context})
    assert (first.answer, first.error, first.done) == ("bookshop", None, True)
    assert second.arguments["path"] == ["nobody"]
    assert isinstance(second.error, ProviderError)
    assert second.error.code == "NOT_FOUND"


def test_a_failure_comes_as_often_as_told_and_after_as_many_calls() -> None:
    mock = MockConfig(VALUES)
    mock.fail("fetch", "NETWORK_ERROR", times=2, skip=1, message="cable cut", retry_after=1.5)
    seen: list[str] = []
    for _ in range(5):
        try:
            seen.append(mock.get("app", "name"))
        except ProviderError as error:
            seen.append(f"{error.code} {error.category} {error.message} {error.retry_after} {error.retryable}")
    failure = "NETWORK_ERROR network cable cut 1.5 True"
    assert seen == ["bookshop", failure, failure, "bookshop", "bookshop"]
    assert mock.health().status is HealthStatus.OK


def test_a_failure_without_a_number_lasts_until_the_reset() -> None:
    mock = MockConfig(VALUES)
    mock.fail("fetch", "AUTH_ERROR")
    for _ in range(3):
        with pytest.raises(ProviderError):
            mock.get("app")
    mock.reset()
    assert mock.calls == ()
    assert mock.get("app", "name") == "bookshop"


def test_failures_of_one_method_come_one_after_the_other() -> None:
    mock = MockConfig(VALUES)
    mock.fail("fetch", "RATE_LIMIT_ERROR", times=1)
    mock.fail("fetch", "AUTH_ERROR", times=1)
    codes: list[str] = []
    for _ in range(2):
        with pytest.raises(ProviderError) as caught:
            mock.get("app")
        codes.append(caught.value.code)
    assert codes == ["RATE_LIMIT_ERROR", "AUTH_ERROR"]
    assert mock.get("app", "name") == "bookshop"


def test_answers_are_replaced_and_lists_and_maps_are_cut() -> None:
    mock = MockConfig(VALUES)
    mock.cut("fetch", 1, times=2)
    assert mock.get("app", "hosts") == ["a"]
    assert mock.get("app", "limits") == {"x": 1}
    assert mock.get("app", "hosts") == ["a", "b", "c"]
    mock.answer("fetch", 42, times=1)
    assert mock.get("app") == 42
    mock.cut("fetch", 1)
    with pytest.raises(MockError, match="has no items"):
        mock.get("app", "name")


def test_a_delay_ends_with_the_deadline_of_its_caller() -> None:
    mock = MockConfig(VALUES)
    mock.delay("fetch", 60.0)
    with pytest.raises(ProviderError) as caught:
        mock.fetch(["app"], context=CallContext(0.05))
    assert caught.value.code == "TIMEOUT_ERROR"
    context = CallContext(60.0)
    threading.Timer(0.05, context.cancel).start()
    with pytest.raises(ProviderError) as caught:
        mock.fetch(["app"], context=context)
    assert caught.value.code == "CANCELLED"


def test_a_delay_takes_its_time_and_then_the_work_is_done() -> None:
    mock = MockConfig(VALUES)
    mock.delay("fetch", 0.05, times=1)
    began = time.monotonic()
    assert mock.get("app", "name") == "bookshop"
    assert time.monotonic() - began >= 0.05


def test_a_lost_answer_leaves_its_effect() -> None:
    mock = MockCompute(capabilities=["idempotent_spawn"])
    mock.fail("spawn", "NETWORK_ERROR", times=1, worked=True)

    async def story() -> tuple[int, str, str]:
        with pytest.raises(ProviderError):
            await mock.spawn(order())
        (first,) = await mock.list()
        again = await mock.spawn(order())
        return len(list(await mock.list())), first.id, again.id

    count, first, again = asyncio.run(story())
    assert count == 1
    assert first == again


def test_an_asynchronous_method_is_scripted_and_recorded_like_any_other() -> None:
    mock = MockCompute()
    mock.fail("spawn", "CAPACITY_ERROR", times=2)

    async def story() -> list[str]:
        codes: list[str] = []
        for _ in range(3):
            try:
                await mock.spawn(order())
            except ProviderError as error:
                codes.append(error.code)
        mock.cut("list", 0, times=1)
        assert list(await mock.list()) == []
        assert len(list(await mock.list())) == 1
        mock.delay("list", 60.0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(mock.list(), 0.05)
        return codes

    assert asyncio.run(story()) == ["CAPACITY_ERROR", "CAPACITY_ERROR"]
    assert [call.done for call in mock.calls_of("spawn")] == [True, True, True]
    assert isinstance(mock.calls[-1].error, asyncio.CancelledError)


def test_the_mock_of_a_registry_fails_with_the_errors_of_a_registry() -> None:
    mock = MockRegistry("config")
    mock.register_provider("config", "acme", lambda ctx, config: "made")
    mock.fail("create_provider", "ErrProviderCreationFailed", times=1, message="no luck")
    config = {"provider_name": "acme", "api_key": "k"}
    with pytest.raises(ErrProviderCreationFailed, match="package 'config', provider 'acme': no luck"):
        mock.create_provider("config", "acme", config)
    assert mock.create_provider("config", "acme", config) == "made"
    with pytest.raises(ErrProviderExists):
        mock.package("config").register_global("acme", lambda ctx, config: "again")
    assert [call.method for call in mock.calls][-2:] == ["package", "register_provider"]


def test_mocks_are_what_their_interfaces_ask_for() -> None:
    assert isinstance(MockConfig(), SupportsDescribe)
    assert isinstance(MockRegistry(), SupportsStores)
    for name in ("init", "fetch", "info", "health", "shutdown"):
        assert inspect.isfunction(getattr(MockConfig, name))


def test_a_mock_whose_interface_clashes_with_mocks_is_refused() -> None:
    class Clash:
        def fail(self) -> None: ...

    with pytest.raises(TypeError, match="a method of mocks themselves"):
        type("MockClash", (Mock,), {}, interface=interface_of("clash", Clash))


def test_the_state_of_two_mocks_is_apart() -> None:
    first, second = MockRegistry("config"), MockRegistry("config")
    first.register_provider("config", "acme", lambda ctx, config: "made")
    first.fail("list_providers", "ErrRegistryAccessFailed")
    assert second.list_providers("config") == []


def test_a_compute_mock_behaves_as_the_memory_provider_does() -> None:
    mock = MockCompute()
    assert mock.capabilities == MemoryProvider().capabilities
    registration = mock.registration()
    assert registration.provider is mock
    assert registration.hooks is mock


def test_scripts_come_with_a_configuration_too() -> None:
    mock = MockConfig()
    script = [{"method": "fetch", "code": "NETWORK_ERROR", "times": 1}, {"method": "fetch", "count": 1}]
    mock.init("settings", {"values": VALUES, "script": script}, "", context=CallContext())
    with pytest.raises(ProviderError):
        mock.get("app")
    assert mock.get("app", "hosts") == ["a"]


@pytest.mark.parametrize(
    "script",
    [
        5,
        "fetch",
        [5],
        [{}],
        [{"method": "fetch"}],
        [{"code": "AUTH_ERROR"}],
        [{"method": "fetch", "code": "AUTH_ERROR", "count": 1}],
        [{"method": "fetch", "code": "AUTH_ERROR", "often": 1}],
        [{"method": "fetsch", "code": "AUTH_ERROR"}],
    ],
)
def test_a_configuration_with_a_script_that_cannot_be_is_refused(script: Any) -> None:
    with pytest.raises(ProviderError) as caught:
        MockConfig().init("settings", {"values": VALUES, "script": script}, "", context=CallContext())
    assert caught.value.code == "INVALID_SPEC"
    assert "script" in caught.value.message


@pytest.mark.parametrize("config", [{}, {"values": 5}, {"document": "[]"}, {"document": "{"}, {"values": {}, "x": 1}])
def test_a_configuration_without_values_is_refused(config: Any) -> None:
    mock = MockConfig()
    with pytest.raises(ProviderError) as caught:
        mock.init("settings", config, "", context=CallContext())
    assert caught.value.code == "INVALID_SPEC"


def test_a_mock_is_served_as_a_binary(tmp_path: Path) -> None:
    from pytest_nomos.host import Launch, Limits, ProviderHost, Setup

    limits = Limits(announce=60.0, call=60.0)
    script = [{"method": "fetch", "code": "CAPACITY_ERROR", "times": 1}]
    setup = Setup(alias="settings", config={"document": json.dumps(VALUES), "script": script})
    with ProviderHost(limits, tmp_path, pings=False) as host:
        start = host.start(Launch(command=(sys.executable, "-m", "nomos_mocks", "config")), "mock", setup)
        assert start.provider is not None, start.error
        assert start.provider.init().ok
        assert start.provider.fetch(("app", "name")).code == "RESOURCE_EXHAUSTED"
        assert start.provider.fetch(("app", "name")).value == "bookshop"


@pytest.mark.parametrize(("words", "said"), [(["registry"], "cannot be served"), (["x"], "usage"), ([], "usage")])
def test_what_cannot_be_served_says_so(words: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nomos_mocks", *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert said in done.stderr


def test_a_config_mock_is_a_config_service_for_a_type_checker() -> None:
    service: ConfigService = MockConfig(VALUES)
    assert service.info().type == "mock"
