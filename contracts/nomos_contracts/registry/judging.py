"""Judging: what the schema of a provider and the class of its configurations say of a configuration."""

from __future__ import annotations

import threading
from typing import Any, Final

from pydantic import Field

from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.registry.bench import (
    FIRST,
    PATIENCE,
    SECOND,
    Factory,
    Subject,
    attempt,
    attempt_here,
    done,
    flat,
    info,
    refused_config,
    registry_of,
)
from nomos_contracts.registry.interface import ProviderConfig, ProviderInfo
from nomos_contracts.violation import Violation, shorten

MEANWHILE: Final = 0.3
"""Seconds that a provider has to be replaced while its configuration is read."""

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "model": {"type": "string", "pattern": "^[a-z]"},
        "depth": {"type": "integer", "minimum": 1},
        "share": {"type": "number", "maximum": 1},
        "size": {"enum": ["small", "large"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "disk": {"$ref": "#/$defs/disk"},
        "disks": {"type": "array", "items": {"$ref": "#/$defs/disk"}},
    },
    "required": ["model"],
    "additionalProperties": False,
    "$defs": {
        "disk": {
            "type": "object",
            "properties": {"room": {"type": "integer"}, "of": {"properties": {"maker": {"type": "string"}}}},
            "required": ["room"],
            "additionalProperties": False,
        }
    },
}
"""What a provider of the checks says of its custom fields."""

WRONG: Final[tuple[tuple[dict[str, Any], tuple[str, ...]], ...]] = (
    ({}, ("model",)),
    ({"model": 5}, ("model",)),
    ({"model": None}, ("model",)),
    ({"model": "X"}, ("model",)),
    ({"model": "x", "depth": 0}, ("depth",)),
    ({"model": "x", "depth": True}, ("depth",)),
    ({"model": "x", "depth": "3"}, ("depth",)),
    ({"model": "x", "depth": 1.5}, ("depth",)),
    ({"model": "x", "share": False}, ("share",)),
    ({"model": "x", "share": 2}, ("share",)),
    ({"model": "x", "size": "medium"}, ("size",)),
    ({"model": "x", "tags": "a"}, ("tags",)),
    ({"model": "x", "tags": ["a", 5]}, ("tags",)),
    ({"model": "x", "disk": {"room": "wide"}}, ("disk", "room")),
    ({"model": "x", "disk": {}}, ("disk", "room")),
    ({"model": "x", "disk": {"room": 1, "kind": "fast"}}, ("disk", "kind")),
    ({"model": "x", "disk": {"room": 1, "of": {"maker": 5}}}, ("disk", "maker")),
    ({"model": "x", "disks": [{"room": 1}, {"room": True}]}, ("disks", "room")),
    ({"model": "x", "colour": "red"}, ("colour",)),
)
"""Custom fields that the schema refuses, and what a message may call the place."""

GOOD: Final[tuple[dict[str, Any], ...]] = (
    {"model": "x"},
    {"model": "x", "depth": 3, "share": 0.5, "size": "large", "tags": ["a"], "disk": {"room": 1}, "disks": []},
)


class ModelConfig(ProviderConfig):
    """The class of a package with fields of its own."""

    requires_api_key = False

    temperature: float = Field(ge=0, le=2)
    stop: tuple[str, ...] = ()


class TunedConfig(ProviderConfig):
    """The class of configurations with one field more, which has a default."""

    tune: int = 1


class JudgingContract(Contract):
    """A provider says by a schema and by a class what its configurations are, and both are believed.

    Read the configuration into the class of the registration, else of its package, then judge custom fields and the
    fields of the class by the registration's own schema, with a validator of JSON Schema.
    """

    @clause("REG-CONFIG-005")
    def test_judges_custom_fields_by_the_providers_schema(self, nomos_fresh: Subject) -> None:
        """Each wrong in one thing: missing, unknown, of another type, out of bounds, deep inside; then good ones."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        said = ProviderInfo("alpha", "kind", config_schema=SCHEMA)
        done(registry.register_provider, FIRST, "alpha", factory, info=said)
        for fields, at in WRONG:
            config = flat("alpha", **fields)
            refused_config(registry, factory, FIRST, "alpha", config, *at)
            refused_config(registry, factory, FIRST, "alpha", ProviderConfig.model_validate(config), *at)
        for fields in GOOD:
            done(registry.create_provider, FIRST, "alpha", flat("alpha", **fields))

    @clause("REG-CONFIG-005")
    def test_judges_by_the_providers_schema_beside_a_class(self, nomos_fresh: Subject) -> None:
        """A class of configurations, of the package or of the registration, does not take the schema's place."""
        registry = registry_of(nomos_fresh)
        done(registry.add_package, "tuned", config_class=TunedConfig)
        schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "tune": {"type": "integer", "maximum": 10}}}
        said = ProviderInfo("alpha", "kind", config_schema=schema)
        for package, config_class in (("tuned", None), (FIRST, TunedConfig)):
            factory = Factory()
            done(registry.register_provider, package, "alpha", factory, info=said, config_class=config_class)
            for fields, at in (*WRONG, ({"model": "x", "tune": 11}, ("tune",))):
                refused_config(registry, factory, package, "alpha", flat("alpha", **fields), *at)
            for fields in GOOD:
                done(registry.create_provider, package, "alpha", flat("alpha", tune=10, **fields))

    @clause("REG-CONFIG-005")
    def test_judges_by_the_schema_of_the_factory_that_it_calls(self, nomos_fresh: Subject) -> None:
        """The provider is replaced by one with a stricter schema, while a configuration of the old one is read."""
        registry = registry_of(nomos_fresh)
        reading, replaced = threading.Event(), threading.Event()

        class Slow(ProviderConfig):
            def model_post_init(self, context: Any) -> None:
                if not reading.is_set():
                    reading.set()
                    replaced.wait(MEANWHILE)

        strict = Factory("strict")

        def replace() -> None:
            reading.wait(PATIENCE)
            attempt_here(registry.unregister_provider, FIRST, "alpha")
            said = ProviderInfo("alpha", "strict", config_schema=SCHEMA)
            attempt_here(registry.register_provider, FIRST, "alpha", strict, info=said)
            replaced.set()

        done(registry.register_provider, FIRST, "alpha", Factory("loose"), config_class=Slow)
        replacer = threading.Thread(target=replace, name="registry-check-replace", daemon=True)
        replacer.start()
        attempt(registry.create_provider, FIRST, "alpha", flat("alpha"))
        reading.set()
        replacer.join(PATIENCE)
        if strict.calls:
            raise Violation("no factory gets what its own schema refuses", "the one that came meanwhile did")

    @clause("REG-CONFIG-006")
    def test_reads_configurations_into_the_class_of_the_package(self, nomos_fresh: Subject) -> None:
        """A package with a field more, judged by its type and its bounds; no `api_key` there."""
        registry = registry_of(nomos_fresh)
        done(registry.add_package, "models", config_class=ModelConfig)
        factory = Factory()
        done(registry.register_provider, "models", "alpha", factory)
        for wrong in ({}, {"temperature": 3}, {"temperature": "hot"}):
            config = {"provider_name": "alpha", **wrong}
            refused_config(registry, factory, "models", "alpha", config, "temperature")
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

    @clause("REG-CONFIG-006")
    def test_reads_configurations_into_the_class_of_the_registration(self, nomos_fresh: Subject) -> None:
        """One provider with a class of its own, beside one with that of the package."""
        registry = registry_of(nomos_fresh)
        own, common = Factory(), Factory()
        done(registry.register_provider, SECOND, "own", own, config_class=ModelConfig)
        done(registry.register_provider, SECOND, "common", common)
        refused_config(registry, own, SECOND, "own", {"provider_name": "own"}, "temperature")
        done(registry.create_provider, SECOND, "own", {"provider_name": "own", "temperature": 0.5})
        done(registry.create_provider, SECOND, "common", flat("common", temperature="hot"))
        if not isinstance(own.config, ModelConfig) or isinstance(common.config, ModelConfig):
            raise Violation("each configuration of its provider's class", shorten((own.config, common.config)))
        shown = [info(registry, SECOND, name).config_schema.get("properties", {}) for name in ("own", "common")]
        if "temperature" not in shown[0] or "temperature" in shown[1]:
            raise Violation(
                "the field of the one provider in its schema alone", shorten([sorted(one) for one in shown])
            )
