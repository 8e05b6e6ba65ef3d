"""Mutants that read configurations wrongly: what a factory gets is not what its caller gave."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from nomos_contracts.registry.errors import ErrInvalidConfig
from nomos_mutants.registry.original import FactoryContext, Original, ProviderConfig, Registration, mutant
from nomos_proto.kinds import is_map


@mutant("REG-CONFIG-003", "case", defect="the name in a configuration is compared without case")
class NameInAnyCase(Original):
    """Thinks that nobody would call two providers alike."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        if isinstance(config, ProviderConfig):
            config = config.flat()
        if is_map(config) and str(config.get("provider_name")).lower() == found.name.lower():
            config = {**config, "provider_name": found.name}
        return super()._validated(found, config, schema)


@mutant("REG-CONFIG-004", "json", defect="custom fields are copied by way of JSON: tuples become lists, numbers texts")
class CopiedByJson(Original):
    """Copies what it can, as it can."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        made = super()._validated(found, config, schema)
        try:
            copied = json.loads(json.dumps(dict(made.custom_fields)))
        except TypeError:
            copied = json.loads(json.dumps(dict(made.custom_fields), default=str))
        return made.model_copy(update={"custom_fields": copied})


@mutant("REG-CONFIG-004", "beside", defect="what stands under custom_fields is lost where other keys stand beside it")
class OneOrTheOther(Original):
    """Knows two forms and no third one."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        if is_map(config) and set(config) - set(found.config_class.model_fields):
            config = {key: value for key, value in config.items() if key != "custom_fields"}
        return super()._validated(found, config, schema)


@mutant("REG-CONFIG-005", "beside-class", defect="where the package has a class of its own, no schema is asked")
class ClassAlone(Original):
    """Takes the class for enough."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        return super()._validated(found, config, schema if found.config_class is ProviderConfig else {})


def _without_depth(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return *schema* with nothing said about what is inside of maps and lists."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    flat = {name: one if {"type", "enum"} & set(one) else {} for name, one in properties.items()}
    bare = {name: {key: value for key, value in one.items() if key != "items"} for name, one in flat.items()}
    return {**schema, "properties": bare}


@mutant("REG-CONFIG-005", "nested", defect="what is inside of maps and lists is not judged")
class OutermostAlone(Original):
    """Looks at the first level."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        return super()._validated(found, config, _without_depth(schema) if schema else schema)


@mutant("REG-CONFIG-005", "truth", defect="true counts as a number where the schema wants one")
class TruthIsNumber(Original):
    """Judges by the types of Python, where a bool is an int."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        if isinstance(config, ProviderConfig):
            config = config.flat()
        if is_map(config) and schema:
            numbers = {key: int(value) for key, value in config.items() if isinstance(value, bool)}
            return super()._validated(found, {**config, **numbers}, schema)
        return super()._validated(found, config, schema)


@mutant("REG-CONFIG-005", "again", defect="the registration is looked up again after its configuration was judged")
class LooksAgain(Original):
    """Trusts that nothing changes meanwhile."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        return super()._make(self._find(found.package, found.name), context, config)


@mutant("REG-CONFIG-006", "registration", defect="the class of a registration is not looked at, only the package's")
class PackageClassAlone(Original):
    """Knows one class for each package."""

    def registration(self, *args: Any) -> Registration:
        """Take the class of the package."""
        return super().registration(*args[:4], self._config_class(args[0]))


@mutant("REG-CONFIG-008", "dict", defect="a mapping that is no dict is refused")
class DictsAlone(Original):
    """Asks for a type and not for what it can."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        if is_map(config) and not isinstance(config, dict):
            raise ErrInvalidConfig(found.package, found.name, "the configuration must be a dict")
        return super()._validated(found, config, schema)


@mutant("REG-CONFIG-008", "seconds", defect="the timeout of a configuration object is rounded up to whole seconds")
class WholeSeconds(Original):
    """Reads an object by a way of its own."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        made = super()._validated(found, config, schema)
        if isinstance(config, ProviderConfig) and made.timeout is not None:
            whole = timedelta(seconds=math.ceil(made.timeout.total_seconds()))
            return made.model_copy(update={"timeout": whole})
        return made


@mutant("REG-CONFIG-009", "schema", defect="a refusal by the schema of a provider quotes what was judged")
class QuotesJudged(Original):
    """Helps to find the mistake."""

    def _validated(self, found: Registration, config: object, schema: Mapping[str, Any]) -> ProviderConfig:
        made = super()._validated(found, config, {})
        if schema:
            try:
                return super()._validated(found, config, schema)
            except ErrInvalidConfig as error:
                reason = f"{error.reason} in {made.flat()}"
            raise ErrInvalidConfig(found.package, found.name, reason)
        return made
