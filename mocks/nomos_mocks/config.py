"""The mock of the configuration interface: values in memory."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from nomos_contracts.functions import interface_of
from nomos_contracts.registry.interface import FactoryContext, ProviderConfig
from nomos_mocks.mock import Mock, MockError
from nomos_proto.description import ProviderInfo
from nomos_proto.errors import ProviderError
from nomos_proto.kinds import is_map
from nomos_proto.provider import CallContext, ConfigService, Health, HealthStatus
from nomos_reference.config.limits import Limits
from nomos_reference.config.provider import ConfigProvider
from nomos_reference.config.settings import Settings, invalid
from nomos_reference.config.walk import walk

INTERFACE = interface_of("config", ConfigService)


class _Values:
    """Values in memory."""

    def __init__(self, values: Mapping[str, Any], limits: Limits) -> None:
        self._values = copy.deepcopy(dict(values))
        self._limits = limits

    @property
    def limits(self) -> Limits:
        """Its limits."""
        return self._limits

    def fetch(self, path: Sequence[str], context: CallContext) -> Any:
        """Return the value at *path*."""
        context.check()
        return copy.deepcopy(walk(self._values, path))

    def health(self) -> Health:
        """Return that all is well."""
        return Health(HealthStatus.OK)


class _InMemory(ConfigProvider):
    """What the mock does when nobody tells it otherwise."""

    type: ClassVar[str] = "mock"
    properties: ClassVar[Mapping[str, Any]] = {
        "document": {"type": "string", "description": "What Fetch answers from: the JSON of a map."},
        "values": {"type": "object", "description": "The same as a map, in place of `document`."},
        "script": {"type": "array", "items": {"type": "object"}, "description": "What the mock is told to do."},
    }
    required: ClassVar[tuple[str, ...]] = ()

    def __init__(self, mock: MockConfig) -> None:
        super().__init__()
        self._mock = mock

    def open(self, settings: Settings, context: CallContext) -> _Values:  # noqa: ARG002 # the interface's
        """Return the values of the setting `document` or `values`; take the scripts of `script`."""
        values = settings.take("values")
        if values is None:
            values = _parsed(settings.text("document"))
        if not is_map(values):
            raise invalid("values", "must be a map")
        script, limits = settings.take("script"), settings.limits()
        settings.finish()
        try:
            self._mock.script([] if script is None else script)
        except MockError as error:
            raise invalid("script", str(error).removeprefix("script: ")) from error
        return _Values(values, limits)


def _parsed(document: str) -> Mapping[str, Any]:
    try:
        values: object = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise invalid("document", "must be the JSON of a map") from error
    if not is_map(values):
        raise invalid("document", "must be the JSON of a map")
    return values


if TYPE_CHECKING:
    # A type checker sees the methods that the class gets from its interface.
    class _Base(Mock, _InMemory): ...
else:
    _Base = Mock


class MockConfig(_Base, interface=INTERFACE):
    """A configuration provider with values in memory: ``MockConfig({"app": {"name": "bookshop"}})``.

    With values it is ready for use; without them it waits for its Init, whose configuration has them under ``values``,
    or as JSON under ``document``.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, *, alias: str = "mock") -> None:
        """Hold *values* under *alias*."""
        Mock.__init__(self, _InMemory(self))
        if values is not None:
            self.hold(values, alias=alias)

    def hold(self, values: Mapping[str, Any], *, alias: str = "mock") -> None:
        """Answer from *values* from now on; this is no call that is recorded.

        Raises:
            ProviderError: INVALID_SPEC; they cannot be held.
        """
        self._provider.init(alias, {"values": values}, "", context=CallContext())

    def get(self, *path: str) -> Any:
        """Return what Fetch answers for *path*, with a deadline of its own.

        Raises:
            ProviderError: as `fetch`.
        """
        return self.fetch(path, context=CallContext(30.0))

    def describe(self) -> ProviderInfo:
        """Return what the provider is."""
        found: ProviderInfo = self._provider.describe()
        return found


def new_mock(ctx: FactoryContext, config: ProviderConfig) -> MockConfig:
    """Make a mock as the registry does: ``config/mock``.

    Raises:
        ProviderError: the configuration cannot be used.
    """
    mock = MockConfig()
    if config.custom_fields:
        mock.init(config.provider_name, config.custom_fields, "", context=ctx)
    return mock


__all__ = ["INTERFACE", "MockConfig", "ProviderError", "new_mock"]
