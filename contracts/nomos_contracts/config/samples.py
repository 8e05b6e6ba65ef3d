"""Samples of the configuration interface."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from nomos_proto.kinds import is_list, is_map
from nomos_proto.structs import is_exact

Segments = tuple[str, ...]


class _Sample(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _from_json(cls, data: Any) -> Any:
        """Take `json = "…"` for `value`: TOML has no null."""
        if not isinstance(data, dict):
            return data
        table = cast("dict[str, Any]", data)
        if "json" not in table:
            return table
        if "value" in table:
            raise ValueError("give either value or json")
        rest = {key: item for key, item in table.items() if key != "json"}
        try:
            return {**rest, "value": json.loads(table["json"])}
        except RecursionError as error:
            raise ValueError("json: it is nested too deeply") from error
        except (TypeError, ValueError) as error:
            raise ValueError(f"json: {error}") from error


def _servable(value: Any) -> Any:
    """Return *value*; where the protocol cannot carry it, no provider can keep to it.

    Numbers of `google.protobuf.Struct` are doubles, and its JSON form has neither infinities nor NaN.

    Raises:
        ValueError: no answer can hold it.
    """
    if is_map(value):
        for item in value.values():
            _servable(item)
    elif is_list(value):
        for item in value:
            _servable(item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"the protocol cannot carry {value}; give what Fetch answers")
    elif isinstance(value, int) and not is_exact(value):
        raise ValueError(f"the protocol cannot carry {value}: its numbers are doubles; give what Fetch answers")
    elif not isinstance(value, bool | int | float | str | None):
        raise ValueError(f"the protocol has no {type(value).__name__}; write it as Fetch answers it, as a string")
    return value


Servable = Annotated[Any, AfterValidator(_servable)]
"""What an answer can hold."""


class ValueSample(_Sample):
    """A path and exactly the value that Fetch answers for it."""

    path: Segments
    value: Servable


class BadConfig(_Sample):
    """A configuration that Init refuses, and the key that its message names."""

    config: dict[str, Any]
    key: str = ""


class OtherConfig(_Sample):
    """A second good configuration, and a path whose value differs under it."""

    config: dict[str, Any]
    path: Segments
    value: Servable


class RelativeConfig(_Sample):
    """A configuration whose relative paths start at the folder of `source_file_path`."""

    config: dict[str, Any]
    source_file_path: str
    path: Segments
    value: Servable


class ConfigSamples(BaseModel):
    """What the author tells about a configuration provider; see each field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: tuple[ValueSample, ...] = Field(
        default=(),
        description="Paths that exist and exactly the values that Fetch answers; the more kinds of values the better.",
        json_schema_extra={
            "declinable": False,
            "lines": '[[samples.values]]\npath = ["database", "host"]\nvalue = "localhost"',
        },
    )
    missing: tuple[Segments, ...] = Field(
        default=(),
        description="Paths that are well formed and do not exist (without it the kit makes one up).",
        json_schema_extra={"declinable": False, "lines": '[samples]\nmissing = [["no", "such", "key"]]'},
    )
    required_keys: tuple[str, ...] = Field(
        default=(),
        description="Keys of the Init configuration without which Init must refuse.",
        json_schema_extra={"declinable": True, "lines": '[samples]\nrequired_keys = ["directory"]'},
    )
    bad_configs: tuple[BadConfig, ...] = Field(
        default=(),
        description="Configurations that Init refuses with INVALID_ARGUMENT, each with the key at fault.",
        json_schema_extra={
            "declinable": True,
            "lines": '[[samples.bad_configs]]\nconfig = { directory = 5 }\nkey = "directory"',
        },
    )
    unavailable: tuple[BadConfig, ...] = Field(
        default=(),
        description="Well-formed configurations whose dependency is not there: Init refuses with FAILED_PRECONDITION.",
        json_schema_extra={
            "declinable": True,
            "lines": '[[samples.unavailable]]\nconfig = { directory = "/no/such/folder" }\nkey = "directory"',
        },
    )
    other_config: OtherConfig | None = Field(
        default=None,
        description="A second good configuration and a path whose value differs under it.",
        json_schema_extra={
            "declinable": True,
            "lines": '[samples.other_config]\nconfig = { directory = "./other" }\npath = ["name"]\nvalue = "other"',
        },
    )
    relative: RelativeConfig | None = Field(
        default=None,
        description="A configuration with a relative path that starts at the folder of source_file_path.",
        json_schema_extra={
            "declinable": True,
            "lines": '[samples.relative]\nconfig = { directory = "settings" }\nsource_file_path = "./app.csl"\n'
            'path = ["name"]\nvalue = "app"',
        },
    )
    slow: tuple[Segments, ...] = Field(
        default=(),
        description="Paths whose Fetch takes longer than two seconds (a slow source, a FIFO).",
        json_schema_extra={"declinable": True, "lines": '[samples]\nslow = [["slow", "report"]]'},
    )
    forbidden: tuple[Segments, ...] = Field(
        default=(),
        description="Paths that exist and that the provider may not read: PERMISSION_DENIED.",
        json_schema_extra={"declinable": True, "lines": '[samples]\nforbidden = [["secret", "key"]]'},
    )
    malformed: tuple[Segments, ...] = Field(
        default=(),
        description="Paths that exist and whose source cannot be parsed.",
        json_schema_extra={"declinable": True, "lines": '[samples]\nmalformed = [["broken"]]'},
    )
    secret_keys: tuple[str, ...] = Field(
        default=(),
        description="Keys of the Init configuration whose values are secret; they may appear nowhere.",
        json_schema_extra={"declinable": True, "lines": '[samples]\nsecret_keys = ["token"]'},
    )
    degraded: BadConfig | None = Field(
        default=None,
        description="A configuration that Init accepts and under which Health reports STATUS_DEGRADED.",
        json_schema_extra={
            "declinable": True,
            "lines": '[samples.degraded]\nconfig = { url = "http://127.0.0.1:9" }',
        },
    )
    version: str = Field(
        default="",
        description="The version that was built and that Info must report.",
        json_schema_extra={"declinable": False, "lines": '[samples]\nversion = "1.2.3"'},
    )
