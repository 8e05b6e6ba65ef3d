"""Creating: the configuration is judged first, then the factory is called, once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.registry.bench import (
    FIRST,
    PATIENCE,
    Attempt,
    Factory,
    Product,
    Subject,
    attempt,
    attempt_here,
    done,
    flat,
    made_by,
    product,
    refused,
    registry_of,
)
from nomos_contracts.registry.interface import (
    CREATION_SECONDS,
    ERRORS,
    FactoryContext,
    ProviderConfig,
    Registry,
    RegistryError,
)
from nomos_contracts.violation import Violation, shorten
from nomos_proto.errors import ProviderError

LATE = 2.0
"""Seconds that a slow factory takes if nobody stops it."""

CALLERS: Final = 4
"""How many create at once."""

MEETING: Final = 0.3
"""Seconds that factories wait for each other; a registry that lets one in at a time keeps them apart."""

PAUSE: Final = 0.05
"""Seconds between two creations, which a context that both of them got would have lost."""

FAILURES: Final = 12
"""Creations that fail, one after the other."""

WORDS: Final = ("no such model: x-9", "asked for by the checks", "see the third line")
"""What factories of the checks say when they fail."""


class _Empty(Product):
    """A provider that holds nothing yet."""

    def __len__(self) -> int:
        return 0


class _False(Product):
    """A provider that is false until it is connected."""

    def __bool__(self) -> bool:
        return False


class _Called(Product):
    """A provider that can be called."""

    def __call__(self) -> None:
        """Do what it is for."""


class _Rows(list[str]):
    """A provider that is a list, and empty."""


def _hands_out(product: object) -> Callable[[Any, Any], object]:
    def hand_out(ctx: Any, config: Any) -> object:
        return product

    return hand_out


def _failures() -> list[Exception]:
    """Return exceptions of many kinds: those of Python, of providers, and those that registries raise themselves."""
    words = "\n".join(WORDS)
    kinds = (ValueError, TypeError, KeyError, LookupError, AttributeError, OSError, NotImplementedError, TimeoutError)
    inner = [kind("elsewhere", "inner", words) for kind in ERRORS.values()]
    return [*(kind(words) for kind in kinds), ProviderError(words, "CAPACITY_ERROR"), *inner]


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

    @clause("REG-NEW-001")
    def test_returns_what_the_factory_makes_whatever_it_is_like(self, nomos_fresh: Subject) -> None:
        """Providers that are empty, false, or can be called."""
        registry = registry_of(nomos_fresh)
        likes: tuple[object, ...] = (_Empty("empty"), _False("false"), _Called("called"), _Rows(), {})
        for number, like in enumerate(likes):
            name = f"n{number}"
            done(registry.register_provider, FIRST, name, _hands_out(like))
            found = done(registry.create_provider, FIRST, name, flat(name))
            if found is not like:
                raise Violation("the very thing that the factory made", shorten((found, like)))

    @clause("REG-NEW-002")
    def test_makes_a_new_one_each_time(self, nomos_fresh: Subject) -> None:
        """Three creations with one configuration."""
        registry = registry_of(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        made = [done(registry.create_provider, FIRST, "alpha", flat("alpha")) for _ in range(3)]
        if len({id(one) for one in made}) != len(made) or len(factory.calls) != len(made):
            raise Violation("three products of three calls", f"{len(factory.calls)} calls")

    @clause("REG-NEW-002")
    def test_makes_one_for_each_of_many_callers(self, nomos_fresh: Subject) -> None:
        """Equal creations that are under way at the same time."""
        registry = registry_of(nomos_fresh)
        together = threading.Barrier(CALLERS)

        def meet(ctx: Any, config: Any) -> Product:
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(MEETING)
            return Product("met")

        done(registry.register_provider, FIRST, "alpha", meet)
        made: list[Attempt] = []

        def create() -> None:
            made.append(attempt_here(registry.create_provider, FIRST, "alpha", flat("alpha")))

        callers = [threading.Thread(target=create, name="registry-check-caller", daemon=True) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(PATIENCE)
        products = [one.value for one in made if isinstance(one.value, Product)]
        if len({id(one) for one in products}) != CALLERS:
            words = [one.words for one in made]
            raise Violation(f"{CALLERS} products for {CALLERS} callers at once", shorten(words))

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
        """Exceptions of many kinds, errors of a registry too: each the very cause, with all lines of its words."""
        registry = registry_of(nomos_fresh)
        for number, failure in enumerate(_failures()):
            name = f"n{number}"
            done(registry.register_provider, FIRST, name, Factory(failure=failure))
            error = refused("ErrProviderCreationFailed", registry.create_provider, FIRST, name, flat(name))
            if error.__cause__ is not failure:
                raise Violation("the factory's exception as the cause", repr(error.__cause__))
            unsaid = [line for line in WORDS if line not in str(error)]
            if unsaid:
                raise Violation(f"a message that says what the factory said: {', '.join(unsaid)}", str(error))

    @clause("REG-NEW-005")
    def test_refuses_a_factory_that_makes_nothing(self, nomos_fresh: Subject) -> None:
        """It returns None, which is no provider that is ready for use."""
        registry = registry_of(nomos_fresh)
        done(registry.register_provider, FIRST, "alpha", _makes_nothing)
        refused("ErrProviderCreationFailed", registry.create_provider, FIRST, "alpha", flat("alpha"))

    @clause("REG-NEW-006")
    def test_is_as_before_after_a_failure(self, nomos_fresh: Subject) -> None:
        """A factory that fails at first: once, many times in a row, and for callers with mistakes of their own."""
        registry = registry_of(nomos_fresh)
        factory = Factory(failure=OSError("not yet"))
        done(registry.register_provider, FIRST, "alpha", factory)
        refused("ErrProviderCreationFailed", registry.create_provider, FIRST, "alpha", flat("alpha"))
        factory.failure = None
        made_by(factory, registry, FIRST, "alpha")
        factory.failure = OSError("not now")
        for _ in range(FAILURES):
            refused("ErrProviderCreationFailed", registry.create_provider, FIRST, "alpha", flat("alpha"))
            attempt(registry.create_provider, FIRST, "alpha", flat("alpha"), ctx=FactoryContext(0.0))
            attempt(registry.create_provider, FIRST, "alpha", {})
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
        """Where the caller says nothing; and as many again at the next creation, which is another one's."""
        registry = registry_of(nomos_fresh)
        seen: list[tuple[float, float]] = []
        contexts: list[Any] = []

        def look(ctx: Any, config: Any) -> Product:
            left = ctx.remaining()
            if left is None or not 0 < left <= CREATION_SECONDS:
                raise TypeError(f"called with {shorten(left)} seconds left")
            seen.append((left, time.monotonic()))
            contexts.append(ctx)
            return Product("looked")

        done(registry.register_provider, FIRST, "alpha", look)
        done(registry.create_provider, FIRST, "alpha", flat("alpha"))
        for context in contexts:
            context.cancel()  # it is nobody else's
        threading.Event().wait(PAUSE)
        begun = time.monotonic()
        done(registry.create_provider, FIRST, "alpha", flat("alpha"))
        if len(seen) != 2:
            raise Violation("the factory is called once for each creation", f"{len(seen)} times for two")
        (first, _), (second, at) = seen
        # What it took from the call to the factory may be counted, what went before may not.
        if second < first - (at - begun) - PAUSE / 2:
            raise Violation(f"about {first:.3f} s again for the second creation", f"{second:.3f} s")

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
