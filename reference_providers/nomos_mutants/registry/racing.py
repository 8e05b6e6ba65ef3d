"""Mutants that go wrong only when several threads meet, or when a factory uses its registry."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from nomos_contracts.registry.errors import (
    ErrProviderCreationFailed,
    ErrProviderExists,
    ErrProviderNotFound,
    ErrRegistrationFailed,
)
from nomos_contracts.registry.interface import Store
from nomos_mutants.registry.original import FactoryContext, Original, ProviderConfig, Registration, mutant
from nomos_reference.registry.store import MemoryStore


def _turn() -> None:
    """Let another thread have its turn, as any longer work would."""
    time.sleep(0)


class _NoLock:
    """What stands where a lock should be."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *args: object) -> None:
        _turn()


class _Unhurried(MemoryStore):
    """Lets others have their turn before it changes anything."""

    def put(self, registration: Registration) -> None:
        _turn()
        super().put(registration)

    def remove(self, package: str, provider_name: str) -> None:
        _turn()
        super().remove(package, provider_name)


@mutant(
    "REG-THREAD-001",
    "no-lock",
    defect="there is no lock at all",
    also=["REG-THREAD-003", "REG-THREAD-005", "REG-STORE-004"],
)
class NoLock(Original):
    """Hopes for the best."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(_Unhurried() if store is None else store)
        self._lock: Any = _NoLock()


@mutant(
    "REG-THREAD-001",
    defect="a registration looks for the name under the lock, and takes it under the lock once more",
    also=["REG-THREAD-005"],
)
class LooksThenTakes(Original):
    """Locks twice where it has to lock once."""

    def _keep(self, made: Registration) -> None:
        there = self._store.get(made.package, made.name)
        if there is not None:
            raise ErrProviderExists(made.package, made.name)
        self._lock.release()
        try:
            _turn()
        finally:
            self._lock.acquire()
        super_put = self._store.put
        try:
            super_put(made)
        except Exception:
            with contextlib.suppress(Exception):
                self._store.remove(made.package, made.name)
            raise


class _CopiedNames(MemoryStore):
    """Keeps the names of a package in a tuple that is replaced as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.tuples: dict[str, tuple[str, ...]] = {}

    def names(self, package: str) -> Sequence[str]:
        return self.tuples.get(package, ())


class _Indexed(Original):
    """Has an index of names beside its registrations."""

    def __init__(self, store: Store | None = None) -> None:
        self._index = _CopiedNames() if store is None else None
        super().__init__(self._index if store is None else store)

    def _add_name(self, package: str, name: str, *, turn: bool) -> None:
        if self._index is not None:
            before = self._index.tuples.get(package, ())
            if turn:
                _turn()
            self._index.tuples[package] = (*before, name)

    def _drop_name(self, package: str, name: str, *, turn: bool) -> None:
        if self._index is not None:
            rest = tuple(one for one in self._index.tuples.get(package, ()) if one != name)
            if turn:
                _turn()
            self._index.tuples[package] = rest


@mutant(
    "REG-THREAD-002",
    defect="the list of names is replaced by a longer copy after the lock was let go",
    also=["REG-THREAD-005"],
)
class CopyWithoutLock(_Indexed):
    """Loses names that came meanwhile."""

    def register_provider(self, package_name: str, provider_name: str, factory: Any, **more: Any) -> None:
        """Register, then write the name down."""
        super().register_provider(package_name, provider_name, factory, **more)
        self._add_name(package_name, provider_name, turn=True)

    def unregister_provider(self, package_name: str, provider_name: str) -> None:
        """Strike the name out, then forget."""
        super().unregister_provider(package_name, provider_name)
        with self._lock:
            self._drop_name(package_name, provider_name, turn=False)


@mutant(
    "REG-THREAD-003",
    defect="to unregister looks for the name under the lock, and removes it under the lock once more",
    also=["REG-THREAD-005"],
)
class LooksThenRemoves(Original):
    """Locks twice where it has to lock once."""

    def unregister_provider(self, package_name: str, provider_name: str) -> None:
        """Look, then remove."""
        self._find(package_name, provider_name)
        _turn()
        self._read(package_name, provider_name, lambda: self._store.remove(package_name, provider_name))


@mutant("REG-THREAD-004", defect="a name is listed before its registration is in place")
class HalfVisible(_Indexed):
    """Writes the name down first."""

    def _keep(self, made: Registration) -> None:
        if self._index is None:
            super()._keep(made)
            return
        if made.name in self._index.names(made.package):
            raise ErrProviderExists(made.package, made.name)
        self._add_name(made.package, made.name, turn=False)
        self._lock.release()
        try:
            time.sleep(0.002)
        finally:
            self._lock.acquire()
        self._store.put(made)

    def unregister_provider(self, package_name: str, provider_name: str) -> None:
        """Strike the name out in the same step."""
        if self._index is None:
            super().unregister_provider(package_name, provider_name)
            return
        self._config_class(package_name)
        with self._lock:
            if self._store.get(package_name, provider_name) is None:
                raise ErrProviderNotFound(package_name, provider_name)
            self._drop_name(package_name, provider_name, turn=False)
            self._store.remove(package_name, provider_name)


@mutant("REG-THREAD-005", defect="to unregister replaces the list of names by a copy that was made before")
class LosesOnUnregister(_Indexed):
    """Loses what was registered meanwhile."""

    def _keep(self, made: Registration) -> None:
        super()._keep(made)
        self._add_name(made.package, made.name, turn=False)

    def unregister_provider(self, package_name: str, provider_name: str) -> None:
        """Make the copy outside of the lock."""
        super().unregister_provider(package_name, provider_name)
        self._drop_name(package_name, provider_name, turn=True)


@mutant("REG-STORE-004", defect="only changes are made under the lock, readers go without")
class UnlockedReaders(Original):
    """Takes reading for harmless."""

    def _read(self, package_name: str, provider_name: str, ask: Callable[[], Any]) -> Any:
        with self._reading(package_name, provider_name):
            return ask()


class _HeldWhileMaking(Original):
    """Holds its lock while a factory runs."""

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        with self._lock:
            return super()._make(found, context, config)


@mutant("REG-THREAD-006", defect="a factory is called under the lock", also=["REG-THREAD-007"])
class FactoryUnderLock(_HeldWhileMaking):
    """Locks more than it needs."""


@mutant(
    "REG-THREAD-006",
    "reentrant",
    defect="a factory is called under a lock that its own thread may take again",
    also=["REG-THREAD-007"],
)
class FactoryUnderReentrantLock(_HeldWhileMaking):
    """Takes a lock that hides the mistake from its own thread."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._lock: Any = threading.RLock()


@mutant("REG-THREAD-007", defect="a thread that creates may not register")
class OneAtATime(Original):
    """Notes who is creating."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._creating = threading.local()

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        before = getattr(self._creating, "now", False)
        self._creating.now = True
        try:
            return super()._make(found, context, config)
        finally:
            self._creating.now = before

    def registration(self, *args: Any) -> Registration:
        """Change what is registered, or whether."""
        if getattr(self._creating, "now", False):
            raise ErrRegistrationFailed(args[0], args[1], "a provider is being created")
        return super().registration(*args)


@mutant("REG-THREAD-006", "per-provider", defect="a provider is created for one caller at a time")
class OnePerProvider(Original):
    """Has a lock for each provider."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._locks: dict[tuple[str, str], Any] = {}

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        with self._locks.setdefault((found.package, found.name), threading.RLock()):
            return super()._make(found, context, config)


@mutant(
    "REG-NEW-002",
    "in-flight",
    defect="who asks while an equal creation is under way gets what that one makes",
    also=["REG-THREAD-006"],
)
class InFlight(Original):
    """Spares work that is being done."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self._flying: dict[tuple[str, ...], Any] = {}

    def _make(self, found: Registration, context: FactoryContext, config: ProviderConfig) -> Any:
        key = (found.package, found.name, repr(sorted(config.flat().items(), key=lambda item: item[0])))
        first: Future[Any] = Future()
        under_way = self._flying.setdefault(key, first)
        if under_way is not first:
            return under_way.result()
        try:
            first.set_result(super()._make(found, context, config))
        except ErrProviderCreationFailed as error:
            first.set_exception(error)
        finally:
            del self._flying[key]
        return first.result()


@mutant("REG-THREAD-007", "unknown", defect="a context that the registry makes does not know the registry")
class UnknownRegistry(Original):
    """Thinks of the time alone."""

    def create_provider(
        self, package_name: str, provider_name: str, config: object, *, ctx: FactoryContext | None = None
    ) -> Any:
        """Make a context without a registry."""
        return super().create_provider(package_name, provider_name, config, ctx=ctx or FactoryContext())
