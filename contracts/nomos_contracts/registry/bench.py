"""What checks of registries have in common: a registry with two packages, factories that remember, careful calls."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar, cast

from nomos_contracts.registry.interface import (
    ERRORS,
    FactoryContext,
    ProviderConfig,
    ProviderInfo,
    Registry,
    RegistryError,
)
from nomos_contracts.violation import Violation, shorten
from nomos_proto.kinds import is_sequence

PATIENCE: Final = 10.0
"""Seconds after which an operation that needs microseconds counts as one that never returns."""

FIRST: Final = "letters"
SECOND: Final = "numbers"
KEY: Final = "not-a-real-key-7f3a"
"""The secret of all configurations."""

Value = TypeVar("Value")


class Subject(Protocol):
    """A target in this process, as the fixtures give it."""

    @property
    def subject(self) -> Any:
        """The object that the target's factory made."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """What it declares."""
        ...


@dataclass
class Factory:
    """Makes a product of its own at each call and remembers what it was called with.

    Attributes:
        mark: tells its products from those of others.
        calls: what it got.
        failure: raised in place of an answer.
    """

    mark: str = "made"
    calls: list[tuple[Any, Any]] = field(default_factory=list[tuple[Any, Any]])
    failure: Exception | None = None

    def __call__(self, ctx: Any, config: Any) -> Product:
        """Make a product, or fail as told."""
        self.calls.append((ctx, config))
        if self.failure is not None:
            raise self.failure
        return Product(self.mark)

    @property
    def context(self) -> FactoryContext:
        """The context of the last call.

        Raises:
            Violation: it was not called, or with something else.
        """
        found = self.calls[-1][0] if self.calls else None
        if not isinstance(found, FactoryContext):
            raise Violation("the factory gets a FactoryContext", shorten(found))
        return found

    @property
    def config(self) -> ProviderConfig:
        """The configuration of the last call.

        Raises:
            Violation: it was not called, or with something else.
        """
        found = self.calls[-1][1] if self.calls else None
        if not isinstance(found, ProviderConfig):
            raise Violation("the factory gets a ProviderConfig", shorten(found))
        return found


class Product:
    """What factories of the checks make: it can be asked at once."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def hello(self) -> str:
        """Answer who made it."""
        return self.mark


@dataclass(frozen=True)
class Attempt:
    """What became of one call: a value, or the exception that it raised."""

    what: str
    value: Any = None
    error: BaseException | None = None

    @property
    def words(self) -> str:
        """For a sentence."""
        if self.error is None:
            return f"{self.what} returned {shorten(self.value)}"
        return f"{self.what} raised {type(self.error).__module__}.{type(self.error).__qualname__}: {self.error}"


def attempt(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Attempt:
    """Call something of the target in a thread of its own; whatever it does, this returns.

    Raises:
        Violation: it does not return.
    """
    what = _name(call)
    box: list[Attempt] = []

    def run() -> None:
        box.append(attempt_here(call, *args, **kwargs))

    thread = threading.Thread(target=run, name=f"registry-check-{what}", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if not box:
        raise Violation(f"{what} returns", f"nothing within {PATIENCE:g} s")
    return box[0]


def attempt_here(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Attempt:
    """Call something of the target in this thread: where a factory is in another one, whose end is watched."""
    try:
        return Attempt(_name(call), call(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001 # whatever a target raises is a finding
        return Attempt(_name(call), error=error)


def _name(call: Callable[..., Any]) -> str:
    return str(getattr(call, "__name__", type(call).__name__))


def done(call: Callable[..., Value], *args: Any, **kwargs: Any) -> Value:
    """Return what a call that has to succeed returns.

    Raises:
        Violation: it raised, or does not return.
    """
    found = attempt(call, *args, **kwargs)
    if found.error is not None:
        raise Violation(f"{found.what} succeeds", found.words)
    return cast("Value", found.value)


def refused(code: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> RegistryError:
    """Return the error of a call that has to be refused with *code*.

    Raises:
        Violation: it succeeded, raised something else, or does not return.
    """
    found = attempt(call, *args, **kwargs)
    if not isinstance(found.error, ERRORS[code]) or found.error.code != code:
        raise Violation(f"{found.what} raises {code}", found.words)
    return found.error


def refused_config(
    registry: Registry, factory: Factory, package: str, name: str, config: object, *fields: str
) -> RegistryError:
    """Return the error of a configuration that has to be refused before *factory* is called.

    Args:
        registry: the registry under test.
        factory: that of the provider.
        package: where the provider is.
        name: its name.
        config: what is wrong.
        fields: the message has to name one of these; without any, it may say what it likes.

    Raises:
        Violation: it is not refused, or too late, or the field at fault is not named.
    """
    before = len(factory.calls)
    error = refused("ErrInvalidConfig", registry.create_provider, package, name, config)
    if len(factory.calls) != before:
        raise Violation("the factory is not called with a bad configuration", f"called although {fields} is wrong")
    if fields and not any(field in str(error) for field in fields):
        raise Violation(f"a message that names {' or '.join(fields)}", str(error))
    return error


def flat(provider_name: str, **fields: Any) -> dict[str, Any]:
    """Return a good configuration of *provider_name* in the flat form."""
    return {"provider_name": provider_name, "api_key": KEY, **fields}


def registry_of(provider: Subject) -> Registry:
    """Return the registry under test, with two empty packages."""
    registry = cast("Registry", provider.subject)
    add_packages(registry)
    return registry


def add_packages(registry: Registry, names: Iterable[str] = (FIRST, SECOND)) -> None:
    """Add empty packages to *registry*."""
    for name in names:
        done(registry.add_package, name, config_class=ProviderConfig)


def names(registry: Registry, package: str) -> Sequence[str]:
    """Return what *package* lists.

    Raises:
        Violation: it is no list of texts.
    """
    listed: object = done(registry.list_providers, package)
    if not is_sequence(listed) or not all(isinstance(name, str) for name in listed):
        raise Violation(f"a list of the names in {package}", shorten(listed))
    return listed


def info(registry: Registry, package: str, name: str) -> ProviderInfo:
    """Return what is said of *name*.

    Raises:
        Violation: it is no `ProviderInfo`.
    """
    found: Any = done(registry.get_provider_info, package, name)
    if not isinstance(found, ProviderInfo):
        raise Violation(f"a ProviderInfo of {package}/{name}", shorten(found))
    return found


def product(
    registry: Registry,
    package: str,
    name: str,
    config: object = None,
    *,
    ctx: FactoryContext | None = None,
) -> Product:
    """Return what a creation of *name* returns, from a good configuration where none is given.

    Raises:
        Violation: it is nothing that a factory of the checks made.
    """
    found = done(registry.create_provider, package, name, flat(name) if config is None else config, ctx=ctx)
    if not isinstance(found, Product):
        raise Violation(f"what the factory of {package}/{name} makes", shorten(found))
    return found


def same_names(registry: Registry, package: str, *expected: str) -> None:
    """Return if *package* lists exactly *expected*, in any order.

    Raises:
        Violation: it lists others.
    """
    listed = names(registry, package)
    if Counter(listed) != Counter(expected):
        raise Violation(f"{package} lists {sorted(expected)}", shorten(listed))


def made_by(factory: Factory, registry: Registry, package: str, name: str) -> None:
    """Return if *name* is created by *factory*.

    Raises:
        Violation: it is not.
    """
    found = product(registry, package, name)
    if found.hello() != factory.mark:
        raise Violation(f"{package}/{name} is made by the factory that was registered for it", shorten(found))
