"""Failing: each failure is one of eight errors and says what it is about."""

from __future__ import annotations

import threading
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.registry.bench import (
    FIRST,
    PATIENCE,
    SECOND,
    Attempt,
    Factory,
    Product,
    Subject,
    attempt,
    attempt_here,
    done,
    flat,
    refused,
    registry_of,
)
from nomos_contracts.registry.interface import RegistryError
from nomos_contracts.violation import Violation


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
        """In six errors that every registry can be brought to, and in whatever else has one of these."""
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
            if not isinstance(found.error, RegistryError):
                raise Violation(f"{found.what} raises {code}", found.words)
            _names_both(found, package, name)
        # Whether these are refused at all is the subject of other clauses.
        others: list[tuple[Any, ...]] = [
            (registry.create_provider, "nowhere", "alpha", flat("alpha")),
            (registry.register_provider, "nowhere", "alpha", Factory()),
            (registry.unregister_provider, "nowhere", "alpha"),
            (registry.list_providers, "nowhere"),
            (registry.package, "nowhere"),
            (registry.create_provider, FIRST, "beta", flat("beta")),
            (registry.unregister_provider, FIRST, "beta"),
            (registry.register_provider, FIRST, "a/b", Factory()),
            (registry.add_package, FIRST),
            (registry.create_provider, FIRST, "alpha", flat("beta")),
            (registry.create_provider, FIRST, "alpha", flat("alpha", timeout="soon")),
            (registry.create_provider, FIRST, "alpha", nothing),
        ]
        for operation, package, *rest in others:
            _names_both(attempt(operation, package, *rest), package, rest[0] if rest else "")

    @clause("REG-ERROR-003")
    def test_names_what_was_asked_for_when_a_factory_creates(self, nomos_fresh: Subject) -> None:
        """A factory creates what fails, in another package, and then fails itself."""
        registry = registry_of(nomos_fresh)
        done(registry.register_provider, SECOND, "inner", Factory(failure=ValueError("no")))
        inside: list[Attempt] = []
        outside: list[Attempt] = []

        def outer(ctx: Any, config: Any) -> Product:
            inside.extend(
                attempt_here(registry.create_provider, SECOND, "inner", given) for given in (flat("inner"), {})
            )
            raise ValueError("neither")

        def create() -> None:
            outside.append(attempt_here(registry.create_provider, FIRST, "outer", flat("outer")))

        done(registry.register_provider, FIRST, "outer", outer)
        caller = threading.Thread(target=create, name="registry-check-outer", daemon=True)
        caller.start()
        caller.join(PATIENCE / 5)  # a registry that lets no factory use it is the subject of REG-THREAD-007
        for one in inside:
            _names_both(one, SECOND, "inner")
        for one in outside:
            _names_both(one, FIRST, "outer")


def _names_both(found: Attempt, package: str, name: str) -> None:
    """Return if *found* is no error of a registry, or one that says it is about *package* and *name*.

    Raises:
        Violation: it is about others, or its message does not say so.
    """
    error = found.error
    if not isinstance(error, RegistryError):
        return
    if error.package != package or (error.provider_name != name and error.code != "ErrPackageNotFound"):
        names = (error.package, error.provider_name)
        raise Violation(f"{error.code} of {package!r} and {name!r}", f"one of {names} by {found.what}")
    silent = [part for part in (error.code, package, error.provider_name) if part not in str(error)]
    if silent:
        raise Violation(f"a message of {error.code} that names {', '.join(silent)}", str(error))
