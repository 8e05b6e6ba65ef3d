"""The parts of the registry interface that every registry shares: configurations, errors, descriptions."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from pydantic import Field, ValidationError

from nomos_contracts.registry.configuration import ProviderConfig, read_config
from nomos_contracts.registry.errors import ERRORS, ErrInvalidConfig, RegistryError
from nomos_contracts.registry.interface import INTERFACE, ProviderInfo, Registry
from nomos_mocks import MockRegistry
from nomos_proto.description import FunctionInfo, InterfaceInfo
from nomos_proto.description import ProviderInfo as Description
from nomos_proto.errors import TABLE, ProviderError, from_status, to_status
from nomos_proto.schema import ConfigError, check_config, check_schema
from nomos_reference import PROVIDERS
from nomos_reference.registry import MemoryRegistry
from nomos_reference.registry.description import from_description, to_description

GOOD = {"provider_name": "acme", "api_key": "s3cr3t-key"}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (2, 2.0),
        (0.25, 0.25),
        ("30s", 30.0),
        ("1m30s", 90.0),
        ("500ms", 0.5),
        ("1h", 3600.0),
        (timedelta(seconds=4), 4.0),
    ],
)
def test_a_duration_is_written_as_seconds_or_as_text(written: Any, seconds: float) -> None:
    made = ProviderConfig.model_validate({**GOOD, "timeout": written})
    assert made.timeout == timedelta(seconds=seconds)
    assert made.flat()["timeout"] == seconds


@pytest.mark.parametrize("written", [0, -1, True, "", "soon", "5", "1m 30s", "s", float("inf"), 1e300, [], {}])
def test_what_is_no_duration_is_refused(written: Any) -> None:
    with pytest.raises(ErrInvalidConfig) as caught:
        read_config("models", "acme", {**GOOD, "timeout": written}, ProviderConfig, {})
    assert caught.value.fields == ("timeout",)


def test_a_secret_is_shown_by_nothing_but_its_own_question() -> None:
    made = ProviderConfig.model_validate(GOOD)
    assert "s3cr3t" not in f"{made!r} {made} {made.model_dump()} {made.model_dump_json()}"
    assert made.api_key is not None
    assert made.api_key.get_secret_value() == made.flat()["api_key"] == "s3cr3t-key"


@pytest.mark.parametrize(
    "config",
    [
        {**GOOD, "timeout": "s3cr3t-key"},
        {**GOOD, "endpoint": ["s3cr3t-key"]},
        {**GOOD, "custom_fields": "s3cr3t-key"},
        {"provider_name": "s3cr3t-key", "api_key": "s3cr3t-key"},
        {**GOOD, "model": "s3cr3t-key"},
    ],
)
def test_a_refusal_shows_no_value(config: Mapping[str, Any]) -> None:
    schema = {"properties": {"model": {"type": "integer"}}}
    with pytest.raises(ErrInvalidConfig) as caught:
        read_config("models", "acme", config, ProviderConfig, schema)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_configuration_cannot_be_changed_and_shares_nothing_with_what_it_was_made_of() -> None:
    given = {**GOOD, "nested": {"list": [1]}}
    made = read_config("models", "acme", given, ProviderConfig, {})
    with pytest.raises(ValidationError):
        made.endpoint = "x"  # type: ignore[misc] # that is the point
    made.custom_fields["nested"]["list"].append(2)
    assert given["nested"] == {"list": [1]}
    flat = made.flat()
    flat["nested"]["list"].clear()
    assert made.custom_fields["nested"] == {"list": [1, 2]}


def test_custom_fields_may_also_be_given_by_their_name() -> None:
    made = ProviderConfig.model_validate({**GOOD, "custom_fields": {"a": 1}, "b": 2})
    assert made.custom_fields == {"a": 1, "b": 2}
    assert ProviderConfig.model_validate(made.flat()) == made


class Model(ProviderConfig):
    requires_api_key = False

    temperature: float = Field(default=1.0, ge=0, le=2)


@pytest.mark.parametrize("kind", [ProviderConfig, Model])
def test_the_schema_of_a_class_takes_what_the_class_takes(kind: type[ProviderConfig]) -> None:
    schema = kind.config_schema()
    check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    cases: list[dict[str, Any]] = [
        GOOD,
        {"provider_name": "acme"},
        {"api_key": "k"},
        {**GOOD, "timeout": 0},
        {**GOOD, "timeout": "1m"},
        {**GOOD, "timeout": "later"},
        {**GOOD, "temperature": 3},
        {**GOOD, "temperature": 0.5, "colour": "red"},
        {**GOOD, "endpoint": ""},
        {**GOOD, "provider_name": ""},
    ]
    for config in cases:
        try:
            kind.model_validate(config)
            taken = True
        except ValidationError:
            taken = False
        assert validator.is_valid(config) is taken, config
    assert "custom_fields" not in schema["properties"]


def test_changing_a_schema_changes_no_class() -> None:
    Model.config_schema()["properties"].clear()
    assert "temperature" in Model.config_schema()["properties"]


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_has_its_code_its_names_and_a_place_in_the_taxonomy(code: str) -> None:
    error = ERRORS[code]("models", "acme", "because", ("endpoint",))
    assert isinstance(error, RegistryError)
    assert isinstance(error, ProviderError)
    assert (error.code, error.package, error.provider_name, error.reason) == (code, "models", "acme", "because")
    assert str(error) == f"{code}: package 'models', provider 'acme': because"
    assert error.registry_error == code
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.fields) == (type(error), str(error), ("endpoint",))
    row = next((row for row in TABLE if row.registry == code), None)
    assert row is None or (row.status, row.category, row.retryable) == (error.status, error.category, error.retryable)


def test_there_are_eight_errors() -> None:
    assert len(ERRORS) == 8
    assert {row.registry for row in TABLE} - {""} <= set(ERRORS)


def test_an_error_survives_the_wire_with_what_it_says() -> None:
    error = ERRORS["ErrProviderExists"]("models", "acme", "choose another name")
    sent = from_status(*to_status(error))
    assert (sent.code, sent.message, sent.provider) == ("ErrProviderExists", str(error), "acme")
    assert sent.details["package"] == "models"


def test_a_description_and_an_info_say_the_same() -> None:
    functions = (FunctionInfo("spawn"), FunctionInfo("list", idempotent=True))
    described = Description(
        "acme", "cloud", "1.2.3", (InterfaceInfo("compute", "1", ("spot", "gpu"), functions),), {"type": "object"}
    )
    info = from_description(described, documentation="A cloud.")
    assert info == ProviderInfo(
        "acme", "cloud", ("gpu", "spot"), {"type": "object"}, ("compute.list", "compute.spawn"), "A cloud."
    )
    back = to_description(info, "compute", version="1.2.3")
    assert (back.name, back.type, back.version, back.config_schema) == ("acme", "cloud", "1.2.3", {"type": "object"})
    assert back.capabilities == ("gpu", "spot")
    assert from_description(back, documentation="A cloud.") == info


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_the_description_of_a_provider_survives_the_way_there_and_back(name: str) -> None:
    provider: Any = PROVIDERS[name]()
    info = from_description(provider.describe())
    assert from_description(to_description(info, "config")) == info


def test_an_info_without_anything_has_its_interface_all_the_same() -> None:
    assert to_description(ProviderInfo("x", "y"), "config").interfaces == (InterfaceInfo("config"),)


def test_the_interface_has_the_operations_and_stays_in_its_process() -> None:
    operations = {"register_provider", "create_provider", "list_providers", "get_provider_info", "unregister_provider"}
    assert operations <= INTERFACE.methods.keys()
    assert not INTERFACE.has_wire_form
    assert INTERFACE.methods["with_store"].capability == "stores"


@pytest.mark.parametrize("made", [MemoryRegistry, MockRegistry])
def test_every_registry_of_ours_is_one(made: Any) -> None:
    registry: Registry = made()
    assert isinstance(registry, Registry)


def test_a_problem_with_a_schema_names_its_fields() -> None:
    schema = {
        "properties": {"a": {"type": "integer"}, "b": {"required": ["c"], "additionalProperties": False}},
        "required": ["d"],
        "additionalProperties": False,
    }
    with pytest.raises(ConfigError) as caught:
        check_config({"a": "x", "b": {"e": 1}, "f": 2}, schema)
    assert set(caught.value.fields) == {"a", "b.c", "b.e", "d", "f"}
    with pytest.raises(ConfigError, match="no JSON Schema"):
        check_schema({"type": "number?"})
