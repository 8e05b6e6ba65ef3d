"""Configurations: read into the class of the package, judged before anything is made, never changed, never shown."""

from __future__ import annotations

import copy
import threading
import traceback
from collections import ChainMap, OrderedDict, UserDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.registry.bench import (
    FIRST,
    KEY,
    SECOND,
    Factory,
    Product,
    Subject,
    attempt,
    done,
    flat,
    refused,
    refused_config,
    registry_of,
)
from nomos_contracts.registry.interface import FactoryContext, ProviderConfig, ProviderInfo, Registry
from nomos_contracts.registry.judging import SCHEMA, WRONG, ModelConfig
from nomos_contracts.violation import Violation, shorten


class _Reader(Mapping[str, Any]):
    """A mapping that can be read and nothing else, as one over a file or a service is."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


_MAPPINGS: tuple[Callable[[dict[str, Any]], Mapping[str, Any]], ...] = (
    dict,
    OrderedDict,
    UserDict,
    MappingProxyType,
    lambda values: ChainMap({}, values),
    _Reader,
)
"""Kinds of mappings in which a configuration comes."""


class ConfigurationContract(Contract):
    """A configuration is judged as a whole before a factory sees it.

    Read it into the config class of the provider or of its package, judge the rest by the provider's own schema, and
    answer ErrInvalidConfig with the names of the fields.
    """

    @clause("REG-CONFIG-001")
    def test_refuses_a_configuration_without_a_required_field(self, nomos_fresh: Subject) -> None:
        """Without `provider_name`, without `api_key`, each empty, and nothing at all."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        for field in ("provider_name", "api_key"):
            without = {key: value for key, value in flat("alpha").items() if key != field}
            for config in (without, {**without, field: ""}, {**without, field: None}):
                refused_config(registry, factory, FIRST, "alpha", config, field)
        refused_config(registry, factory, FIRST, "alpha", {}, "provider_name")

    @clause("REG-CONFIG-002")
    def test_refuses_fields_of_another_type(self, nomos_fresh: Subject) -> None:
        """Each common field with values of other types, and what is no mapping at all."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        wrong: dict[str, list[Any]] = {
            "api_key": [5, ["key"]],
            "endpoint": [5, {}],
            "timeout": ["soon", [], True, -1, 0],
            "custom_fields": [5, "text"],
        }
        for field, values in wrong.items():
            for value in values:
                refused_config(registry, factory, FIRST, "alpha", {**flat("alpha"), field: value}, field)
        strangers: tuple[object, ...] = (None, 5, "text", [], object())
        for config in strangers:
            refused_config(registry, factory, FIRST, "alpha", config)  # there is no field to name

    @clause("REG-CONFIG-003")
    def test_refuses_the_configuration_of_another_provider(self, nomos_fresh: Subject) -> None:
        """`provider_name` names another one, which exists, or almost this one."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        done(registry.register_provider, FIRST, "beta", Factory())
        for name in ("beta", "ALPHA", "Alpha", "alphA", "alph", "alphabet", "x.alpha", "alpha.x", "alpha-1"):
            for config in (flat(name), ProviderConfig.model_validate(flat(name))):
                refused_config(registry, factory, FIRST, "alpha", config, "provider_name")

    @clause("REG-CONFIG-004")
    def test_keeps_other_keys_as_custom_fields(self, nomos_fresh: Subject) -> None:
        """All kinds of values, beside the four common fields."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        custom: dict[str, Any] = {
            "model": "x-1",
            "nested": {"list": [1, 2.5, None, {"deep": True}], "none": {}},
            "empty": "",
            "nothing": None,
            "off": False,
            "pair": (1, ("two", [])),
            "numbered": {1: "one", "2": "two"},
            "day": date(2026, 2, 28),
            "raw": b"\x00\xff",
            "huge": 2**70,
            "Mixed.Case-Größe": "ß",
        }
        done(registry.create_provider, FIRST, "alpha", flat("alpha", endpoint="e", timeout=2.5, **custom))
        config = factory.config
        secret = "" if config.api_key is None else config.api_key.get_secret_value()
        if (config.provider_name, secret, config.endpoint) != ("alpha", KEY, "e"):
            raise Violation("the common fields as they were given", shorten(config))
        if config.timeout != timedelta(seconds=2.5):
            raise Violation("a timeout of 2.5 seconds", shorten(config.timeout))
        if dict(config.custom_fields) != custom:
            raise Violation(f"custom_fields {custom}", shorten(config.custom_fields))

    @clause("REG-CONFIG-004")
    def test_keeps_custom_fields_that_come_as_such(self, nomos_fresh: Subject) -> None:
        """Under `custom_fields`, beside it, and both at once."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        under, beside = {"model": "x-1", "nested": {"deep": [1]}}, {"colour": "red", "sizes": [1, 2]}
        for config, wanted in (
            (flat("alpha", custom_fields=under), under),
            (flat("alpha", **beside), beside),
            (flat("alpha", custom_fields=under, **beside), {**under, **beside}),
            (flat("alpha", custom_fields={}, **beside), beside),
        ):
            done(registry.create_provider, FIRST, "alpha", config)
            if dict(factory.config.custom_fields) != wanted:
                raise Violation(f"custom_fields {wanted}", shorten(factory.config.custom_fields))

    @clause("REG-CONFIG-007")
    def test_changes_nothing_of_what_it_was_given(self, nomos_fresh: Subject) -> None:
        """A mapping with nested values, and a factory that changes what it gets."""
        registry = registry_of(nomos_fresh)

        def spoil(ctx: Any, config: Any) -> Product:
            config.custom_fields["nested"]["list"].append("spoilt")
            config.custom_fields["more"] = 1
            return Product("spoilt")

        done(registry.register_provider, FIRST, "alpha", spoil)
        config = flat("alpha", nested={"list": [1, 2]}, timeout="1m30s")
        before = copy.deepcopy(config)
        made = ProviderConfig.model_validate(config)
        for given in (config, made):
            attempt(registry.create_provider, FIRST, "alpha", given)  # a registry may give what cannot be changed
            if config != before or made != ProviderConfig.model_validate(before):
                raise Violation("a configuration that is as it was", shorten(config))

    @clause("REG-CONFIG-008")
    def test_takes_a_configuration_object_as_it_takes_a_mapping(self, nomos_fresh: Subject) -> None:
        """The factory sees the same from an object and from every kind of mapping, however the timeout is said."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        common = flat("alpha", endpoint="e", model="x", nested={"list": [1, {"none": None}]})
        for timeout in ("1m30s", "250ms", 0.25, 7, timedelta(hours=30, milliseconds=1), None):
            config = common if timeout is None else {**common, "timeout": timeout}
            kinds = [kind(config) for kind in _MAPPINGS]
            _same_from_all(registry, factory, FIRST, [*kinds, ProviderConfig.model_validate(config)])

    @clause("REG-CONFIG-008")
    def test_takes_a_configuration_object_for_a_class_of_the_package(self, nomos_fresh: Subject) -> None:
        """Of that class, and of the common one, which has the package's field among its custom fields."""
        registry = registry_of(nomos_fresh)
        done(registry.add_package, "models", config_class=ModelConfig)
        factory = Factory()
        done(registry.register_provider, "models", "alpha", factory)
        config = flat("alpha", timeout=0.25, temperature=0.5, stop=["a"], colour="red")
        objects = [kind.model_validate(config) for kind in (ModelConfig, ProviderConfig)]
        _same_from_all(registry, factory, "models", [config, *objects])

    @clause("REG-CONFIG-009")
    def test_shows_no_secret(self, nomos_fresh: Subject) -> None:
        """In the errors of failing factories, and in what a configuration looks like."""
        registry = registry_of(nomos_fresh)

        def leak(ctx: Any, config: Any) -> Product:
            key = config.api_key.get_secret_value()
            raise PermissionError(f"the key {key} was refused\nas {key}: {{'api_key': {key!r}}}")

        done(registry.register_provider, FIRST, "alpha", leak)
        done(registry.register_provider, SECOND, "beta", factory := Factory())
        error = refused("ErrProviderCreationFailed", registry.create_provider, FIRST, "alpha", flat("alpha"))
        _without_secret(f"{error} {error!r} {error.args} {error.reason} {error.details}")
        done(registry.create_provider, SECOND, "beta", flat("beta"))
        _without_secret(f"{factory.config!r} {factory.config}")

    @clause("REG-CONFIG-009")
    def test_shows_no_secret_of_what_it_refuses(self, nomos_fresh: Subject) -> None:
        """Refused by each of those who judge: the common fields, the name, the schema, the class, the context."""
        registry = registry_of(nomos_fresh)
        done(registry.add_package, "models", config_class=ModelConfig)
        keyed = {"type": "string", "pattern": "^sk-"}
        schemas: dict[str, dict[str, Any]] = {
            "judged": SCHEMA,
            "keyed": {**SCHEMA, "properties": {**SCHEMA["properties"], "api_key": keyed}},
        }
        for name, schema in schemas.items():
            said = ProviderInfo(name, "kind", config_schema=schema)
            done(registry.register_provider, FIRST, name, Factory(), info=said)
        for package in (FIRST, "models"):
            done(registry.register_provider, package, "plain", Factory())
        late = FactoryContext(0.0)
        refusals: list[tuple[str, str, object, FactoryContext | None]] = [
            (FIRST, "plain", flat("plain", timeout="soon"), None),
            (FIRST, "plain", flat("plain", endpoint=5, custom_fields="x"), None),
            (FIRST, "plain", {**flat("plain"), "api_key": [KEY]}, None),
            (FIRST, "plain", {"api_key": KEY}, None),
            (FIRST, "plain", flat("other"), None),
            (FIRST, "plain", ProviderConfig.model_validate(flat("other")), None),
            (FIRST, "plain", flat("plain", lock=threading.Lock()), None),
            (FIRST, "plain", flat("plain"), late),
            (FIRST, "nobody", flat("nobody"), None),
            ("nowhere", "plain", flat("plain"), None),
            ("models", "plain", flat("plain", temperature="hot"), None),
            ("models", "plain", flat("plain", temperature=3), None),
            (FIRST, "keyed", flat("keyed", model="x"), None),
            *((FIRST, "judged", flat("judged", **fields), None) for fields, _ in WRONG),
            (FIRST, "judged", ProviderConfig.model_validate(flat("judged", model=5)), None),
        ]
        for package, name, config, ctx in refusals:
            found = attempt(registry.create_provider, package, name, config, ctx=ctx)
            if found.error is not None:  # whether it is refused is the subject of other clauses
                _without_secret("".join(traceback.format_exception(found.error, chain=True)))
                _without_secret(f"{found.error!r} {vars(found.error)}")


def _same_from_all(registry: Registry, factory: Factory, package: str, configs: Sequence[object]) -> None:
    """Return if *factory* sees the same from each of *configs*, the first of which is a dict.

    Raises:
        Violation: it does not.
    """
    first: ProviderConfig | None = None
    calls = len(factory.calls)
    for number, given in enumerate(configs, 1):
        done(registry.create_provider, package, "alpha", given)
        first = first or factory.config
        if factory.config != first or len(factory.calls) != calls + number:
            raise Violation(f"the same from {type(given).__name__} as from a dict", shorten((factory.config, first)))


def _without_secret(text: str) -> None:
    if KEY in text:
        raise Violation("the value of api_key appears nowhere", text.replace(KEY, "<the value of api_key>")[-400:])
