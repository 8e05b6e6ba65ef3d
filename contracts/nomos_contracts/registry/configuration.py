"""The configuration of a provider: common fields, fields of its package, and all others as custom fields."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Self, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from nomos_contracts.registry.errors import ErrInvalidConfig
from nomos_proto.kinds import is_map
from nomos_proto.schema import ConfigError, check_config

CUSTOM: Final = "custom_fields"

_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")


def _duration(value: Any) -> timedelta:
    """Return a duration given as seconds, as ``1m30s`` or as a timedelta; it is longer than nothing."""
    if isinstance(value, str):
        parts = _PART.findall(value)
        if not parts or "".join(number + unit for number, unit in parts) != value:
            raise ValueError("must be a number of seconds, or a duration like 1m30s")
        value = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            value = timedelta(seconds=value)
        except (OverflowError, ValueError):
            raise ValueError("is out of range") from None
    if not isinstance(value, timedelta):
        raise ValueError("must be a number of seconds, or a duration like 1m30s")  # noqa: TRY004 # pydantic's way
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": _PART.pattern}]}
    ),
]
"""A duration: seconds as a number, a string such as ``1m30s``, or a timedelta."""


class ProviderConfig(BaseModel):
    """The configuration that a factory gets; a package extends it by fields of its own in a subclass.

    The flat form, as it stands in a settings file, is a mapping: keys that are no field are custom fields.

    Attributes:
        provider_name: name of the provider in its package.
        api_key: the secret of the provider; never shown. Required unless the class says otherwise.
        endpoint: where the provider's service is.
        timeout: how long one operation of the provider may take.
        custom_fields: what neither this class nor that of the package knows; the provider's schema judges it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    requires_api_key: ClassVar[bool] = True
    """Whether a configuration without `api_key` is refused; a package without secrets sets it to False."""

    provider_name: str = Field(min_length=1)
    api_key: SecretStr | None = Field(default=None, min_length=1)
    endpoint: str | None = Field(default=None, min_length=1)
    timeout: Duration | None = None
    custom_fields: Mapping[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _collect_the_rest(cls, data: Any) -> Any:
        if not is_map(data):
            return data
        given = data.get(CUSTOM, {})
        if not is_map(given):
            return data  # its type is complained about below
        custom = copy.deepcopy(dict(given))
        known = {key: copy.deepcopy(value) for key, value in data.items() if key in cls.model_fields and key != CUSTOM}
        custom |= {key: copy.deepcopy(value) for key, value in data.items() if key not in cls.model_fields}
        return {**known, CUSTOM: custom}

    @model_validator(mode="after")
    def _has_its_key(self) -> Self:
        if self.requires_api_key and self.api_key is None:
            raise ValueError("api_key is required and was not given")
        return self

    def flat(self) -> dict[str, Any]:
        """Return the flat form, secrets included: absent fields are left out, durations are seconds."""
        found: dict[str, Any] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name == CUSTOM or value is None:
                continue
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            elif isinstance(value, timedelta):
                value = value.total_seconds()
            found[name] = copy.deepcopy(value)
        return {**copy.deepcopy(dict(self.custom_fields)), **found}

    @classmethod
    def config_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the flat form."""
        schema: dict[str, Any] = json.loads(_schema_text(cls))
        return schema


@cache
def _schema_text(config_class: type[ProviderConfig]) -> str:
    """Return the JSON Schema of a class: made once, since it takes a millisecond."""
    schema = config_class.model_json_schema()
    required = [*schema.get("required", []), *(["api_key"] if config_class.requires_api_key else [])]
    more = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": {name: one for name, one in schema.get("properties", {}).items() if name != CUSTOM},
        "required": sorted(set(required)),
        "additionalProperties": True,
    }
    return json.dumps({**schema, **more})


COMMON: Final = frozenset(ProviderConfig.model_fields)
"""The fields that every configuration has; a provider's schema need not know them."""


def read_config(
    package: str,
    provider_name: str,
    config: object,
    config_class: type[ProviderConfig],
    schema: Mapping[str, Any],
) -> ProviderConfig:
    """Return *config* as the class of its package, after every check; what was given is not changed.

    Args:
        package: name of the package.
        provider_name: name of the provider that is to be made.
        config: the flat form, or a configuration of any class.
        config_class: the class of the package or of the provider.
        schema: the provider's own schema, which judges what is not common to all; empty where it has none.

    Raises:
        ErrInvalidConfig: naming each field at fault, and no value.
    """
    if isinstance(config, ProviderConfig):
        config = config.flat()
    if not is_map(config) or not all(isinstance(key, str) for key in cast("Mapping[object, Any]", config)):
        raise ErrInvalidConfig(package, provider_name, "the configuration must be a mapping with strings as keys")
    try:
        made = config_class.model_validate(dict(config))
    except ValidationError as error:
        problems = dict(_problems(error))
        reason = "; ".join(f"{field}: {problem}" for field, problem in problems.items())
    except (TypeError, RecursionError):
        problems = {CUSTOM: "cannot be copied"}
        reason = "a value of the configuration cannot be copied"
    else:
        _check_name(made, package, provider_name)
        _check_schema(made, schema, package, provider_name)
        return made
    # Outside of the handler: the exception that pydantic raised knows the values.
    raise ErrInvalidConfig(package, provider_name, reason, problems)


def _problems(error: ValidationError) -> Iterator[tuple[str, str]]:
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        message = problem["msg"].removeprefix("Value error, ")
        field = ".".join(str(part) for part in problem["loc"])
        if not field:
            field, _, message = message.partition(" ")
        yield field, message


def _check_name(config: ProviderConfig, package: str, provider_name: str) -> None:
    if config.provider_name != provider_name:
        reason = "provider_name: differs from the provider that was asked for"
        raise ErrInvalidConfig(package, provider_name, reason, ("provider_name",))


def _check_schema(config: ProviderConfig, schema: Mapping[str, Any], package: str, provider_name: str) -> None:
    if not schema:
        return
    known = {*schema.get("properties", {}), *schema.get("required", ())}
    judged = {key: value for key, value in config.flat().items() if key not in COMMON or key in known}
    problem = None
    try:
        check_config(judged, schema)
    except ConfigError as error:
        problem = (str(error), error.fields)
    if problem is not None:
        raise ErrInvalidConfig(package, provider_name, *problem)
