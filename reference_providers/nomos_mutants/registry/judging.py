"""Mutants that judge configurations wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from nomos_contracts.registry.configuration import read_config
from nomos_contracts.registry.errors import ErrInvalidConfig
from nomos_mutants.registry.original import FactoryContext, Original, ProviderConfig, Registration, mutant
from nomos_proto.kinds import is_map


class _Reading(Original):
    """Changes a configuration before it is judged."""

    def before(self, config: dict[str, Any], name: str) -> dict[str, Any]:
        """Return what is judged."""
        return config

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        if is_map(config):
            config = self.before(dict(config), found.name)
        return super()._validated(found, config, schema)


@mutant("REG-CONFIG-001", defect="an empty api_key is good enough")
class EmptyKey(_Reading):
    """Looks only whether the key is there."""

    def before(self, config: dict[str, Any], name: str) -> dict[str, Any]:
        """Put something in its place."""
        return {**config, "api_key": "none"} if config.get("api_key") == "" else config


@mutant(
    "REG-CONFIG-001",
    "tried-first",
    defect="the factory is called before the configuration is judged",
    also=[
        "REG-NEW-002",
        "REG-CONTEXT-005",
        "REG-CONFIG-002",
        "REG-CONFIG-003",
        "REG-CONFIG-005",
        "REG-CONFIG-006",
        "REG-CONFIG-008",
    ],
)
class TriedFirst(Original):
    """Finds out by trying."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        blank = ProviderConfig.model_construct(provider_name=found.name, custom_fields={})
        if hasattr(found.factory, "calls"):
            try:
                found.factory(FactoryContext(), blank)
            except Exception:  # noqa: BLE001 # whatever it raises: it was only tried
                return super()._validated(found, config, schema)
        return super()._validated(found, config, schema)


@mutant("REG-CONFIG-002", defect="true counts as a timeout of one second")
class TrueIsOne(_Reading):
    """Takes a truth value for a number."""

    def before(self, config: dict[str, Any], name: str) -> dict[str, Any]:
        """Make a number of it."""
        return {**config, "timeout": 1} if config.get("timeout") is True else config


@mutant("REG-CONFIG-003", defect="the name in a configuration is overwritten by the one that was asked for")
class NameOverwritten(Original):
    """Believes the argument."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        if isinstance(config, ProviderConfig):
            config = config.flat()
        if is_map(config) and config.get("provider_name"):
            config = {**config, "provider_name": found.name}
        return super()._validated(found, config, schema)


@mutant("REG-CONFIG-004", defect="custom fields that are None are left out")
class NoNone(_Reading):
    """Takes None for absent."""

    def before(self, config: dict[str, Any], name: str) -> dict[str, Any]:
        """Leave them out."""
        return {key: value for key, value in config.items() if value is not None or key in ProviderConfig.model_fields}


@mutant("REG-CONFIG-005", defect="custom fields are not judged by the provider's schema")
class Unjudged(Original):
    """Leaves it to the factory."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        return super()._validated(found, config, {})


@mutant("REG-CONFIG-005", "unknown", defect="custom fields that the provider's schema does not know are let through")
class UnknownFields(Original):
    """Asks for what is missing only."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        return super()._validated(found, config, {**schema, "additionalProperties": True} if schema else schema)


@mutant(
    "REG-CONFIG-006",
    defect="configurations are read into the common class, whatever the package's is",
    also=["REG-CONFIG-008"],
)
class CommonClass(Original):
    """Forgets the class of the package."""

    def registration(self, *args: Any) -> Registration:
        """Change what is registered, or whether."""
        return super().registration(*args[:4], ProviderConfig)


@mutant("REG-CONFIG-007", defect="a configuration is marked as used")
class MarksConfig(Original):
    """Writes into the caller's mapping."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        made = super()._validated(found, config, schema)
        if isinstance(config, dict):
            cast("dict[str, Any]", config)["used"] = True
        return made


@mutant("REG-CONFIG-007", "shared", defect="the factory gets the caller's own nested values")
class SharedValues(Original):
    """Copies the outermost map alone."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        made = super()._validated(found, config, schema)
        if not is_map(config):
            return made
        own = {key: config.get(key, value) for key, value in made.custom_fields.items()}
        return made.model_copy(update={"custom_fields": own})


@mutant("REG-CONFIG-008", defect="a configuration object loses its custom fields")
class BareObject(Original):
    """Copies the fields that it knows."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        made = super()._validated(found, config, schema)
        return made.model_copy(update={"custom_fields": {}}) if isinstance(config, ProviderConfig) else made


@mutant("REG-CONFIG-009", defect="a refusal quotes the configuration")
class QuotesConfig(Original):
    """Says everything it knows."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        try:
            return super()._validated(found, config, schema)
        except ErrInvalidConfig as error:
            reason = f"{error.reason} in {config!r}"
            raise ErrInvalidConfig(found.package, found.name, reason, error.fields) from None


@mutant("REG-CONFIG-009", "chained", defect="the exception that knows the values is the cause of the refusal")
class ChainedValues(Original):
    """Passes on what the reader said."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        try:
            return read_config(found.package, found.name, config, found.config_class, schema)
        except ErrInvalidConfig as error:
            raise error from ValueError(f"cannot read {config!r}")
