"""Stores: what a registry keeps, it keeps where it was told to; what fails there is told and leaves nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.registry.bench import (
    FIRST,
    PATIENCE,
    Factory,
    Subject,
    add_packages,
    attempt,
    done,
    flat,
    info,
    made_by,
    refused,
    same_names,
)
from nomos_contracts.registry.interface import ProviderConfig, ProviderInfo, Registration, Registry
from nomos_contracts.violation import Blocked, Violation, shorten

Value = TypeVar("Value")


class StoreFailure(Exception):  # noqa: N818 # a failure that the checks arrange
    """What a store of the checks raises."""


class MissingFailure(StoreFailure, KeyError):  # noqa: N818 # as above
    """What a store raises that looks its things up in a map: no answer that there is nothing."""


class BrokenFailure(StoreFailure, OSError):  # noqa: N818 # as above
    """What a store raises whose file is gone."""


class WatchedStore:
    """A store that can be told to fail, and that notices when two threads are in it.

    Attributes:
        failing: names of the operations that raise.
        raises: what they raise.
        halfway: whether `put` has done its work when it raises.
        overlaps: in which operations two threads met.
    """

    def __init__(self) -> None:
        self.failing: frozenset[str] = frozenset()
        self.halfway = False
        self.raises: type[StoreFailure] = StoreFailure
        self.overlaps: list[str] = []
        self.slow = 0.0
        self._classes: dict[str, type[ProviderConfig]] = {}
        self._kept: dict[tuple[str, str], Registration] = {}
        self._inside: dict[int, str] = {}

    def _enter(self, operation: str, work: Callable[[], Value]) -> Value:
        others = [one for thread, one in list(self._inside.items()) if thread != threading.get_ident()]
        if others:
            self.overlaps.append(f"{operation} while {others[0]}")
        self._inside[threading.get_ident()] = operation
        try:
            if operation in self.failing and not self.halfway:
                raise self.raises(f"{operation} failed")
            if self.slow:
                time.sleep(self.slow)
            value = work()
            if operation in self.failing:
                raise self.raises(f"{operation} failed halfway")
            return value
        finally:
            self._inside.pop(threading.get_ident(), None)

    def add_package(self, package: str, config_class: type[ProviderConfig]) -> None:
        """Add an empty package."""
        self._enter("add_package", lambda: self._classes.update({package: config_class}))

    def packages(self) -> Mapping[str, type[ProviderConfig]]:
        """Return the packages."""
        return self._enter("packages", lambda: dict(self._classes))

    def put(self, registration: Registration) -> None:
        """Keep a registration."""
        self._enter("put", lambda: self._kept.update({(registration.package, registration.name): registration}))

    def get(self, package: str, provider_name: str) -> Registration | None:
        """Return a registration."""
        return self._enter("get", lambda: self._kept.get((package, provider_name)))

    def remove(self, package: str, provider_name: str) -> None:
        """Forget a registration."""
        self._enter("remove", lambda: self._kept.pop((package, provider_name), None))

    def names(self, package: str) -> Sequence[str]:
        """Return the names in a package."""
        return self._enter("names", lambda: [name for owner, name in self._kept if owner == package])


def _stored(provider: Subject) -> tuple[Registry, WatchedStore]:
    store = WatchedStore()
    with_store = getattr(provider.subject, "with_store", None)
    if not callable(with_store):
        raise Blocked("clause:REG-STORE-005", "the registry declares `stores` and has no with_store")
    registry = cast("Registry", done(with_store, store))
    add_packages(registry)
    return registry, store


class StoreContract(Contract):
    """A registry that declares `stores` keeps everything in the store that it is given.

    Ask the store for everything, under one lock; turn its exceptions into ErrRegistryAccessFailed, or into
    ErrRegistrationFailed while registering, and take back what was half done.
    """

    @clause("REG-STORE-001")
    def test_keeps_everything_in_its_store(self, nomos_fresh: Subject) -> None:
        """Two registries with one store, and one with another."""
        registry, store = _stored(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        second = done(nomos_fresh.subject.with_store, store)
        same_names(second, FIRST, "alpha")
        made_by(factory, second, FIRST, "alpha")
        done(second.unregister_provider, FIRST, "alpha")
        same_names(registry, FIRST)
        other, _ = _stored(nomos_fresh)
        done(registry.register_provider, FIRST, "beta", factory)
        same_names(other, FIRST)

    @clause("REG-STORE-001")
    def test_sees_at_once_what_another_registry_changed(self, nomos_fresh: Subject) -> None:
        """Two registries with one store, each asked for everything before and after each change by the other."""
        first, store = _stored(nomos_fresh)
        second = done(nomos_fresh.subject.with_store, store)
        there: dict[str, Factory] = {}
        for turn, (changing, seeing) in enumerate(((first, second), (second, first)) * 2):
            one, other = f"n{turn}", f"n{turn - 1}"
            there[one] = Factory(f"{one}-{turn}")
            done(changing.register_provider, FIRST, one, there[one], info=ProviderInfo(one, f"type-{turn}"))
            _sees(seeing, there)
            _sees(changing, there)
            if other in there:
                there[other] = Factory(f"{other}-{turn}")
                done(changing.unregister_provider, FIRST, other)
                refused("ErrProviderNotFound", seeing.get_provider_info, FIRST, other)
                refused("ErrProviderNotFound", seeing.create_provider, FIRST, other, flat(other))
                done(changing.register_provider, FIRST, other, there[other], info=ProviderInfo(other, f"type-{turn}"))
                _sees(seeing, there)
            done(changing.add_package, f"package-{turn}")
            same_names(seeing, f"package-{turn}")
            if sorted(done(seeing.list_packages)) != sorted(done(changing.list_packages)):
                raise Violation("both list the packages of their store", shorten(done(seeing.list_packages)))

    @clause("REG-STORE-002")
    def test_tells_that_it_cannot_read(self, nomos_fresh: Subject) -> None:
        """A store that fails in each of its reading operations, and is well again afterwards."""
        registry, store = _stored(nomos_fresh)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        reads: dict[str, list[tuple[Any, ...]]] = {
            "packages": [(registry.list_packages,), (registry.list_providers, FIRST)],
            "names": [(registry.list_providers, FIRST)],
            "get": [
                (registry.get_provider_info, FIRST, "alpha"),
                (registry.create_provider, FIRST, "alpha", flat("alpha")),
                (registry.unregister_provider, FIRST, "alpha"),
            ],
            "remove": [(registry.unregister_provider, FIRST, "alpha")],
        }
        for operation, (call, *args) in ((name, one) for name, calls in reads.items() for one in calls):
            for store.raises in (StoreFailure, MissingFailure, BrokenFailure):
                store.failing = frozenset({operation})
                error = refused("ErrRegistryAccessFailed", call, *args)
                store.failing = frozenset()
                if not isinstance(error.__cause__, StoreFailure):
                    raise Violation("the failure of the store as the cause", repr(error.__cause__))
                made_by(factory, registry, FIRST, "alpha")

    @clause("REG-STORE-003")
    def test_leaves_nothing_of_a_registration_that_failed(self, nomos_fresh: Subject) -> None:
        """A store that fails before it keeps the registration, and one that fails after."""
        registry, store = _stored(nomos_fresh)
        for operation, halfway in (("put", False), ("put", True), ("get", False), ("packages", False)):
            store.failing, store.halfway = frozenset({operation}), halfway
            found = attempt(registry.register_provider, FIRST, "alpha", Factory("lost"))
            store.failing, store.halfway = frozenset(), False
            if getattr(found.error, "code", "") != "ErrRegistrationFailed":
                raise Violation("register_provider raises ErrRegistrationFailed", found.words)
            if not isinstance(getattr(found.error, "__cause__", None), StoreFailure):
                raise Violation("the failure of the store as the cause", found.words)
            same_names(registry, FIRST)
        factory = Factory()
        done(registry.register_provider, FIRST, "alpha", factory)
        made_by(factory, registry, FIRST, "alpha")

    @clause("REG-STORE-003")
    def test_tells_that_it_could_not_add_a_package(self, nomos_fresh: Subject) -> None:
        """A store that fails when it is asked for its packages, and when it adds one."""
        registry, store = _stored(nomos_fresh)
        for operation in ("packages", "add_package"):
            for store.raises in (StoreFailure, MissingFailure, BrokenFailure):
                store.failing = frozenset({operation})
                found = attempt(registry.add_package, "third")
                store.failing = frozenset()
                if getattr(found.error, "code", "") != "ErrRegistrationFailed":
                    raise Violation("add_package raises ErrRegistrationFailed", found.words)
                if "third" in done(registry.list_packages):
                    raise Violation("nothing is left of a package that could not be added", "it is listed")
        done(registry.add_package, "third")
        same_names(registry, "third")

    @clause("REG-STORE-004")
    def test_asks_its_store_from_one_thread_at_a_time(self, nomos_fresh: Subject) -> None:
        """Eight threads that register, read and unregister, with a store that takes its time."""
        registry, store = _stored(nomos_fresh)
        store.slow = 0.0005
        start = threading.Barrier(8)

        def work(number: int) -> None:
            start.wait(PATIENCE)
            for turn in range(4):
                name = f"n{number}-{turn}"
                registry.register_provider(FIRST, name, Factory())
                registry.list_providers(FIRST)
                registry.list_packages()
                registry.get_provider_info(FIRST, name)
                registry.create_provider(FIRST, name, flat(name))
                registry.unregister_provider(FIRST, name)

        threads = [threading.Thread(target=_quiet, args=(work, number), daemon=True) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        if store.overlaps:
            raise Violation("one thread at a time in the store", shorten(store.overlaps[:3]))

    @clause("REG-STORE-005")
    def test_has_no_stores_that_it_does_not_declare(self, nomos_fresh: Subject) -> None:
        """`with_store` is there exactly when the capability `stores` is."""
        offered = callable(getattr(nomos_fresh.subject, "with_store", None))
        declared = "stores" in nomos_fresh.capabilities
        if offered != declared:
            words = "offers with_store" if offered else "has no with_store"
            raise Violation("with_store exactly where `stores` is declared", f"a registry that {words}")


def _sees(registry: Registry, there: Mapping[str, Factory]) -> None:
    """Return if *registry* lists, describes and creates exactly what is *there*.

    Raises:
        Violation: it does not.
    """
    same_names(registry, FIRST, *there)
    for name, factory in there.items():
        made_by(factory, registry, FIRST, name)
        if info(registry, FIRST, name).type != f"type-{factory.mark.removeprefix(name)[1:]}":
            raise Violation(f"the info of the last registration of {name}", shorten(info(registry, FIRST, name)))


def _quiet(work: Callable[[int], None], number: int) -> None:
    """Run *work*; what fails in it is the subject of other clauses."""
    try:
        work(number)
    except Exception:  # noqa: BLE001 # as the docstring says
        return
