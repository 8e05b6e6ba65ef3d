"""Validating a configuration against its JSON Schema before any provider sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

SHOWN = 5


class ConfigError(ValueError):
    """A configuration that does not fit its schema, or a schema that is none.

    Attributes:
        problems: one sentence for each problem, naming the key and never its value.
        fields: the key of each problem, empty where it is about the whole.
    """

    def __init__(self, message: str, problems: tuple[str, ...] = (), fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems
        self.fields = fields


def check_config(config: Mapping[str, Any], schema: Mapping[str, Any] | str) -> None:
    """Check *config* against *schema* (draft 2020-12 unless it names another; a mapping or its JSON).

    Raises:
        ConfigError: it does not fit; each problem names its key.
    """
    import jsonschema
    from jsonschema import validators

    if isinstance(schema, str):
        try:
            schema = cast("Mapping[str, Any]", json.loads(schema))
        except ValueError as error:
            raise ConfigError(f"the schema of the configuration is no JSON: {error}") from error
    kind: Any = validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
        found: list[Any] = sorted(kind(schema).iter_errors(_plain(config)), key=_place)
    except jsonschema.SchemaError as error:
        raise ConfigError(f"the schema of the configuration is no JSON Schema: {error.message}") from error
    except Exception as error:  # a reference that cannot be resolved has a private exception type
        raise ConfigError(f"the schema of the configuration cannot be used: {error}") from error
    problems = tuple(_sentence(error) for error in found)
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        fields = tuple(_field(error) for error in found)
        message = "the configuration does not fit its schema: " + "; ".join(problems[:SHOWN]) + more
        raise ConfigError(message, problems, fields)


def _plain(value: Any) -> Any:
    """Return mappings and sequences as the dicts and lists that the validator knows."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[Any]", value)]
    return value


def check_schema(schema: Mapping[str, Any]) -> None:
    """Return if *schema* is a JSON Schema (draft 2020-12 unless it names another).

    Raises:
        ConfigError: it is none.
    """
    import jsonschema
    from jsonschema import validators

    kind: Any = validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ConfigError(f"the schema of the configuration is no JSON Schema: {error.message}") from error


def _place(error: Any) -> list[str]:
    return [str(key) for key in error.absolute_path]


def _where(error: Any) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.absolute_path).removeprefix(".")


def _field(error: Any) -> str:
    where = _where(error)
    if error.validator == "required":
        return ".".join(filter(None, (where, _missing(error))))
    if error.validator == "additionalProperties":
        return ".".join(filter(None, (where, _unknown(error)[0])))
    return where


def _missing(error: Any) -> str:
    return str(next(key for key in error.validator_value if key not in error.instance))


def _unknown(error: Any) -> list[str]:
    return sorted(set(error.instance) - set(error.schema.get("properties", {})))


def _sentence(error: Any) -> str:
    """Say what is wrong with which key, without the value, which may be a secret."""
    where = _where(error)
    place = where or "the configuration"
    if error.validator == "required":
        return f"{where + '.' if where else ''}{_missing(error)} is missing"
    if error.validator == "type":
        wanted = error.validator_value
        names = wanted if isinstance(wanted, str) else " or ".join(wanted)
        return f"{place} is {_json_type(error.instance)}, {names} is wanted"
    if error.validator == "additionalProperties":
        return f"{place} has keys that the schema does not know: {', '.join(_unknown(error))}"
    if error.validator == "enum":
        return f"{place} is none of {', '.join(json.dumps(item) for item in error.validator_value)}"
    return f"{place} breaks the rule {error.validator}: {json.dumps(error.validator_value, default=str)[:100]}"


def _json_type(value: Any) -> str:
    for kind, name in (
        (bool, "boolean"),
        (str, "string"),
        (int, "integer"),
        (float, "number"),
        (dict, "object"),
        (list, "array"),
    ):
        if isinstance(value, kind):
            return name
    return "null"
