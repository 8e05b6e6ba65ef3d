"""Threads: every operation may be called by many at once, and no factory holds up anybody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Final

from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.provider import TargetFacts
from nomos_contracts.registry.bench import (
    FIRST,
    PATIENCE,
    SECOND,
    Attempt,
    Factory,
    Product,
    Subject,
    attempt,
    done,
    flat,
    made_by,
    names,
    registry_of,
    same_names,
)
from nomos_contracts.registry.crowd import at_once
from nomos_contracts.registry.interface import ProviderInfo, Registry, RegistryError
from nomos_contracts.registry.load import OPERATIONS, mixed_load
from nomos_contracts.violation import Violation, shorten

CROWD: Final = 64
ROUNDS: Final = 3


def _winners(results: list[Attempt], losing: str) -> list[int]:
    """Return which of *results* succeeded.

    Raises:
        Violation: one of the others failed with anything but *losing*.
    """
    for one in results:
        if one.error is not None and not (isinstance(one.error, RegistryError) and one.error.code == losing):
            raise Violation(f"those who come late get {losing}", one.words)
    return [at for at, one in enumerate(results) if one.error is None]


class CrowdContract(Contract):
    """Looking for a name and taking it is one step, whoever else is there.

    Hold one lock around each operation on what is kept, reading included, and nothing else under it.
    """

    @clause("REG-THREAD-001")
    def test_has_one_winner_among_many_registrations_of_a_name(
        self, nomos_fresh: Subject, nomos_random: Random
    ) -> None:
        """64 threads at once, three times; the winner's factory is the one that is called."""
        registry = registry_of(nomos_fresh)
        for turn in range(ROUNDS):
            name = f"n{turn}"
            factories = [Factory(f"{name}-{number}") for number in range(CROWD)]
            works = [partial(registry.register_provider, FIRST, name, factory) for factory in factories]
            winners = _winners(at_once(works, nomos_random), "ErrProviderExists")
            if len(winners) != 1:
                raise Violation(f"one winner among {CROWD}", f"{len(winners)} registrations of {name} succeeded")
            if names(registry, FIRST).count(name) != 1:
                raise Violation(f"{name} is listed once", shorten(names(registry, FIRST)))
            made_by(factories[winners[0]], registry, FIRST, name)

    @clause("REG-THREAD-002")
    def test_loses_none_of_many_names(self, nomos_fresh: Subject, nomos_random: Random) -> None:
        """64 threads register 64 names in two packages."""
        registry = registry_of(nomos_fresh)
        factories = {f"n{number}": Factory(f"n{number}") for number in range(CROWD)}
        packages = {name: (FIRST, SECOND)[number % 2] for number, name in enumerate(factories)}
        works = [partial(registry.register_provider, packages[name], name, one) for name, one in factories.items()]
        failed = [one for one in at_once(works, nomos_random) if one.error is not None]
        if failed:
            raise Violation("all registrations succeed", failed[0].words)
        for package in (FIRST, SECOND):
            same_names(registry, package, *(name for name in factories if packages[name] == package))
        for name, factory in factories.items():
            made_by(factory, registry, packages[name], name)

    @clause("REG-THREAD-003")
    def test_lets_one_of_many_unregister_a_name(self, nomos_fresh: Subject, nomos_random: Random) -> None:
        """64 threads at once, three times; a neighbour stays."""
        registry = registry_of(nomos_fresh)
        done(registry.register_provider, FIRST, "neighbour", Factory())
        for _ in range(ROUNDS):
            done(registry.register_provider, FIRST, "alpha", Factory())
            works = [partial(registry.unregister_provider, FIRST, "alpha")] * CROWD
            winners = _winners(at_once(works, nomos_random), "ErrProviderNotFound")
            if len(winners) != 1:
                raise Violation(f"one of {CROWD} unregisters it", f"{len(winners)} did")
            same_names(registry, FIRST, "neighbour")

    @clause("REG-THREAD-004")
    def test_shows_no_half_of_a_registration(self, nomos_fresh: Subject, nomos_random: Random) -> None:
        """Eight threads register, eight others describe and create whatever is listed at that moment."""
        registry = registry_of(nomos_fresh)

        done(registry.register_provider, FIRST, "n", Factory("n"), info=ProviderInfo("n", "type-n"))
        writing = threading.Semaphore(0)

        def write(number: int) -> None:
            for turn in range(4):
                name = f"n{number}-{turn}"
                registry.register_provider(FIRST, name, Factory(name), info=ProviderInfo(name, f"type-{name}"))
            writing.release(8)

        def read() -> None:
            # As long as anybody writes: each of the eight writers lets each of the eight readers go once.
            for _ in range(8):
                while not writing.acquire(blocking=False):
                    for name in registry.list_providers(FIRST)[-4:]:
                        _whole(registry, name)

        works: list[Callable[[], None]] = [partial(write, number) for number in range(8)]
        for one in at_once(works + [read] * 8, nomos_random, pausing=len(works)):
            if one.error is not None:
                raise Violation("what is listed can be described and created", one.words)

    @clause("REG-THREAD-005")
    def test_keeps_count_under_a_mixed_load(
        self,
        nomos_fresh: Subject,
        nomos_random: Random,
        nomos_observe: Callable[[str, object], None],
        nomos_target: TargetFacts,
    ) -> None:
        """100,000 operations of eight threads: names of one thread, names that all fight for, and readers."""
        registry = registry_of(nomos_fresh)
        asked = int(nomos_target.limits.get("load_operations", OPERATIONS))
        made = mixed_load(registry, nomos_random, asked)
        nomos_observe("operations", made)
        if made < asked:
            raise Violation(f"{asked} operations", f"{made}")


def _whole(registry: Registry, name: str) -> None:
    """Return if *name* can be described and created, each with what it was registered with."""
    found = registry.get_provider_info(FIRST, name)
    product = registry.create_provider(FIRST, name, flat(name))
    if found.type != f"type-{name}" or product.hello() != name:
        raise Violation(f"info and product of {name}", shorten((found, product)))


class FactoryContract(Contract):
    """A factory is somebody else's code: it may take its time, and it may use the registry.

    Fetch the registration under the lock, let the lock go, then call the factory.
    """

    @clause("REG-THREAD-006")
    def test_is_not_held_up_by_a_slow_factory(self, nomos_fresh: Subject) -> None:
        """Every operation, while a factory has begun and not ended."""
        registry = registry_of(nomos_fresh)
        inside, go_on = threading.Event(), threading.Event()

        def slow(ctx: Any, config: Any) -> Product:
            if not inside.is_set():  # the first creation is slow, others of the same provider are not
                inside.set()
                go_on.wait(2 * PATIENCE)
            return Product("slow")

        done(registry.register_provider, FIRST, "slow", slow)
        done(registry.register_provider, FIRST, "quick", Factory("quick"))
        box: list[Attempt] = []
        create = partial(registry.create_provider, FIRST, "slow", flat("slow"))
        waiter = threading.Thread(target=lambda: box.append(attempt(create)), name="registry-check-slow", daemon=True)
        waiter.start()
        try:
            if not inside.wait(PATIENCE):
                raise Violation("the factory is called", "it was not")
            operations: list[tuple[Any, ...]] = [
                (registry.list_providers, FIRST),
                (registry.get_provider_info, FIRST, "slow"),
                (registry.create_provider, FIRST, "quick", flat("quick")),
                (registry.create_provider, FIRST, "slow", flat("slow")),
                (registry.create_provider, FIRST, "slow", flat("slow", endpoint="another")),
                (registry.package, FIRST),
                (registry.register_provider, FIRST, "more", Factory()),
                (registry.unregister_provider, FIRST, "more"),
                (registry.unregister_provider, FIRST, "slow"),
                (registry.list_packages,),
                (registry.add_package, "third"),
            ]
            for operation, *args in operations:
                if not _returns(partial(operation, *args)):
                    raise Violation(f"{operation.__name__} returns while a factory is slow", "it waits for the factory")
        finally:
            go_on.set()
            waiter.join(PATIENCE)
        if not box or not isinstance(box[0].value, Product):
            raise Violation("the slow creation ends well", box[0].words if box else "it did not end")

    @clause("REG-THREAD-007")
    def test_lets_a_factory_use_the_registry(self, nomos_fresh: Subject) -> None:
        """It lists, registers, creates and unregisters, in another thread and its caller's; its context knows how."""
        registry = registry_of(nomos_fresh)
        part = Factory("part")
        done(registry.register_provider, FIRST, "part", part)
        stuck: list[str] = []

        def use(name: str) -> None:
            registry.list_providers(FIRST)
            registry.register_provider(FIRST, name, Factory(name))
            registry.create_provider(FIRST, "part", flat("part"))
            registry.unregister_provider(FIRST, name)

        looks_in: list[Any] = []

        def compose(ctx: Any, config: Any) -> Product:
            looks_in.append(ctx.registry)
            if _returns(partial(use, "other-thread")):
                use("same-thread")
            else:
                stuck.append("it waits for the factory that uses it")
            return Product("composed")

        done(registry.register_provider, FIRST, "whole", compose)
        found = attempt(registry.create_provider, FIRST, "whole", flat("whole"))
        if stuck or found.error is not None:
            raise Violation("a factory can use the registry", stuck[0] if stuck else found.words)
        same_names(registry, FIRST, "part", "whole")
        for own in looks_in[:1]:
            create = getattr(own, "create_provider", None)
            if not callable(create):
                raise Violation("without a context from the caller, ctx.registry is the registry", shorten(own))
            found_there = done(create, FIRST, "part", flat("part"))
            if not isinstance(found_there, Product) or found_there.hello() != part.mark:
                raise Violation("ctx.registry has what the registry has", "another part")


def _returns(call: Callable[[], Any], seconds: float = PATIENCE / 2) -> bool:
    """Whether *call* returns within *seconds*, or raises, which is the subject of other clauses."""
    thread = threading.Thread(target=lambda: attempt(call), name="registry-check-beside", daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
