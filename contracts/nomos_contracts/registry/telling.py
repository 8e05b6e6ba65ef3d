"""Listing and describing: what a registry tells, and that it tells it to each caller anew."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, cast

import jsonschema

from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.registry.bench import (
    FIRST,
    Factory,
    Subject,
    attempt,
    done,
    flat,
    info,
    names,
    registry_of,
    same_names,
)
from nomos_contracts.registry.interface import ProviderInfo, Registry
from nomos_contracts.violation import Violation, shorten

INFO = ProviderInfo(
    "alpha",
    "kind",
    ("snapshots", "spot"),
    {"type": "object", "properties": {"model": {"enum": ["x"]}}},
    ("compute.list", "compute.spawn"),
    "What a person should know.",
)


_DEEP: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "description": "  Two  spaces,\n\ttabs and ünïcode. ",
    "properties": {
        "Model": {"enum": ["x", "X", "", None, 1.5, False]},
        "disk": {"type": "object", "properties": {"room": {"type": ["integer", "null"], "default": None}}},
    },
    "examples": [{"Model": "x"}, []],
}
INFOS = (
    INFO,
    ProviderInfo("alpha", "Mixed-Kind", config_schema=_DEEP, documentation="  Indented.\n\n    code\n\n"),
    ProviderInfo("alpha", "kind", ("b", "a", "B"), {"type": "object"}, ("z.y", "a.b"), "\n"),
    ProviderInfo("alpha", "kind", tuple(f"c{n:03}" for n in range(40)), {"type": "object"}, (), "line\n" * 400),
    ProviderInfo(
        "alpha", "kind", config_schema={"type": "object", "title": ""}, documentation="<b>ünïcode</b> & \u2028 \t"
    ),
)
"""Infos that a registry could be tempted to tidy up."""


@dataclass
class _Describing(Factory):
    """A factory that describes what it makes.

    Attributes:
        said: what it says at the moment.
    """

    said: ProviderInfo = INFO

    def provider_info(self) -> ProviderInfo:
        """Return that."""
        return self.said


class ListingContract(Contract):
    """A list is what there is at that moment, and the caller's own."""

    @clause("REG-LIST-001")
    def test_lists_nothing_where_nothing_is(self, nomos_fresh: Subject) -> None:
        """A package without providers answers an empty list."""
        registry = registry_of(nomos_fresh)
        listed = names(registry, FIRST)
        if listed:
            raise Violation("an empty list", shorten(listed))

    @clause("REG-LIST-002")
    def test_gives_each_caller_a_list_of_his_own(self, nomos_fresh: Subject) -> None:
        """Changed by the caller in every way, before and after a registration."""
        registry = registry_of(nomos_fresh)
        done(registry.register_provider, FIRST, "alpha", Factory())
        listed = done(registry.list_providers, FIRST)
        if type(listed) is not list:
            raise Violation("a list", type(listed).__name__)
        done(registry.register_provider, FIRST, "beta", Factory())
        if listed != ["alpha"]:
            raise Violation("a list that stays as it was", shorten(listed))
        listed = done(registry.list_providers, FIRST)
        listed.clear()
        listed.append("stranger")
        same_names(registry, FIRST, "alpha", "beta")
        packages = done(registry.list_packages)
        packages.clear()
        if FIRST not in done(registry.list_packages):
            raise Violation("packages that stay when the list of them is changed", "they are gone")

    @clause("REG-LIST-003")
    def test_lists_in_the_order_of_registration(self, nomos_fresh: Subject) -> None:
        """Ten names that no sorting would give in that order."""
        registry = registry_of(nomos_fresh)
        order = [f"n{number * 7 % 10}" for number in range(10)]
        for name in order:
            done(registry.register_provider, FIRST, name, Factory())
        listed = names(registry, FIRST)
        if list(listed) != order:
            raise Violation(f"{order}", shorten(listed))


class InfoContract(Contract):
    """An info says what a provider is: as it was registered, else what can be known of it.

    Keep what was given, derive the schema from the config class, and hand out copies.
    """

    @clause("REG-INFO-001")
    def test_tells_what_was_registered(self, nomos_fresh: Subject) -> None:
        """All six fields, to the letter, and again after another one took the name."""
        registry = registry_of(nomos_fresh)
        for given in INFOS:
            done(registry.register_provider, FIRST, "alpha", Factory(), info=given)
            found = info(registry, FIRST, "alpha")
            if found != given:
                differ = [name for name in vars(given) if getattr(found, name, None) != getattr(given, name)]
                raise Violation("the info that was registered", f"another one in {', '.join(differ)}: {shorten(found)}")
            done(registry.unregister_provider, FIRST, "alpha")

    @clause("REG-INFO-002")
    def test_derives_what_nobody_said(self, nomos_fresh: Subject) -> None:
        """Name, a type, and the JSON Schema of the package's configurations."""
        registry = registry_of(nomos_fresh)
        done(registry.register_provider, FIRST, "alpha", Factory())
        found = info(registry, FIRST, "alpha")
        if found.name != "alpha" or not found.type:
            raise Violation("an info with name and type", shorten(found))
        properties = found.config_schema.get("properties", {})
        missing = {"provider_name", "api_key", "endpoint", "timeout"} - set(properties)
        if missing or "provider_name" not in found.config_schema.get("required", ()):
            raise Violation("a schema with the common fields", shorten(found.config_schema))

    @clause("REG-INFO-003")
    def test_gives_each_caller_an_info_of_his_own(self, nomos_fresh: Subject) -> None:
        """The schema changed deep inside, that which was given and that which was got."""
        registry = registry_of(nomos_fresh)
        given = ProviderInfo("alpha", "kind", config_schema={"properties": {"model": {"enum": ["x"]}}})
        done(registry.register_provider, FIRST, "alpha", Factory(), info=given)
        done(registry.register_provider, FIRST, "beta", Factory())
        for name in ("alpha", "beta"):
            before = copy.deepcopy(info(registry, FIRST, name))
            spoilt = cast("dict[str, Any]", info(registry, FIRST, name).config_schema)
            spoilt["properties"].clear()
            if info(registry, FIRST, name) != before:
                raise Violation("an info that stays when a caller changes his", "it changed")

    @clause("REG-INFO-004")
    def test_has_a_schema_that_says_what_creation_takes(self, nomos_fresh: Subject) -> None:
        """Good and bad configurations, by the schema and by a creation."""
        registry = registry_of(nomos_fresh)
        done(registry.register_provider, FIRST, "alpha", Factory())
        schema = info(registry, FIRST, "alpha").config_schema
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise Violation("a JSON Schema", error.message) from error
        validator: Any = jsonschema.Draft202012Validator(schema)
        good = flat("alpha")
        cases: list[dict[str, Any]] = [
            good,
            {**good, "timeout": 1.5, "endpoint": "e", "model": "x"},
            {"provider_name": "alpha"},
            {**good, "timeout": "soon"},
            {**good, "timeout": -1},
            {**good, "endpoint": 5},
            {"api_key": good["api_key"]},
        ]
        for config in cases:
            wanted = validator.is_valid(config)
            found = attempt(registry.create_provider, FIRST, "alpha", config)
            if wanted != (found.error is None):
                judged = "takes" if wanted else "refuses"
                raise Violation(f"a creation that {judged} what the schema {judged}: {sorted(config)}", found.words)

    @clause("REG-INFO-005")
    def test_asks_a_factory_that_describes_itself(self, nomos_fresh: Subject) -> None:
        """Whose words change between two questions; then one beside an info that was registered."""
        registry = registry_of(nomos_fresh)
        factory = _Describing()
        done(registry.register_provider, FIRST, "alpha", factory)
        for number in range(3):
            factory.said = replace(INFO, capabilities=("snapshots",) * number, documentation=f"Said {number} times.")
            _tells(registry, factory.said, "what the factory says now")
        done(registry.unregister_provider, FIRST, "alpha")
        given = replace(INFO, capabilities=(), documentation="Registered.")
        done(registry.register_provider, FIRST, "alpha", factory, info=given)
        _tells(registry, given, "the info that was registered")


def _tells(registry: Registry, wanted: ProviderInfo, what: str) -> None:
    """Compare an info as far as no other clause does: all the rest of it may be wrong for itself."""
    found = info(registry, FIRST, "alpha")
    if (found.capabilities, found.documentation) != (wanted.capabilities, wanted.documentation):
        raise Violation(f"{what}: {shorten(wanted)}", shorten(found))
