"""Configurations: read into the class of the package, judged before anything is made, never changed, never shown."""

from __future__ import annotations

import copy
import traceback
from datetime import timedelta
from typing import Any

from pydantic import Field

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
    info,
    refused,
    registry_of,
)
from nomos_contracts.registry.interface import ProviderConfig, ProviderInfo, Registry, RegistryError
from nomos_contracts.violation import Violation, shorten

SCHEMA = {
    "type": "object",
    "properties": {"model": {"type": "string"}, "depth": {"type": "integer", "minimum": 1}},
    "required": ["model"],
    "additionalProperties": False,
}
"""What a provider of the checks says of its custom fields."""


class ModelConfig(ProviderConfig):
    """The class of a package with fields of its own."""

    requires_api_key = False

    temperature: float = Field(ge=0, le=2)
    stop: tuple[str, ...] = ()


def _refused_field(registry: Registry, factory: Factory, name: str, config: Any, field: str) -> None:
    error = refused("ErrInvalidConfig", registry.create_provider, FIRST, name, config)
    if factory.calls:
        raise Violation("the factory is not called with a bad configuration", f"called although {field} is wrong")
    if field not in str(error):
        raise Violation(f"a message that names {field}", str(error))


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
                _refused_field(registry, factory, "alpha", config, field)
        _refused_field(registry, factory, "alpha", {}, "provider_name")

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
                _refused_field(registry, factory, "alpha", {**flat("alpha"), field: value}, field)
        strangers: tuple[object, ...] = (None, 5, "text", [], object())
        for config in strangers:
            _refused_field(registry, factory, "alpha", config, "configuration")

    @clause("REG-CONFIG-003")
    def test_refuses_the_configuration_of_another_provider(self, nomos_fresh: Subject) -> None:
        """`provider_name` names another one, which exists."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        done(registry.register_provider, FIRST, "beta", Factory())
        for config in (flat("beta"), ProviderConfig(**flat("beta"))):
            _refused_field(registry, factory, "alpha", config, "provider_name")

    @clause("REG-CONFIG-004")
    def test_keeps_other_keys_as_custom_fields(self, nomos_fresh: Subject) -> None:
        """All kinds of values, beside the four common fields."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        custom = {"model": "x-1", "nested": {"list": [1, 2.5, None, {"deep": True}]}, "empty": "", "nothing": None}
        done(registry.create_provider, FIRST, "alpha", flat("alpha", endpoint="e", timeout=2.5, **custom))
        config = factory.config
        secret = "" if config.api_key is None else config.api_key.get_secret_value()
        if (config.provider_name, secret, config.endpoint) != ("alpha", KEY, "e"):
            raise Violation("the common fields as they were given", shorten(config))
        if config.timeout != timedelta(seconds=2.5):
            raise Violation("a timeout of 2.5 seconds", shorten(config.timeout))
        if dict(config.custom_fields) != custom:
            raise Violation(f"custom_fields {custom}", shorten(config.custom_fields))

    @clause("REG-CONFIG-005")
    def test_judges_custom_fields_by_the_providers_schema(self, nomos_fresh: Subject) -> None:
        """One that is missing, one of another type, one that the schema does not know; then a good one."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        said = ProviderInfo("alpha", "kind", config_schema=SCHEMA)
        done(registry.register_provider, FIRST, "alpha", factory, info=said)
        for fields, at in (
            ({}, "model"),
            ({"model": 5}, "model"),
            ({"model": "x", "depth": 0}, "depth"),
            ({"model": "x", "colour": "red"}, "colour"),
        ):
            _refused_field(registry, factory, "alpha", flat("alpha", **fields), at)
        done(registry.create_provider, FIRST, "alpha", flat("alpha", model="x", depth=3))

    @clause("REG-CONFIG-006")
    def test_reads_configurations_into_the_class_of_the_package(self, nomos_fresh: Subject) -> None:
        """A package with a field more, judged by its type and its bounds; no `api_key` there."""
        registry = registry_of(nomos_fresh)
        done(registry.add_package, "models", config_class=ModelConfig)
        factory = Factory()
        done(registry.register_provider, "models", "alpha", factory)
        for wrong in ({}, {"temperature": 3}, {"temperature": "hot"}):
            config = {"provider_name": "alpha", **wrong}
            error = refused("ErrInvalidConfig", registry.create_provider, "models", "alpha", config)
            if factory.calls or "temperature" not in str(error):
                raise Violation("a refusal that names temperature, before the factory", str(error))
        goods: tuple[dict[str, Any], ...] = ({"temperature": 0.5, "colour": "red"}, {"temperature": 0.5, "stop": ["a"]})
        for good in goods:
            done(registry.create_provider, "models", "alpha", {"provider_name": "alpha", **good})
            read = factory.config
            if not isinstance(read, ModelConfig) or read.stop != tuple(good.get("stop", ())):
                raise Violation("a configuration of the package's class", shorten(read))
        done(registry.create_provider, "models", "alpha", ModelConfig(provider_name="alpha", temperature=1))
        schema = info(registry, "models", "alpha").config_schema
        if "temperature" not in schema.get("properties", {}):
            raise Violation("a schema with the field of the package", shorten(schema))

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
        """The factory sees the same either way."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        config = flat("alpha", endpoint="e", timeout="1m30s", model="x")
        done(registry.create_provider, FIRST, "alpha", dict(config))
        done(registry.create_provider, FIRST, "alpha", ProviderConfig.model_validate(config))
        got = [config for _, config in factory.calls]
        if len(got) != 2 or got[0] != got[1]:
            raise Violation("the factory gets the same both times", shorten(got))

    @clause("REG-CONFIG-009")
    def test_shows_no_secret(self, nomos_fresh: Subject) -> None:
        """In the errors of bad configurations, of failing factories, and in what a configuration looks like."""
        registry = registry_of(nomos_fresh)

        def leak(ctx: Any, config: Any) -> Product:
            raise PermissionError(f"the key {config.api_key.get_secret_value()} was refused")

        done(registry.register_provider, FIRST, "alpha", leak)
        done(registry.register_provider, SECOND, "beta", factory := Factory())
        for config in (flat("alpha", timeout="soon"), {**flat("alpha"), "api_key": [KEY]}):
            error = refused("ErrInvalidConfig", registry.create_provider, FIRST, "alpha", config)
            _without_secret("".join(traceback.format_exception(error, chain=True)))
        error = refused("ErrProviderCreationFailed", registry.create_provider, FIRST, "alpha", flat("alpha"))
        _without_secret(f"{error} {error!r} {error.details}")
        done(registry.create_provider, SECOND, "beta", flat("beta"))
        _without_secret(f"{factory.config!r} {factory.config}")


def _without_secret(text: str) -> None:
    if KEY in text:
        raise Violation("the value of api_key appears nowhere", text.replace(KEY, "<the value of api_key>")[-400:])


class ErrorContract(Contract):
    """A failure says which of the eight it is, of which package, of which provider.

    Raise the classes of `nomos_contracts.registry.errors`; they carry all three and say them.
    """

    @clause("REG-ERROR-001")
    def test_knows_no_package_that_nobody_added(self, nomos_fresh: Subject) -> None:
        """Each of the five operations, with a package that is not there, whatever else is wrong."""
        registry = registry_of(nomos_fresh)
        done(registry.register_provider, FIRST, "alpha", Factory())
        nothing: Any = None
        for package in ("nowhere", FIRST.upper(), ""):
            refused("ErrPackageNotFound", registry.register_provider, package, "alpha", Factory())
            refused("ErrPackageNotFound", registry.register_provider, package, "", nothing)
            refused("ErrPackageNotFound", registry.create_provider, package, "alpha", flat("alpha"))
            refused("ErrPackageNotFound", registry.create_provider, package, "alpha", {})
            refused("ErrPackageNotFound", registry.list_providers, package)
            refused("ErrPackageNotFound", registry.get_provider_info, package, "alpha")
            refused("ErrPackageNotFound", registry.unregister_provider, package, "alpha")

    @clause("REG-ERROR-002")
    def test_knows_no_provider_that_nobody_registered(self, nomos_fresh: Subject) -> None:
        """Creating one and asking for its info, also with a configuration that is wrong."""
        registry = registry_of(nomos_fresh)
        done(registry.register_provider, FIRST, "alpha", Factory())
        for name in ("beta", "ALPHA", "alph", ""):
            refused("ErrProviderNotFound", registry.get_provider_info, FIRST, name)
            refused("ErrProviderNotFound", registry.create_provider, FIRST, name, flat(name))
            refused("ErrProviderNotFound", registry.create_provider, FIRST, name, {})

    @clause("REG-ERROR-003")
    def test_names_package_and_provider(self, nomos_fresh: Subject) -> None:
        """In six errors that every registry can be brought to, as attributes and in the message."""
        registry = registry_of(nomos_fresh)
        done(registry.register_provider, FIRST, "alpha", Factory(failure=ValueError("no")))
        nothing: Any = None
        provoked: dict[str, tuple[Any, ...]] = {
            "ErrPackageNotFound": (registry.get_provider_info, "nowhere", "alpha"),
            "ErrProviderNotFound": (registry.get_provider_info, FIRST, "beta"),
            "ErrProviderExists": (registry.register_provider, FIRST, "alpha", Factory()),
            "ErrInvalidFactory": (registry.register_provider, FIRST, "gamma", nothing),
            "ErrInvalidConfig": (registry.create_provider, FIRST, "alpha", {}),
            "ErrProviderCreationFailed": (registry.create_provider, FIRST, "alpha", flat("alpha")),
        }
        for code, (operation, package, name, *rest) in provoked.items():
            found = attempt(operation, package, name, *rest)
            error = found.error
            if not isinstance(error, RegistryError):
                raise Violation(f"{found.what} raises {code}", found.words)
            if error.package != package or (error.provider_name != name and code != "ErrPackageNotFound"):
                names = (error.package, error.provider_name)
                raise Violation(f"{code} of {package!r} and {name!r}", f"one of {names}")
            silent = [part for part in (error.code, package, error.provider_name) if part not in str(error)]
            if silent:
                raise Violation(f"a message of {code} that names {', '.join(silent)}", str(error))
