"""Creating: the configuration is judged first, then the factory is called, once."""

from __future__ import annotations

import threading
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.registry.bench import (
    FIRST,
    PATIENCE,
    Factory,
    Product,
    Subject,
    attempt,
    done,
    flat,
    made_by,
    product,
    refused,
    registry_of,
)
from nomos_contracts.registry.interface import CREATION_SECONDS, FactoryContext, ProviderConfig, Registry, RegistryError
from nomos_contracts.violation import Violation, shorten
from nomos_proto.errors import ProviderError

LATE = 2.0
"""Seconds that a slow factory takes if nobody stops it."""


class CreatingContract(Contract):
    """Creating looks the provider up, judges the configuration, calls the factory and returns what it made.

    Keep no provider and reuse none; pass on the exception of a factory as the cause.
    """

    @clause("REG-NEW-001")
    def test_returns_what_the_factory_makes(self, nomos_fresh: Subject) -> None:
        """Called once, with a context and the configuration; the answer can be used on the next line."""
        registry = registry_of(nomos_fresh)
        products: list[Product] = []

        def make(ctx: Any, config: Any) -> Product:
            if not isinstance(ctx, FactoryContext) or not isinstance(config, ProviderConfig):
                raise TypeError(f"called with {type(ctx).__name__} and {type(config).__name__}")
            products.append(Product(str(config.endpoint)))
            return products[-1]

        done(registry.register_provider, FIRST, "alpha", make)
        if products:
            raise Violation("the factory is not called before a creation", "it was called by register_provider")
        found = done(registry.create_provider, FIRST, "alpha", flat("alpha", endpoint="http://localhost"))
        if len(products) != 1 or found is not products[0] or products[0].hello() != "http://localhost":
            raise Violation("the very product of one call of the factory", shorten((found, len(products))))

    @clause("REG-NEW-002")
    def test_makes_a_new_one_each_time(self, nomos_fresh: Subject) -> None:
        """Three creations with one configuration."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        made = [done(registry.create_provider, FIRST, "alpha", flat("alpha")) for _ in range(3)]
        if len({id(one) for one in made}) != len(made) or len(factory.calls) != len(made):
            raise Violation("three products of three calls", f"{len(factory.calls)} calls")

    @clause("REG-NEW-003")
    def test_chooses_by_the_name_in_the_configuration(self, nomos_fresh: Subject) -> None:
        """Two configurations that differ in `provider_name` alone."""
        registry = registry_of(nomos_fresh)
        factories = {name: Factory(name) for name in ("alpha", "beta")}
        for name, factory in factories.items():
            done(registry.register_provider, FIRST, name, factory)
        config = flat("", endpoint="http://localhost", colour="red")
        for name in ("beta", "alpha", "beta"):
            config["provider_name"] = name
            found = product(registry, FIRST, config["provider_name"], config)
            given = factories[name].config.provider_name
            if found.hello() != name or given != name:
                raise Violation(f"a product of {name}, made with its configuration", shorten((found.hello(), given)))

    @clause("REG-NEW-004")
    def test_passes_on_the_failure_of_a_factory(self, nomos_fresh: Subject) -> None:
        """Two kinds of exceptions, each the very cause."""
        registry = registry_of(nomos_fresh)
        for failure in (ValueError("no such model"), ProviderError("full", "CAPACITY_ERROR")):
            name = type(failure).__name__.lower()
            factory = Factory(failure=failure)
            done(registry.register_provider, FIRST, name, factory)
            error = refused("ErrProviderCreationFailed", registry.create_provider, FIRST, name, flat(name))
            if error.__cause__ is not failure:
                raise Violation("the factory's exception as the cause", repr(error.__cause__))
            if str(failure) not in str(error):
                raise Violation("a message that says what the factory said", str(error))

    @clause("REG-NEW-005")
    def test_refuses_a_factory_that_makes_nothing(self, nomos_fresh: Subject) -> None:
        """It returns None, which is no provider that is ready for use."""
        registry = registry_of(nomos_fresh)
        done(registry.register_provider, FIRST, "alpha", _makes_nothing)
        refused("ErrProviderCreationFailed", registry.create_provider, FIRST, "alpha", flat("alpha"))

    @clause("REG-NEW-006")
    def test_is_as_before_after_a_failure(self, nomos_fresh: Subject) -> None:
        """A factory that fails at first."""
        registry = registry_of(nomos_fresh)
        factory = Factory(failure=OSError("not yet"))
        done(registry.register_provider, FIRST, "alpha", factory)
        refused("ErrProviderCreationFailed", registry.create_provider, FIRST, "alpha", flat("alpha"))
        factory.failure = None
        made_by(factory, registry, FIRST, "alpha")
        refused("ErrProviderExists", registry.register_provider, FIRST, "alpha", Factory())


def _makes_nothing(ctx: Any, config: Any) -> None:
    return None


class ContextContract(Contract):
    """A factory knows how much time its caller gives it, and whether he still waits.

    Hand the caller's context to the factory; without one, make one of 30 seconds.
    """

    @clause("REG-CONTEXT-001")
    def test_gives_a_factory_thirty_seconds(self, nomos_fresh: Subject) -> None:
        """Where the caller says nothing."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        done(registry.create_provider, FIRST, "alpha", flat("alpha"))
        left = factory.context.remaining()
        if left is None or not 0 < left <= CREATION_SECONDS:
            raise Violation(f"a context with at most {CREATION_SECONDS:g} s left", shorten(left))

    @clause("REG-CONTEXT-002")
    def test_hands_the_callers_context_on(self, nomos_fresh: Subject) -> None:
        """Its deadline, whether shorter or longer."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        for seconds in (PATIENCE, 10 * CREATION_SECONDS):
            done(registry.create_provider, FIRST, "alpha", flat("alpha"), ctx=FactoryContext(seconds))
            left = factory.context.remaining()
            if left is None or not seconds / 2 < left <= seconds:
                raise Violation(f"a context with about {seconds:g} s left", shorten(left))

    @clause("REG-CONTEXT-003")
    def test_ends_a_slow_factory_that_is_cancelled(self, nomos_fresh: Subject) -> None:
        """The factory waits by its context; the caller leaves once it is inside."""
        registry = registry_of(nomos_fresh)
        context, inside = FactoryContext(3 * PATIENCE), threading.Event()

        def leave() -> None:
            inside.wait(PATIENCE)
            context.cancel()

        leaver = threading.Thread(target=leave, name="registry-check-leave", daemon=True)
        leaver.start()
        error = _waited(registry, context, inside)
        if not isinstance(error.__cause__, ProviderError) or error.__cause__.code != "CANCELLED":
            raise Violation("a cause with the code CANCELLED", repr(error.__cause__))

    @clause("REG-CONTEXT-004")
    def test_ends_a_slow_factory_at_the_deadline(self, nomos_fresh: Subject) -> None:
        """The factory waits by its context for longer than it has."""
        error = _waited(registry_of(nomos_fresh), FactoryContext(0.05))
        if not isinstance(error.__cause__, ProviderError) or error.__cause__.code != "TIMEOUT_ERROR":
            raise Violation("a cause with the code TIMEOUT_ERROR", repr(error.__cause__))

    @clause("REG-CONTEXT-005")
    def test_calls_no_factory_for_a_caller_who_has_left(self, nomos_fresh: Subject) -> None:
        """Cancelled, or out of time, before the creation."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        gone, late = FactoryContext(), FactoryContext(0.0)
        gone.cancel()
        for context in (gone, late):
            found = attempt(registry.create_provider, FIRST, "alpha", flat("alpha"), ctx=context)
            if factory.calls:
                raise Violation("the factory is not called", found.words)
            if not isinstance(found.error, RegistryError) or found.error.code != "ErrProviderCreationFailed":
                raise Violation("create_provider raises ErrProviderCreationFailed", found.words)


def _waited(registry: Registry, context: FactoryContext, inside: threading.Event | None = None) -> RegistryError:
    """Return the error of a factory that waits by its context for longer than it may take.

    Args:
        registry: the registry under test.
        context: given to the creation.
        inside: set by the factory when it begins.
    """

    def wait(ctx: Any, config: Any) -> Product:
        if inside is not None:
            inside.set()
        ctx.wait(LATE)
        return Product("late")

    done(registry.register_provider, FIRST, "alpha", wait)
    return refused("ErrProviderCreationFailed", registry.create_provider, FIRST, "alpha", flat("alpha"), ctx=context)
