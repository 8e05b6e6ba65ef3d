"""A mixed load on a registry, with accounts: whatever is lost, doubled or torn shows at the end or on the way."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Final

from nomos_contracts.registry.bench import FIRST, Factory, done, flat, names
from nomos_contracts.registry.crowd import at_once
from nomos_contracts.registry.interface import ErrProviderExists, ErrProviderNotFound, ProviderInfo, Registry
from nomos_contracts.violation import Violation, shorten

OPERATIONS: Final = 100_000
THREADS: Final = 8
SECONDS: Final = 120.0
"""How long the load may take: many times what it takes on a slow machine."""

SHARED: Final = 4
"""Names that all threads fight for."""

_ANCHORS: Final = ("anchor-1", "anchor-2", "anchor-3")
"""Names that are there all the time."""


class Accounts:
    """What the threads did with the names that they share. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._balance: Counter[str] = Counter()
        self.stop = threading.Event()

    def book(self, name: str, change: int) -> None:
        """Note a registration (1) or an end of one (-1)."""
        with self._lock:
            self._balance[name] += change

    def balance(self, name: str) -> int:
        """Return how many registrations of *name* there should be."""
        return self._balance[name]


def mixed_load(registry: Registry, random: Random, operations: int = OPERATIONS) -> int:
    """Run the load on a registry whose first package is empty; return how many operations were made.

    Args:
        registry: the registry under test.
        random: chooses among the operations.
        operations: how many there are at least.

    Raises:
        Violation: something was lost, doubled, torn, or failed in a way that no operation may.
    """
    for name in _ANCHORS:
        done(registry.register_provider, FIRST, name, Factory(name), info=ProviderInfo(name, f"type-{name}"))
    accounts = Accounts()
    each = -(-operations // THREADS)
    works: list[Callable[[], int]] = [
        partial(_work, registry, accounts, number, each, Random(random.random()))  # noqa: S311 # a load, no secret
        for number in range(THREADS)
    ]
    results = at_once(works, random, pausing=0, seconds=SECONDS)
    for one in results:
        if isinstance(one.error, Violation):
            raise one.error
        if one.error is not None:
            raise Violation("operations fail with errors of the registry only", one.words)
    listed = Counter(names(registry, FIRST))
    shared = [f"shared-{number}" for number in range(SHARED)]
    expected = Counter({name: accounts.balance(name) for name in shared} | dict.fromkeys(_ANCHORS, 1))
    wrong = {name: (expected[name], listed[name]) for name in {*expected, *listed} if expected[name] != listed[name]}
    if wrong:
        raise Violation("as many registrations as succeeded and did not end", f"(expected, listed): {shorten(wrong)}")
    return sum(int(one.value) for one in results)


def _work(registry: Registry, accounts: Accounts, number: int, count: int, random: Random) -> int:
    """Make *count* operations, those on names of its own with a known outcome; return how many were made."""
    made = turn = 0
    try:
        while made < count and not accounts.stop.is_set():
            turn += 1
            made += _own(registry, f"own-{number}-{turn % 3}") if turn % 2 else _shared(registry, accounts, random)
            made += _read(registry, random)
    except BaseException:
        accounts.stop.set()
        raise
    return made


def _own(registry: Registry, name: str) -> int:
    """Take a name that nobody else uses through its life."""
    registry.register_provider(FIRST, name, Factory(name), info=ProviderInfo(name, f"type-{name}"))
    if name not in registry.list_providers(FIRST):
        raise Violation(f"{name} is listed after its registration", "it is lost")
    _check(registry, name)
    registry.unregister_provider(FIRST, name)
    if name in registry.list_providers(FIRST):
        raise Violation(f"{name} is not listed after its end", "it is")
    return 6


def _shared(registry: Registry, accounts: Accounts, random: Random) -> int:
    """Register and unregister a name that others register and unregister."""
    name = f"shared-{random.randrange(SHARED)}"
    try:
        registry.register_provider(FIRST, name, Factory(name), info=ProviderInfo(name, f"type-{name}"))
        accounts.book(name, 1)
    except ErrProviderExists:
        pass
    with contextlib.suppress(ErrProviderNotFound):  # somebody was quicker
        _check(registry, name)
    try:
        registry.unregister_provider(FIRST, name)
        accounts.book(name, -1)
    except ErrProviderNotFound:
        pass
    return 4


def _read(registry: Registry, random: Random) -> int:
    """Look at what is there all the time."""
    listed = registry.list_providers(FIRST)
    if len(set(listed)) != len(listed) or not set(_ANCHORS) <= set(listed):
        raise Violation(f"a list with {', '.join(_ANCHORS)}, each once", shorten(listed))
    _check(registry, random.choice(_ANCHORS))
    return 3


def _check(registry: Registry, name: str) -> None:
    """Describe and create *name*; both must be of one registration."""
    found: Any = registry.get_provider_info(FIRST, name)
    product: Any = registry.create_provider(FIRST, name, flat(name))
    if found.name != name or found.type != f"type-{name}" or product.hello() != name:
        raise Violation(f"info and product of {name}", shorten((found, product)))
