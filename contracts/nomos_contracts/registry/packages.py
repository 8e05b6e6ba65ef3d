"""Packages: each has names and providers of its own."""

from __future__ import annotations

from functools import partial
from typing import Final

from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.registry.bench import (
    FIRST,
    PATIENCE,
    SECOND,
    Factory,
    Product,
    Subject,
    done,
    flat,
    info,
    made_by,
    refused,
    registry_of,
    same_names,
)
from nomos_contracts.registry.interface import FactoryContext, ProviderConfig, ProviderInfo
from nomos_contracts.violation import Violation, shorten

SCHEMA: Final = {"type": "object", "properties": {"model": {"type": "string"}}, "required": ["model"]}
"""What an info of the checks says of custom fields."""


class FieldConfig(ProviderConfig):
    """The class of one provider, with a field more."""

    field: int = 0


class PackageContract(Contract):
    """A package is a room of its own: what happens in one is not seen in another.

    Keep registrations by package and name together, and look nothing up by the name alone.
    """

    @clause("REG-PACKAGE-001")
    def test_keeps_what_is_registered_in_its_package(self, nomos_fresh: Subject) -> None:
        """One provider in each of two packages."""
        registry = registry_of(nomos_fresh)
        done(registry.register_provider, FIRST, "alpha", Factory())
        done(registry.register_provider, SECOND, "one", Factory())
        same_names(registry, FIRST, "alpha")
        same_names(registry, SECOND, "one")
        refused("ErrProviderNotFound", registry.get_provider_info, SECOND, "alpha")

    @clause("REG-PACKAGE-002")
    def test_takes_the_same_name_in_two_packages(self, nomos_fresh: Subject) -> None:
        """Each is made by the factory of its package."""
        registry = registry_of(nomos_fresh)
        first, second = Factory("first"), Factory("second")
        done(registry.register_provider, FIRST, "same", first)
        done(registry.register_provider, SECOND, "same", second)
        made_by(first, registry, FIRST, "same")
        made_by(second, registry, SECOND, "same")

    @clause("REG-PACKAGE-003")
    def test_refuses_a_second_package_of_a_name(self, nomos_fresh: Subject) -> None:
        """With a provider in the first, which stays."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        refused("ErrRegistrationFailed", registry.add_package, FIRST)
        same_names(registry, FIRST, "alpha")
        made_by(factory, registry, FIRST, "alpha")

    @clause("REG-PACKAGE-004")
    def test_offers_a_package_alone(self, nomos_fresh: Subject) -> None:
        """`register_global` and `new_provider` of a package, against the operations of the registry."""
        registry = registry_of(nomos_fresh)
        package = done(registry.package, SECOND)
        if package.name != SECOND:
            raise Violation(f"a package named {SECOND}", shorten(package.name))
        factory = Factory()
        done(package.register_global, "one", factory)
        same_names(registry, SECOND, "one")
        same_names(registry, FIRST)
        refused("ErrProviderExists", package.register_global, "one", Factory())
        context = FactoryContext(PATIENCE)
        found = done(package.new_provider, context, "one", flat("one"))
        left = factory.context.remaining()
        if not isinstance(found, Product) or left is None or left > PATIENCE:
            raise Violation("new_provider calls the factory with the context that it got", shorten((found, left)))
        made_by(factory, registry, SECOND, "one")
        refused("ErrInvalidConfig", package.new_provider, None, "one", {"provider_name": "one"})
        refused("ErrProviderNotFound", package.new_provider, None, "two", flat("two"))
        refused("ErrPackageNotFound", registry.package, "nowhere")

    @clause("REG-PACKAGE-004")
    def test_passes_on_what_is_said_at_a_registration(self, nomos_fresh: Subject) -> None:
        """Info and class, each alone and both: by a package alone as by its registry."""
        registry = registry_of(nomos_fresh)
        package = done(registry.package, SECOND)
        for turn, (says, has_class) in enumerate(((True, False), (False, True), (True, True))):
            name = f"n{turn}"
            given = ProviderInfo(name, "kind", ("spot",), SCHEMA, ("a.b",), "Words.") if says else None
            config_class = FieldConfig if has_class else None
            factory = Factory(name)
            found: list[object] = []
            for register in (package.register_global, partial(registry.register_provider, SECOND)):
                done(register, name, factory, info=given, config_class=config_class)
                done(package.new_provider, None, name, flat(name, model="x", field=7))
                found.append((info(registry, SECOND, name), type(factory.config), factory.config))
                done(registry.unregister_provider, SECOND, name)
            if found[0] != found[1]:
                raise Violation("the same by register_global as by register_provider", shorten(found))

    @clause("REG-PACKAGE-006")
    def test_lists_its_packages(self, nomos_fresh: Subject) -> None:
        """Two that were added, and a third one."""
        registry = registry_of(nomos_fresh)
        before = done(registry.list_packages)
        done(registry.add_package, "third")
        after = done(registry.list_packages)
        if not {FIRST, SECOND} <= set(before) or sorted(after) != sorted([*before, "third"]):
            raise Violation(f"list_packages has {FIRST}, {SECOND}, then third", shorten((before, after)))
